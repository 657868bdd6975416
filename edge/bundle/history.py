"""What became of each bundle that was installed on a device: one small file in the store.

The store of what a device has learned (`edge.learned.store`) has one too, of its generations.

The link `current` alone says what is in use. This file says when a bundle came, whether it is on
probation, and why it was rolled back. Without it, or where it is damaged, every bundle still runs.
"""

import logging
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.bundle.manifest import LONGEST_NAME
from edge.errors import BadInput, one_line
from edge.files import read_bounded, write_whole

log = logging.getLogger(__name__)

HISTORY_NAME = "history.json"
READABLE = 0o644
"""Its rights: what an administrator wrote, the service must be able to read."""
MOST_BYTES = 256 * 1024
MOST_KEPT = 100
"""Entries; the oldest go."""
LONGEST_WHY = 300
LONGEST_WHO = 200

Moment = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
"""Unix seconds; 0: not yet."""


class Standing(str, Enum):
    """Where a bundle stands. The value is what the file and `ewaste-edge bundles --json` hold."""

    UNWATCHED = "unwatched"
    ON_PROBATION = "on_probation"
    PASSED = "passed"
    ROLLED_BACK = "rolled_back"
    LEFT = "left"


class InstallEntry(BaseModel):
    """One install.

    Attributes:
        number: its place in the store.
        digest: of the bundle.
        name: of the bundle.
        installed_at: when it came into use.
        standing: `unwatched`, there is nothing to compare it with or to go back to;
            `on_probation`; `passed`; `rolled_back` by the line; `left`, rolled back by hand.
        before: digest of the bundle that was in use before; empty: none was.
        began_at: when a line first ran it.
        ended_at: when its probation ended, or it was rolled back.
        why: what ended it, one line.
        at_once: whether a running line takes it also while the belt moves: a person asked for
            that, or it is what was gone back to.
        has_waited: whether a running line had it ready and could not take it: a line that starts
            anew does not take it either, until it may.
        base: of a generation, digest of the bundle that it was learned beside; empty: of a bundle.
        by: who made a generation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: Annotated[int, Field(ge=0, le=10**12)]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    installed_at: Moment
    standing: Standing
    before: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    began_at: Moment = 0.0
    ended_at: Moment = 0.0
    why: Annotated[str, Field(max_length=LONGEST_WHY)] = ""
    at_once: bool = False
    has_waited: bool = False
    base: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    by: Annotated[str, Field(max_length=LONGEST_WHO)] = ""


class InstallHistory(BaseModel):
    """All installs that are remembered, the oldest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entries: tuple[InstallEntry, ...] = ()

    def at(self, number: int) -> InstallEntry | None:
        """The last install at this place of the store; None: it is not known."""
        found = [each for each in self.entries if each.number == number]
        return found[-1] if found else None

    def last(self, digest: str) -> InstallEntry | None:
        """The last install of this bundle, wherever; None: it is not known."""
        found = [each for each in self.entries if each.digest == digest]
        return found[-1] if found else None

    @property
    def newest(self) -> InstallEntry | None:
        """The install that came last; None: none is known."""
        return max(self.entries, key=lambda each: each.installed_at, default=None)

    def with_entry(self, entry: InstallEntry) -> "InstallHistory":
        """The same with one more install, or with what is known of the last one there now."""
        known = self.at(entry.number)
        if known is not None and known.installed_at == entry.installed_at:
            changed = tuple(entry if each is known else each for each in self.entries)
            return InstallHistory(entries=changed)
        return InstallHistory(entries=(*self.entries, entry)[-MOST_KEPT:])


def ended(entry: InstallEntry, standing: Standing, why: str, at: float) -> InstallEntry:
    """An entry whose probation, or time in use, ended at unix seconds `at`."""
    line = one_line(why, LONGEST_WHY)
    return entry.model_copy(update={"standing": standing, "why": line, "ended_at": at})


def read_history(store: Path) -> InstallHistory:
    """Read the history of a store; one that cannot be read is empty, which is logged."""
    path = store / HISTORY_NAME
    try:
        return InstallHistory.model_validate_json(read_bounded(path, MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return InstallHistory()
    except (ValidationError, BadInput, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is damaged"
        log.warning("%s: %s; the history begins anew", path, reason)
        return InstallHistory()


def write_history(store: Path, history: InstallHistory) -> None:
    """Replace the history of a store.

    Raises:
        OSError: it cannot be written.
    """
    # Without what is as usual: so an earlier version reads the history of the bundles too.
    content = history.model_dump_json(indent=1, exclude_defaults=True).encode() + b"\n"
    write_whole(store / HISTORY_NAME, content, mode=READABLE)
