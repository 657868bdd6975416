"""The mass of a recorded item, computed when it is read.

Recorded are what was measured, an area, and what was entered, weights; neither ever changes. A mass
follows from them, by the weighings before the day of the item, so anybody can compute it again. A
stored mass could not be checked, and its error could not be added to those of other items.
"""

import math
import threading
from dataclasses import dataclass
from pathlib import Path

from edge.labels import UNKNOWN
from edge.mass.calibration import MassCalibration, calibrated
from edge.mass.estimate import MassEstimate, estimate_item
from edge.mass.typical import TYPICAL_ITEMS
from edge.records.entries import ENTRIES_NAME
from edge.records.item_sums import KeptSums
from edge.records.period import DAY_S
from edge.records.record import ItemRecord
from edge.records.store import Store
from edge.records.weighings import read_weighings

MOST_KEPT = 64


@dataclass(frozen=True)
class ItemMass:
    """The mass of an item, and the number of weighings of its class that it rests on."""

    mass: MassEstimate
    weighings: int


class ItemMasses:
    """Estimates the masses of items of one file."""

    def __init__(self, state: Path, sums: KeptSums) -> None:
        """Estimate by the entries in the `state` folder and by `sums` of the records."""
        self._state, self._sums = state, sums
        self._lock = threading.Lock()
        self._entries: tuple[int, int] | None = None
        self._kept: dict[tuple[float, str], MassCalibration] = {}

    def of(self, store: Store, record: ItemRecord) -> ItemMass | None:
        """Estimate the mass of an item; None: it has no time or no label.

        Raises:
            EwasteError: records or entries cannot be read, or are damaged.
        """
        if not math.isfinite(record.decided_at) or not record.label:
            return None
        day = math.floor(record.decided_at / DAY_S) * DAY_S
        found = self._in_force(store, day, record.label)
        mass = estimate_item(
            found.levels, record.label, area_mm2=record.area_mm2, longer_mm=record.longer_mm
        )
        return ItemMass(mass, found.weighed[record.label])

    def _in_force(self, store: Store, day: float, label: str) -> MassCalibration:
        """The calibration by the weighings before a day, Unix seconds."""
        known = label in TYPICAL_ITEMS or label == UNKNOWN
        key = day, "" if known else label
        with self._lock:
            self._forget_other_entries()
            found = self._kept.get(key)
            if found is None:
                weighings, _ = read_weighings(self._state, store, day, self._sums)
                found = calibrated(weighings, [*TYPICAL_ITEMS, UNKNOWN, label])
                if len(self._kept) >= MOST_KEPT:
                    self._kept.clear()
                self._kept[key] = found
            return found

    def _forget_other_entries(self) -> None:
        """Forget all when an entry was added or withdrawn."""
        try:
            about = (self._state / ENTRIES_NAME).stat()
            entries = about.st_mtime_ns, about.st_size
        except OSError:
            entries = None
        if entries != self._entries:
            self._kept.clear()
        self._entries = entries
