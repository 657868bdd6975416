"""The figures of hours that are over, read once and kept: a report of a month takes no seconds.

What is kept of an hour is used only while the file still has the same records in that hour.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import EwasteError
from edge.records.figures import MOST_GROUPS, TOO_MANY_GROUPS, Figures, RecordGroup
from edge.records.store import Store

HOUR_S = 3600.0
SETTLED_S = 900.0
"""After this time no record of an hour changes any more: each item has reached its gate, s."""
MOST_KEPT_ITEMS = 2_000_000
"""The maximum number of items that are kept; each takes 16 bytes of memory."""
MOST_KEYS = 4 * MOST_GROUPS
STAMP = (
    "SELECT COUNT(*), MIN(sequence), MAX(sequence) FROM items "
    "WHERE decided_at >= ? AND decided_at < ?"
)
"""Asks for what changes with the records of a time: their number, the first and the last place."""
Key = tuple[str, str, str, int, str]


@dataclass(frozen=True)
class _Hour:
    """The figures of an hour, in little memory.

    Attributes:
        stamp: number of its records, and the first and last of their places.
        keys: int32 [groups], the places of what each group shares.
        numbers: float64 [groups, 3]: items, and when the first and last was decided.
        moments: as `Figures` has them.
    """

    stamp: tuple[object, ...]
    keys: np.ndarray
    numbers: np.ndarray
    moments: np.ndarray


class HourlyFigures:
    """Reads figures of any period of one file, and keeps those of whole hours that are over."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Keep nothing yet of the file at `path`; `clock` returns Unix seconds."""
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._kept: dict[float, _Hour] = {}
        self._items = 0
        self._places: dict[Key, int] = {}

    def read(self, store: Store, start: float, end: float, most: int) -> Figures:
        """Return what `Store.figures` returns; hours that are kept are not read again.

        Args:
            store: the open file.
            start: Unix seconds, within the period.
            end: Unix seconds, the first moment after it.
            most: about the maximum number of moments; what is read ends soon after.

        Raises:
            Damaged: the file is damaged.
            EwasteError: there are more groups than any line makes.
        """
        first = _next_hour(start)
        last = _next_hour(min(end, self._clock() - SETTLED_S) - HOUR_S)
        if last <= first:
            return store.figures(start, end, most)
        with self._lock:
            self._forget_another_file()
            parts = [self._packed((), store.figures(start, first, most))]
            count = len(parts[0].moments)
            for number in range(round((last - first) / HOUR_S)):
                if count <= most:
                    parts.append(self._hour(store, first + HOUR_S * number, most))
                    count += len(parts[-1].moments)
            parts.append(self._packed((), store.figures(last, end, most)))
            return self._merged(parts)

    def _forget_another_file(self) -> None:
        found = self._path.stat()
        if self._file != (found.st_dev, found.st_ino) or len(self._places) > MOST_KEYS:
            self._kept.clear()
            self._places.clear()
            self._items = 0
        self._file = found.st_dev, found.st_ino

    def _hour(self, store: Store, hour: float, most: int) -> _Hour:
        stamp = tuple(store.read(STAMP, hour, hour + HOUR_S)[0])
        kept = self._kept.get(hour)
        if kept is not None and kept.stamp == stamp:
            return kept
        figures = store.figures(hour, hour + HOUR_S, most) if stamp[0] else _NOTHING
        found = self._packed(stamp, figures)
        if kept is not None:
            self._items -= len(kept.moments)
            del self._kept[hour]
        is_whole = 0 < len(found.moments) == stamp[0]
        if is_whole and self._items + len(found.moments) <= MOST_KEPT_ITEMS:
            self._kept[hour] = found
            self._items += len(found.moments)
        return found

    def _packed(self, stamp: tuple[object, ...], figures: Figures) -> _Hour:
        places = [self._places.setdefault(g[:5], len(self._places)) for g in figures.groups]
        numbers = np.array([group[5:] for group in figures.groups], np.float64).reshape(-1, 3)
        return _Hour(stamp, np.array(places, np.int32), numbers, figures.moments)

    def _merged(self, parts: Sequence[_Hour]) -> Figures:
        keys = np.concatenate([part.keys for part in parts])
        items, first_at, last_at = np.concatenate([part.numbers for part in parts]).T
        total = np.bincount(keys, items, len(self._places))
        first, last = np.full(len(total), math.inf), np.full(len(total), -math.inf)
        np.minimum.at(first, keys, first_at)
        np.maximum.at(last, keys, last_at)
        groups = tuple(
            RecordGroup(*key, int(total[place]), float(first[place]), float(last[place]))
            for key, place in self._places.items()
            if total[place]
        )
        if len(groups) > MOST_GROUPS:
            raise EwasteError(f"{self._path}: {TOO_MANY_GROUPS}")
        return Figures(groups, np.concatenate([part.moments for part in parts]))


_NOTHING = Figures((), np.empty((0, 2)))


def _next_hour(unix_s: float) -> float:
    """Return the first full hour of local time from a moment on, Unix seconds."""
    off = time.localtime(unix_s).tm_gmtoff % HOUR_S
    return math.ceil((unix_s + off) / HOUR_S) * HOUR_S - off
