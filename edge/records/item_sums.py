"""Sums over the items of a time, for their masses; what is over is read once and kept."""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge.mass.items import ItemSums, added, summed
from edge.records.damage import Damaged
from edge.records.hourly import SETTLED_S, STAMP
from edge.records.store import Store

PIECE_S = 6 * 3600.0
"""So much time is read at once: some ten thousand items."""
MOST_KEPT = 20_000
"""The maximum number of pieces that are kept; each takes some KB of memory."""
SIZES = """
SELECT label, bin, CASE WHEN typeof(area_mm2) IN ('real', 'integer') THEN area_mm2 END,
    CASE WHEN typeof(longer_mm) IN ('real', 'integer') THEN longer_mm END
FROM items WHERE decided_at >= ? AND decided_at < ?
"""
_Piece = tuple[tuple[object, ...], list[ItemSums]]


class KeptSums:
    """Sums up the items of any time of one file, and keeps the sums of what is over."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Keep nothing yet of the file at `path`; `clock` returns Unix seconds."""
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._kept: dict[tuple[float, float], _Piece] = {}

    def read(self, store: Store, start: float, end: float) -> list[ItemSums]:
        """Sum up the items decided from `start` up to `end`, Unix seconds.

        Raises:
            Damaged: the file is damaged.
            EwasteError: it cannot be read now.
        """
        with self._lock:
            self._forget_another_file()
            parts = []
            while start < end:
                until = min(end, (math.floor(start / PIECE_S) + 1) * PIECE_S)
                parts += self._piece(store, start, until)
                start = until
            return added(parts)

    def _forget_another_file(self) -> None:
        found = self._path.stat()
        if self._file != (found.st_dev, found.st_ino) or len(self._kept) > MOST_KEPT:
            self._kept.clear()
        self._file = found.st_dev, found.st_ino

    def _piece(self, store: Store, start: float, end: float) -> list[ItemSums]:
        stamp = tuple(store.read(STAMP, start, end)[0])
        if not stamp[0]:
            return []
        kept = self._kept.get((start, end))
        if kept is not None and kept[0] == stamp:
            return kept[1]
        found = read_sums(store, start, end)
        if end < self._clock() - SETTLED_S:  # later an item may still change its bin
            self._kept[start, end] = stamp, found
        return found


def read_sums(store: Store, start: float, end: float) -> list[ItemSums]:
    """Sum up the items of a time by label and bin; all of them are in memory for a moment.

    Raises:
        Damaged: the file is damaged.
        EwasteError: it cannot be read now.
    """
    sizes: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for label, bin_name, area, longer in store.read(SIZES, start, end):
        if not (isinstance(label, str) and isinstance(bin_name, str)):
            raise Damaged(f"{store.path}: is damaged (a record has no label or bin)")
        measured = (math.nan if each is None else float(each) for each in (area, longer))
        sizes[label, bin_name].append(tuple(measured))  # type: ignore[arg-type]
    found: list[ItemSums] = []
    for (label, bin_name), each in sizes.items():
        found += summed(label, bin_name, *np.array(each).T)
    return found
