"""The installed bundles as rows, for people and for JSON."""

import time
from collections.abc import Sequence
from typing import Any

from edge.bundle.history import InstallEntry, Standing
from edge.bundle.install import InstalledBundle
from edge.bundle.window import Waiting

DIGEST_SHOWN = 12
HEAD = ("number", "name", "digest", "made", "installed", "use", "standing")
WORDS = {
    Standing.UNWATCHED: "not watched",
    Standing.ON_PROBATION: "on probation",
    Standing.PASSED: "passed",
    Standing.ROLLED_BACK: "rolled back",
    Standing.LEFT: "left",
}


def as_rows(
    installed: Sequence[InstalledBundle], ready: str = "", waiting: Waiting | None = None
) -> list[dict[str, Any]]:
    """One object for each bundle; times are unix seconds, what is not known is null.

    `standing` is as in `edge.bundle.history.Standing`; `why` is what ended its probation or its
    use; `waits` is what a running line, which has it ready, takes it after; `problem` is why it
    cannot be read.

    Args:
        installed: the bundles.
        ready: digest of the one that a running line is ready to take; empty: none.
        waiting: what that line waits for; None: nothing.
    """
    waits = "" if waiting is None or not ready else waiting.in_words
    return [_row(each, ready, waits) for each in installed]


def _row(each: InstalledBundle, ready: str, waits: str) -> dict[str, Any]:
    manifest, entry = each.bundle.manifest if each.bundle else None, each.entry
    is_ready = each.in_use and each.bundle is not None and each.bundle.digest == ready
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
        "waits": (waits or None) if is_ready else None,
        "why": (entry.why or None) if entry else None,
        "problem": each.problem or None,
    }


def _stands(entry: InstallEntry | None, standing: Standing) -> bool:
    return entry is not None and entry.standing is standing


def as_table(rows: Sequence[dict[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The head of a table and its rows; times are local."""
    return HEAD, [_shown(row) for row in rows]


def reasons(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What a bundle waits for, why it was rolled back or has passed, or cannot be read."""
    found = [(row["number"], row["waits"] or row["why"] or row["problem"]) for row in rows]
    return [f"{number}: {reason}" for number, reason in found if reason]


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    use = next((each for each in ("waits", "active", "previous") if row[each]), "")
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
