"""What the run before has recorded and may still lie in view, so that it is not counted again.

A line that is killed starts again within seconds, and its encoder at another zero. Between the belt
coordinates of two runs lies one unknown shift, the same for all items; what does not shift is how
far across the belt an item lies, how long it is, and what it looks like.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import cv2
import numpy as np

from edge.belt.tracker import TrackedItem
from edge.errors import BadInput
from edge.photos.reading import decode_photo
from edge.records.store import ItemRecord

LATELY = 40
"""How many records are looked at: more than fit into a view."""
OLDEST_S = 600.0
"""After so long, whatever lay in view is gone: the belt was cleared, or has moved on."""
FOUND_S = 1.0
"""What is first seen within this time from the start was lying there, or may have been: the
detector needs some frames to know the belt."""
ACROSS_MM, LENGTH_MM, LENGTH_SHARE, SHIFT_MM = 10.0, 15.0, 0.15, 40.0
SPREAD_MM = 5.0
"""How far two looks at an item at rest usually find it apart, at most."""
OUT_OF_ORDER = 2
"""So many items may have been recorded before one that was ahead of them."""
THUMBNAIL = (16, 16)
CROP_MEGAPIXELS = 4.0
ALIKE = 24.0
"""Largest mean difference of two thumbnails of one item, of 255; noise and a slightly different
crop make 5 to 15."""


Lying = tuple[TrackedItem, bytes]
"""An item and its view as JPEG, empty when there is none."""


class Recall:
    """The items that were recorded lately; each is recognized at most once."""

    def __init__(self, records: Iterable[ItemRecord], now: float) -> None:
        """Take the last records, the newest first, and the time in unix seconds.

        Records from the future are left out too: the wall clock was set back, and how long ago
        they were is not known.
        """
        self._waiting = [
            record for record in records if 0 <= now - record.decided_at < OLDEST_S and record.crop
        ]
        self._newer = {record.item_id: place for place, record in enumerate(self._waiting)}
        self._shifts: dict[str, float] = {}  # run -> from its belt coordinates to ours, mm

    def recognize(
        self,
        item: TrackedItem,
        crop: bytes,
        lying: Sequence[Lying],
        view_mm: tuple[float, float],
    ) -> bool:
        """Whether an item has been recorded before.

        Once the shift of a run is known, its records count at any time: the belt may jog back and
        bring an item again. Until then only for an item that is `lying`.

        Args:
            item: as it is tracked.
            crop: its best view as JPEG, empty when there is none.
            lying: all items that were found in view at the start, this one too, and their views.
            view_mm: what the camera saw of the belt then, in belt coordinates, the low end first.
        """
        if self._taken(item, crop):
            return True
        if all(item.number != other.number for other, _ in lying):
            return False
        for run in {run_of(record) for record in self._waiting} - set(self._shifts):
            shift_mm = self._shift_of(run, item, lying, view_mm)
            if shift_mm is not None:
                self._shifts[run] = shift_mm
        return self._taken(item, crop)

    def _taken(self, item: TrackedItem, crop: bytes) -> bool:
        """Whether a record of a run whose shift is known is this item's; it waits no longer."""
        for record in self._waiting:
            shift_mm = self._shifts.get(run_of(record))
            if shift_mm is not None and fits(record, item, shift_mm) and alike(record, crop):
                self._waiting.remove(record)
                return True
        return False

    def _shift_of(
        self,
        run: str,
        item: TrackedItem,
        lying: Sequence[Lying],
        view_mm: tuple[float, float],
    ) -> float | None:
        """The most likely shift of a run, if one of its records is this item under it; else None.

        What lies there is compared as a whole: one item alone is easily taken for its neighbor.
        """
        records = [record for record in self._waiting if run_of(record) == run]
        best, most, its_own = None, 0.0, []
        for other, crop in lying:
            upstream = sum(each.position_mm > other.position_mm for each, _ in lying)
            for record in records:
                # Items are recorded as they come: what was recorded later lies upstream, in view.
                if self._newer[record.item_id] > upstream + OUT_OF_ORDER:
                    continue
                if not (fits(record, other, None) and alike(record, crop)):
                    continue
                shift_mm = other.position_mm - record.position_mm
                speaking = spoken_for(records, lying, shift_mm, view_mm)
                if speaking > most:
                    best, most = shift_mm, speaking
                if other.number == item.number:
                    its_own.append(shift_mm)
        found = best is not None and any(abs(shift_mm - best) <= SHIFT_MM for shift_mm in its_own)
        return best if found else None


def spoken_for(
    records: Sequence[ItemRecord],
    lying: Sequence[Lying],
    shift_mm: float,
    view_mm: tuple[float, float],
) -> float:
    """How much speaks for a shift: a record is worth the more, up to 1, the better an item fits it.

    One that falls into the view but has no item there speaks against it. On a belt with much the
    same item at even distances only the exact places tell one shift from the next.
    """
    speaking = 0.0
    for record in records:
        off_mm = [
            math.hypot(
                record.offset_mm - item.offset_mm, record.position_mm + shift_mm - item.position_mm
            )
            for item, crop in lying
            if fits(record, item, shift_mm) and alike(record, crop)
        ]
        at_mm, reach = record.position_mm + shift_mm, record.length_mm / 2 + SHIFT_MM
        if off_mm:
            speaking += math.exp(-((min(off_mm) / SPREAD_MM) ** 2))
        elif view_mm[0] + reach < at_mm < view_mm[1] - reach:
            speaking -= 1
    return speaking


def run_of(record: ItemRecord) -> str:
    """Which run an item was recorded in; each has belt coordinates of its own."""
    return record.item_id.rpartition("-")[0]


def fits(record: ItemRecord, item: TrackedItem, shift_mm: float | None) -> bool:
    """Whether a record may be of an item, by length and place; None: the shift is not known."""
    longer = abs(record.length_mm - item.length_mm)
    return (
        abs(record.offset_mm - item.offset_mm) <= ACROSS_MM
        and longer <= max(LENGTH_MM, LENGTH_SHARE * item.length_mm)
        and (shift_mm is None or abs(item.position_mm - record.position_mm - shift_mm) <= SHIFT_MM)
    )


def alike(record: ItemRecord, crop: bytes) -> bool:
    """Whether a record looks like an item's crop; without one there is nothing to tell by."""
    return not crop or difference(record.crop, crop) <= ALIKE


def difference(first: bytes, second: bytes) -> float:
    """Mean difference of two JPEGs as thumbnails, 0 to 255; infinite when one cannot be read."""
    small, other = thumbnail(first), thumbnail(second)
    if small is None or other is None:
        return math.inf
    return float(np.mean(cv2.absdiff(small, other)))


@lru_cache(maxsize=256)
def thumbnail(jpeg: bytes) -> np.ndarray | None:
    """A JPEG as uint8 BGR of the size `THUMBNAIL`; None when it cannot be read.

    One corrupted byte of a record may make its crop claim any size, which OpenCV would make room
    for.
    """
    try:
        pixels = decode_photo(jpeg, ("JPEG",), CROP_MEGAPIXELS, CROP_MEGAPIXELS)
    except BadInput:
        return None
    return cv2.resize(pixels[..., ::-1], THUMBNAIL, interpolation=cv2.INTER_AREA)
