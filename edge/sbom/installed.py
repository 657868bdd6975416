"""The distributions that this Python can import, from what their installers wrote down."""

import hashlib
from importlib.metadata import Distribution, distributions

from edge.errors import EwasteError, one_line
from edge.sbom.part import MOST_TEXT, Part

UNSTATED = ("", "UNKNOWN")
OF_CLASSIFIER = "License :: "


def installed_parts() -> tuple[Part, ...]:
    """Each distribution once, in the order of its names; the one that is imported counts."""
    found: dict[str, Part] = {}
    for distribution in distributions():
        part = part_of(distribution)
        if part is not None:
            found.setdefault(part.key, part)  # a later folder of sys.path is not reached
    return tuple(found[key] for key in sorted(found))


def part_of(distribution: Distribution) -> Part | None:
    """What is known of a distribution; None: its metadata name none, so pip knows none either.

    Raises:
        EwasteError: its metadata cannot be read.
    """
    try:
        return _part(distribution)
    except (OSError, UnicodeDecodeError) as error:
        raise EwasteError(
            f"{distribution.locate_file('')}: the metadata of a distribution cannot be read "
            f"({one_line(error)}); install it again"
        ) from None


def _part(distribution: Distribution) -> Part | None:
    name, version = _stated(distribution, "Name"), _stated(distribution, "Version")
    if not name or not version:
        return None
    license_, is_expression = _license(distribution)
    return Part(
        name=one_line(name),
        version=one_line(version),
        license=license_,
        is_expression=is_expression,
        installer=one_line(distribution.read_text("INSTALLER") or "", 40),
        content_sha256=_content_sha256(distribution),
    )


def _license(distribution: Distribution) -> tuple[str, bool]:
    """The license as it is stated best, and whether that is an SPDX expression (PEP 639)."""
    expression = _stated(distribution, "License-Expression")
    if expression:
        return one_line(expression, MOST_TEXT), True
    classifiers = [
        each.rpartition(" :: ")[2]
        for each in distribution.metadata.get_all("Classifier") or ()
        if each.startswith(OF_CLASSIFIER) and each.count(" :: ") > 1
    ]
    if classifiers:
        return one_line("; ".join(sorted(classifiers)), MOST_TEXT), False
    stated = _stated(distribution, "License")
    if stated in UNSTATED or "\n" in stated:  # none, or a whole text
        return "", False
    return one_line(stated, MOST_TEXT), False


def _stated(distribution: Distribution, key: str) -> str:
    """What the metadata have under a key first; empty: nothing."""
    return str((distribution.metadata.get_all(key) or [""])[0]).strip()


def _content_sha256(distribution: Distribution) -> str:
    """A digest of the digests in RECORD; files without one, such as bytecode, do not count."""
    record = distribution.read_text("RECORD") or ""
    rows = sorted(line for line in record.splitlines() if ",sha256=" in line)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest() if rows else ""
