"""Where an SBOM comes from: what is installed on a board, or the lock file of a release."""

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from edge import __version__
from edge.board import read_release
from edge.bundle.bundle import DEFAULT_BUNDLE, load_bundle
from edge.errors import BadInput, EwasteError
from edge.files import read_text
from edge.sbom.document import Contents, Platform
from edge.sbom.installed import installed_parts
from edge.sbom.part import Part
from edge.setup.lock import read_lock
from edge.setup.places import NAME

MOST_LOCK_BYTES = 2**24
EPOCH = "SOURCE_DATE_EPOCH"
LAST_EPOCH = 253_402_300_799
"""The end of the year 9999."""
_PYTHON = re.compile(r"^# .*\bPython (3\.\d{1,2})\b", re.M)


def of_board(bundle: Path) -> Contents:
    """What this machine runs: each distribution that this Python imports, and the bundle in use.

    Raises:
        BadInput: there is no bundle.
        Refused: the bundle is damaged.
    """
    found = {part.key: part for part in installed_parts()}
    program = found.pop(NAME, Part(NAME, __version__))
    release = read_release()
    machine = platform.machine()
    return Contents(
        program=replace(program, version=__version__),
        parts=tuple(found.values()),
        bundle=load_bundle(bundle),
        platform=Platform(
            release.get("ID", ""), release.get("VERSION_ID", ""), platform.python_version()
        ),
        properties={"source": "installed", "machine": machine},
    )


def of_lock(path: Path) -> Contents:
    """What a release brings to a board: the wheels of a lock file, and the shipped bundle.

    Raises:
        BadInput: it is no lock file.
    """
    text = read_text(path, MOST_LOCK_BYTES)
    try:
        pins = read_lock(text)
    except EwasteError as error:
        raise BadInput(f"{path}: {error}") from None
    if not pins:
        raise BadInput(f"{path}: an empty lock file; see edge/deploy/locks")
    python = _PYTHON.search(text)
    return Contents(
        program=Part(NAME, __version__),
        parts=tuple(Part(pin.name, pin.version, wheel_sha256=pin.hashes) for pin in pins),
        bundle=load_bundle(DEFAULT_BUNDLE),
        platform=None,
        properties={
            "source": f"lock file {path.name}",
            "python": python[1] if python else "",
        },
    )


def time_of(environment: Mapping[str, str] = os.environ) -> datetime:
    """When an SBOM is made: SOURCE_DATE_EPOCH, where it is set, else now.

    Raises:
        BadInput: it is no time. See reproducible-builds.org/specs/source-date-epoch.
    """
    given = environment.get(EPOCH)
    if given is None:
        return datetime.now(timezone.utc)
    if not re.fullmatch(r"[0-9]{1,12}", given) or int(given) > LAST_EPOCH:
        raise BadInput(f"{EPOCH}: give whole seconds since 1970")
    return datetime.fromtimestamp(int(given), timezone.utc)
