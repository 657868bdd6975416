"""The installed bundles as rows, for people and for JSON."""

import time
from collections.abc import Sequence
from typing import Any

from edge.bundle.history import InstallEntry, Standing
from edge.bundle.install import InstalledBundle

DIGEST_SHOWN = 12
HEAD = ("number", "name", "digest", "made", "installed", "use", "standing")
WORDS = {
    Standing.UNWATCHED: "not watched",
    Standing.ON_PROBATION: "on probation",
    Standing.PASSED: "passed",
    Standing.ROLLED_BACK: "rolled back",
    Standing.LEFT: "left",
}


def as_rows(installed: Sequence[InstalledBundle]) -> list[dict[str, Any]]:
    """One object for each bundle; times are unix seconds, what is not known is null.

    `standing` is as in `edge.bundle.history.Standing`; `why` is what ended its probation or its
    use; `problem` is why it cannot be read.
    """
    return [_row(each) for each in installed]


def _row(each: InstalledBundle) -> dict[str, Any]:
    manifest, entry = each.bundle.manifest if each.bundle else None, each.entry
    return {
        "number": each.number,
        "name": manifest.name if manifest else None,
        "digest": each.bundle.digest if each.bundle else None,
        "created": manifest.created.timestamp() if manifest else None,
        "installed_at": entry.installed_at if entry else None,
        "active": each.in_use,
        "previous": each.is_previous,
        "on_probation": each.in_use and _stands(entry, Standing.ON_PROBATION),
        "standing": entry.standing.value if entry else None,
        "why": (entry.why or None) if entry else None,
        "problem": each.problem or None,
    }


def _stands(entry: InstallEntry | None, standing: Standing) -> bool:
    return entry is not None and entry.standing is standing


def as_table(rows: Sequence[dict[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The head of a table and its rows; times are local."""
    return HEAD, [_shown(row) for row in rows]


def reasons(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Why a bundle was rolled back or has passed, or cannot be read: a line each."""
    found = [(row["number"], row["why"] or row["problem"]) for row in rows]
    return [f"{number}: {reason}" for number, reason in found if reason]


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    use = "active" if row["active"] else "previous" if row["previous"] else ""
    return (
        str(row["number"]),
        row["name"] or "",
        (row["digest"] or "")[:DIGEST_SHOWN],
        _moment(row["created"]),
        _moment(row["installed_at"]),
        use,
        WORDS[Standing(row["standing"])] if row["standing"] else "",
    )


def _moment(at: float | None) -> str:
    return "" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
