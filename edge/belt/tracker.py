"""Which detections are the same item: each physical object is numbered exactly once.

There is no motion model to tune: the encoder measures how the belt moved, and in belt coordinates
an object stands still. A detection that overlaps a known item there is that item, be it a fragment,
a part cut off by the frame's border, or a view after the belt has jogged back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.belt.detector import Detection
from edge.belt.geometry import Box, Geometry

LEAST_OVERLAP = 0.3  # of the shorter of two extents, both widened by the slack
SMOOTHING = 0.3  # weight of the newest sighting of an edge
EDGE_TOLERANCE = 0.15  # of the length: more than this and one of two edges is not the object's
LEAST_TRAVEL_MM = 25.0  # that the belt must move to tell what lies on it from dust on the lens


@dataclass(frozen=True)
class Extent:
    """An object along one direction of the belt.

    Attributes:
        low, high: where it begins and ends, mm.
        low_seen, high_seen: that end has been seen, not cut off by the frame's border.
    """

    low: float
    high: float
    low_seen: bool
    high_seen: bool

    @property
    def length(self) -> float:
        """Millimeters from end to end."""
        return self.high - self.low

    @property
    def middle(self) -> float:
        """Halfway between the ends, mm."""
        return (self.low + self.high) / 2

    def overlap(self, other: "Extent", slack: float) -> float:
        """How much of the shorter of the two lies in the other, 0 to 1, with `slack` mm around."""
        shared = min(self.high, other.high) - max(self.low, other.low) + 2 * slack
        return max(0.0, shared / (min(self.length, other.length) + 2 * slack))


@dataclass(frozen=True)
class TrackedItem:
    """What is known of one physical object on the belt.

    Attributes:
        number: counts the items from 1; 0 while it is not confirmed.
        along: extent in belt coordinates; its low end leads.
        across: extent across the belt, from the middle of the view, downwards positive.
        first_seen_at, last_seen_at: seconds of the clock the line runs on.
        sightings: in how many frames it was seen.
        first_along: its extent when it was first seen.
        first_mm: the reading then.
    """

    number: int
    along: Extent
    across: Extent
    first_seen_at: float
    last_seen_at: float
    sightings: int
    first_along: Extent
    first_mm: float

    @property
    def position_mm(self) -> float:
        """The belt coordinate of its center."""
        return self.along.middle

    @property
    def length_mm(self) -> float:
        """How long it is along the belt."""
        return self.along.length

    @property
    def offset_mm(self) -> float:
        """Where its center is across the belt, from the middle of the view, downwards positive."""
        return self.across.middle


class Tracker:
    """Follows the items by the encoder."""

    def __init__(self, forget_mm: float = 2000.0, slack_mm: float = 10.0) -> None:
        """Start with an empty belt.

        Args:
            forget_mm: an item is remembered until it is this far out of view, on either side; the
                belt may jog back by as much without a duplicate record.
            slack_mm: what boxes and encoder may be wrong by.
        """
        self._forget_mm = forget_mm
        self._slack_mm = slack_mm
        self._items: list[TrackedItem] = []
        self._left: set[int] = set()
        self._numbered = 0
        self._geometry = Geometry()

    def update(
        self, detections: Sequence[Detection], geometry: Geometry, encoder_mm: float, now: float
    ) -> list[tuple[TrackedItem, Detection]]:
        """Take in one frame; returns the items seen in it, each with what was seen of it.

        Fragments of one item are united in the detection returned. Its `whole` is False where the
        item is known to be larger; its `touching` is True where it shows more than one item. An
        object is an item, with a number, once it was seen twice, both its ends were seen, and it
        has moved with the belt, as dust on the lens does not.
        """
        self._geometry = geometry
        self._forget(encoder_mm)
        seen: dict[int, Detection] = {}
        where: dict[int, tuple[Extent, Extent]] = {}
        shared: dict[int, Detection] = {}
        for detection in detections:
            along, across = extents(detection, geometry, encoder_mm)
            near = self._near(along)
            covered = self._covered(near, along, across)
            if len(covered) > 1:
                shared |= {index: replace(detection, touching=True) for index in covered}
                continue
            index = self._best_match(near, along, across)
            if index is None:
                index = len(self._items)
                self._items.append(TrackedItem(0, along, across, now, now, 0, along, encoder_mm))
            if index in seen:
                detection = united(seen[index], detection)
                along, across = extents(detection, geometry, encoder_mm)
            seen[index], where[index] = detection, (along, across)
        for index, (along, across) in where.items():
            item = self._items[index]
            self._items[index] = self._sighted(item, along, across, encoder_mm, now)
        for index in shared.keys() - seen.keys():
            item = self._items[index]
            self._items[index] = replace(item, last_seen_at=now, sightings=item.sightings + 1)
        sightings = [
            (self._items[index], self._judged(self._items[index], detection))
            for index, detection in sorted((shared | seen).items())
        ]
        self._absorb_fragments()
        return [(item, detection) for item, detection in sightings if item.number]

    def left(self, encoder_mm: float) -> list[TrackedItem]:
        """The items whose leading end has passed the view's downstream border, each once.

        No whole view of them can come any more, so their verdict is due.
        """
        border = self._geometry.belt_position(self._geometry.width_px, encoder_mm)
        gone = [
            item
            for item in self._items
            if item.number and item.number not in self._left and item.along.low < border
        ]
        self._left |= {item.number for item in gone}
        return gone

    def _forget(self, encoder_mm: float) -> None:
        reach = self._geometry.width_mm / 2 + self._forget_mm
        self._items = [
            item
            for item in self._items
            if item.along.low < encoder_mm + reach and item.along.high > encoder_mm - reach
        ]
        self._left &= {item.number for item in self._items}

    def _near(self, along: Extent) -> list[int]:
        """The items that may overlap an extent along the belt; few of those remembered do."""
        low, high = along.low - 2 * self._slack_mm, along.high + 2 * self._slack_mm
        return [
            index
            for index, item in enumerate(self._items)
            if item.along.low < high and item.along.high > low
        ]

    def _covered(self, near: Sequence[int], along: Extent, across: Extent) -> list[int]:
        """The numbered items of which most lies within these extents."""
        return [
            index
            for index in near
            if (item := self._items[index]).number
            and within(item.along, along) > 0.5
            and within(item.across, across) > 0.5
        ]

    def _best_match(self, near: Sequence[int], along: Extent, across: Extent) -> int | None:
        """The item that overlaps these extents most, numbered ones first; None: it is new."""
        best, best_rank = None, (False, 0.0)
        for index in near:
            item = self._items[index]
            overlap = min(
                item.along.overlap(along, self._slack_mm),
                item.across.overlap(across, self._slack_mm),
            )
            rank = (item.number > 0, overlap)
            if overlap >= LEAST_OVERLAP and rank > best_rank:
                best, best_rank = index, rank
        return best

    def _sighted(
        self, item: TrackedItem, along: Extent, across: Extent, encoder_mm: float, now: float
    ) -> TrackedItem:
        """The item after one more sighting; it gets its number when that confirms it."""
        if not item.number or (along.low_seen and along.high_seen):
            across = blended(item.across, across, self._slack_mm)
        else:  # what is cut off may be narrower than the rest
            across = item.across
        known = blended(item.along, along, self._slack_mm)
        number, sightings = item.number, item.sightings + 1
        if not number and sightings >= 2 and known.low_seen and known.high_seen:
            moved_mm = encoder_mm - item.first_mm
            if not stays_behind(item.first_along, along, moved_mm):
                self._numbered += 1
                number = self._numbered
        return replace(
            item, number=number, along=known, across=across, last_seen_at=now, sightings=sightings
        )

    def _judged(self, item: TrackedItem, detection: Detection) -> Detection:
        """The detection, not whole if it shows too little of the item."""
        shown = detection.box.width * self._geometry.mm_per_px
        if not detection.whole or shown >= (1 - EDGE_TOLERANCE) * item.length_mm:
            return detection
        return replace(detection, whole=False)

    def _absorb_fragments(self) -> None:
        """Drop what was taken for a new object and has turned out to lie within another item.

        The other one has a number, or is larger and was seen twice: a fragment seen again before
        its whole has a number would be numbered beside it.
        """
        self._items = [
            item
            for item in self._items
            if item.number
            or not any(
                (other.number or (other.sightings >= 2 and other.length_mm > item.length_mm))
                and within(item.along, other.along) > 0.5
                and within(item.across, other.across) > 0.5
                for other in self._items
            )
        ]


def extents(detection: Detection, geometry: Geometry, encoder_mm: float) -> tuple[Extent, Extent]:
    """Where a detection lies on the belt: along it, in belt coordinates, and across it."""
    box, border = detection.box, round(5.0 / geometry.mm_per_px)
    along = Extent(
        low=geometry.belt_position(box.right, encoder_mm),
        high=geometry.belt_position(box.left, encoder_mm),
        low_seen=box.right <= geometry.width_px - border,
        high_seen=box.left >= border,
    )
    across = Extent(
        low=geometry.belt_offset(box.top),
        high=geometry.belt_offset(box.bottom),
        low_seen=box.top >= border,
        high_seen=box.bottom <= geometry.height_px - border,
    )
    return along, across


def box_of(item: TrackedItem, geometry: Geometry, encoder_mm: float) -> Box:
    """Where an item is, or was, in the frame at a reading: the inverse of `extents`.

    Beyond the frame's borders where the item is.
    """
    return Box(
        round(geometry.column(item.along.high, encoder_mm)),
        round(geometry.row(item.across.low)),
        round(geometry.column(item.along.low, encoder_mm)),
        round(geometry.row(item.across.high)),
    )


def united(first: Detection, second: Detection) -> Detection:
    """Two fragments of one object as one detection."""
    return Detection(
        first.box.union(second.box),
        first.whole and second.whole,
        first.touching or second.touching,
    )


def within(part: Extent, of: Extent) -> float:
    """The share of `part` that lies in `of`, 0 to 1."""
    shared = min(part.high, of.high) - max(part.low, of.low)
    return max(0.0, shared) / max(part.length, 1e-6)


def stays_behind(first: Extent, now: Extent, moved_mm: float) -> bool:
    """Whether what was seen first in one place of the belt may have let it move on by `moved_mm`.

    What hangs before the lens stays in the picture: in belt coordinates it goes as far as the belt.
    """
    if first.low_seen and now.low_seen:
        went_mm = now.low - first.low
    elif first.high_seen and now.high_seen:
        went_mm = now.high - first.high
    else:
        went_mm = 0.0
    return abs(moved_mm) < LEAST_TRAVEL_MM or abs(moved_mm - went_mm) < abs(moved_mm) / 2


def blended(known: Extent, seen: Extent, slack: float) -> Extent:
    """A known extent after one more sighting of it.

    Both ends of a sighting of about the known length are trusted: they follow an encoder that
    slips. Otherwise an end that lies further out shows more of the object, and one that lies
    further in belongs to a fragment.
    """
    tolerance = max(slack, EDGE_TOLERANCE * known.length)
    complete = seen.low_seen and seen.high_seen and known.low_seen and known.high_seen
    alike = complete and abs(seen.length - known.length) <= tolerance

    def end(before: float, after: float, outwards: float, was_seen: bool, is_seen: bool) -> float:
        further = outwards * (after - before)
        if was_seen and (alike or abs(further) <= tolerance):
            return before + SMOOTHING * (after - before) if is_seen else before
        return (
            after if further > 0 or (is_seen and not was_seen and further > -tolerance) else before
        )

    return Extent(
        end(known.low, seen.low, -1.0, known.low_seen, seen.low_seen),
        end(known.high, seen.high, 1.0, known.high_seen, seen.high_seen),
        known.low_seen or seen.low_seen,
        known.high_seen or seen.high_seen,
    )
