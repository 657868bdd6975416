"""Recall of the items that the previous run recorded and that may still lie in view.

They must not be counted again. A killed line starts again within seconds, with another zero of its
encoder. The belt coordinates of two runs differ by one unknown shift, the same for all items. An
item's position across the belt, its length, and its appearance do not change.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import cv2
import numpy as np

from edge.belt.geometry import Geometry
from edge.belt.tracker import TrackedItem
from edge.errors import BadInput
from edge.photos.reading import decode_photo
from edge.records.record import ItemRecord

RECORDS_COMPARED = 40
"""Number of records that are compared: more than fit into a view."""
OLDEST_S = 600.0
"""After this time, s, nothing that lay in view is still there: the belt was cleared or moved."""
FOUND_S = 1.0
"""An item first seen within this time from the start, s, may have lain there before: the detector
needs some frames to learn the background."""
ACROSS_MM, LENGTH_MM, LENGTH_SHARE, SHIFT_MM = 10.0, 15.0, 0.15, 40.0
SPREAD_MM = 5.0
"""Usual largest distance between two measured positions of an item at rest, mm."""
OUT_OF_ORDER = 2
"""Number of items that may have been recorded before an item ahead of them."""
THUMBNAIL = (16, 16)
CROP_MEGAPIXELS = 4.0
ALIKE = 24.0
"""Largest mean difference of two thumbnails of the same item, 0 to 255; noise and a slightly
different crop cause 5 to 15."""


Lying = tuple[TrackedItem, bytes]
"""An item and its view as JPEG; the view is empty when there is none."""


class Recall:
    """The items that were recorded last; each is recognized at most once."""

    def __init__(self, records: Iterable[ItemRecord], now: float) -> None:
        """Prepare to recognize items.

        Args:
            records: the last records, the newest first. Those from the future are left out: the
                wall clock was set back, and their age is not known.
            now: unix seconds.
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
        """Return whether an item has been recorded before.

        Once the shift of a run is known, its records are compared at any time: the belt may jog
        back and show an item again. Before that, only items in `lying` are recognized.

        Args:
            item: the tracked item.
            crop: its best view as JPEG; empty when there is none.
            lying: all items that were in view at the start, with their views.
            view_mm: start and end of the view at that time, in belt coordinates, mm.
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
        """Return whether a record of a run with a known shift is of this item, and use it up."""
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
        """Return the most probable shift of a run, mm; None: under it no record is of this item.

        All items in view are compared together: one item alone is easily confused with its
        neighbor.
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
                score = score_of(records, lying, shift_mm, view_mm)
                if score > most:
                    best, most = shift_mm, score
                if other.number == item.number:
                    its_own.append(shift_mm)
        found = best is not None and any(abs(shift_mm - best) <= SHIFT_MM for shift_mm in its_own)
        return best if found else None


class ViewAtStart:
    """The items that lay in view when the line started, which may have been recorded before."""

    def __init__(self, recall: Recall | None, geometry: Geometry) -> None:
        """Prepare for the first frame.

        Args:
            recall: what the previous run recorded; None: nothing is recognized.
            geometry: what the camera shows of the belt.
        """
        self._recall, self._geometry = recall, geometry
        self._started_at: float | None = None
        self._view_mm = (0.0, 0.0)

    def begin(self, encoder_mm: float, captured_at: float) -> None:
        """Note where the belt is at the first frame; later calls change nothing.

        Args:
            encoder_mm: reading of the encoder.
            captured_at: when the frame was captured, seconds of the line's clock.
        """
        if self._started_at is not None:
            return
        self._started_at = captured_at
        # The belt coordinate grows upstream.
        self._view_mm = (
            self._geometry.belt_position(self._geometry.width_px, encoder_mm),
            self._geometry.belt_position(0, encoder_mm),
        )

    def recognize(
        self,
        item: TrackedItem,
        crop: bytes,
        items: Iterable[TrackedItem],
        crop_of: Callable[[int], bytes],
    ) -> bool:
        """Return whether the previous run recorded an item.

        Args:
            item: the tracked item.
            crop: its best view as JPEG; empty when there is none.
            items: all items on the belt.
            crop_of: number of an item -> its best view as JPEG.
        """
        if self._recall is None:
            return False
        until = (self._started_at or 0.0) + FOUND_S
        lying = []
        if item.first_seen_at <= until:
            lying = [
                (other, crop_of(other.number)) for other in items if other.first_seen_at <= until
            ]
        return self._recall.recognize(item, crop, lying, self._view_mm)


def score_of(
    records: Sequence[ItemRecord],
    lying: Sequence[Lying],
    shift_mm: float,
    view_mm: tuple[float, float],
) -> float:
    """Return the score of a shift: each record adds up to 1, the more the better an item fits it.

    A record that falls into the view without an item there subtracts 1. On a belt with similar
    items at even distances only the exact positions distinguish one shift from the next.

    Args:
        records: records of one run.
        lying: the items that were in view at the start, with their views.
        shift_mm: what to add to a record's position.
        view_mm: start and end of the view at that time, in belt coordinates, mm.
    """
    score = 0.0
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
            score += math.exp(-((min(off_mm) / SPREAD_MM) ** 2))
        elif view_mm[0] + reach < at_mm < view_mm[1] - reach:
            score -= 1
    return score


def run_of(record: ItemRecord) -> str:
    """Return the run in which an item was recorded; each run has its own belt coordinates."""
    return record.item_id.rpartition("-")[0]


def fits(record: ItemRecord, item: TrackedItem, shift_mm: float | None) -> bool:
    """Return whether a record may be of an item, by length and position.

    Args:
        record: the record.
        item: the tracked item.
        shift_mm: what to add to the record's position; None: not known, any position fits.
    """
    longer = abs(record.length_mm - item.length_mm)
    return (
        abs(record.offset_mm - item.offset_mm) <= ACROSS_MM
        and longer <= max(LENGTH_MM, LENGTH_SHARE * item.length_mm)
        and (shift_mm is None or abs(item.position_mm - record.position_mm - shift_mm) <= SHIFT_MM)
    )


def alike(record: ItemRecord, crop: bytes) -> bool:
    """Return whether a record looks like an item's crop; without a crop, any record does."""
    return not crop or difference(record.crop, crop) <= ALIKE


def difference(first: bytes, second: bytes) -> float:
    """Return the mean difference of two JPEGs as thumbnails, 0 to 255; infinite if unreadable."""
    small, other = thumbnail(first), thumbnail(second)
    if small is None or other is None:
        return math.inf
    return float(np.mean(cv2.absdiff(small, other)))


@lru_cache(maxsize=256)
def thumbnail(jpeg: bytes) -> np.ndarray | None:
    """Return a JPEG as uint8 BGR of the size `THUMBNAIL`; None when it cannot be read.

    A corrupted byte of a crop may claim any size, for which OpenCV would allocate memory; the size
    is therefore bounded.
    """
    try:
        pixels = decode_photo(jpeg, ("JPEG",), CROP_MEGAPIXELS, CROP_MEGAPIXELS)
    except BadInput:
        return None
    return cv2.resize(pixels[..., ::-1], THUMBNAIL, interpolation=cv2.INTER_AREA)
