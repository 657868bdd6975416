"""Score a line's records and gates against the true items on the simulated belt."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.labels import MANUAL, UNKNOWN
from edge.simulator.layout import PlacedItem
from edge.simulator.pieces import DEBRIS
from edge.verdict import Reason


class Record(Protocol):
    """The line's record of one item."""

    @property
    def label(self) -> str:
        """The verdict's label, or `unknown`."""

    @property
    def bin(self) -> str:
        """The bin of the record."""

    @property
    def position_mm(self) -> float:
        """The belt coordinate of its center."""

    @property
    def reason(self) -> str:
        """The reason, a value of `edge.verdict.Reason`."""

    @property
    def late(self) -> bool:
        """Whether the verdict came too late for the gate."""


@dataclass(frozen=True)
class BinScore:
    """The score of a bin.

    Attributes:
        fed: items that belong in the bin.
        got: items that ended in the bin.
        right: items that belong in the bin and ended in it.
    """

    fed: int
    got: int
    right: int

    @property
    def purity(self) -> float:
        """The share of the bin's items that belong in it, 0 to 1; NaN if it is empty."""
        return self.right / self.got if self.got else float("nan")

    @property
    def recovery(self) -> float:
        """The share of the items that belong in the bin that ended in it; NaN if there are none."""
        return self.right / self.fed if self.fed else float("nan")


@dataclass(frozen=True)
class Score:
    """Counts; `items` = `counted` + `missed`, and `counted` = `right` + `wrong` + `unknown`.

    Attributes:
        items: items on the belt.
        counted: items with a record.
        right: counted items whose record has the right label; for debris, `unknown` is right.
        wrong: counted items whose record has another label.
        unknown: counted items whose record is `unknown`, without debris.
        missed: items without a record.
        duplicates: records beyond the first of an item.
        false_positives: records at positions without an item.
        miscounted: `missed`, `duplicates`, and `false_positives`, without items that were
            recognized as touching: those are counted by hand.
        touching: items that touch another one.
        touching_recognized: touching items that were recorded as touching, or whose neighbor was.
        touching_false: items that touch no other but were recorded as touching.
        misrecorded: items that ended in another bin than their record says.
        routed_right: items that ended in the bin of their true label.
        hazards: items of a hazardous label.
        hazard_leaks: hazards that ended in another label's bin.
        hidden: items that hold a hazard which no picture shows.
        hidden_leaks: those of them that did not end in `manual`.
        deadlines_missed: items whose verdict came too late for their gate.
        late_misrouted: late items that ended in another bin than `manual`.
        bins: the score of each bin.
    """

    items: int
    counted: int
    right: int
    wrong: int
    unknown: int
    missed: int
    duplicates: int
    false_positives: int
    miscounted: int
    touching: int
    touching_recognized: int
    touching_false: int
    misrecorded: int
    routed_right: int
    hazards: int
    hazard_leaks: int
    hidden: int
    hidden_leaks: int
    deadlines_missed: int
    late_misrouted: int
    bins: Mapping[str, BinScore]


def score(
    placed: Sequence[PlacedItem],
    records: Sequence[Record],
    routed: Sequence[str | None],
    bins: Mapping[str, str],
    hazards: Collection[str],
) -> Score:
    """Score a run.

    Args:
        placed: the items on the belt.
        records: the line's records, oldest first. A record belongs to the item whose center is
            nearest, if that is within half of the item's length; a record with an `offset_mm`
            must also be within half of its width.
        routed: the bin that each placed item ended in (`SimulatedPlant.routed`).
        bins: the bin of each label; a label without one belongs in `manual`.
        hazards: labels that must never reach another label's bin.
    """
    written: dict[int, list[Record]] = defaultdict(list)
    strays = []
    find = ItemFinder(placed)
    for record in records:
        index = find.item_of(record)
        if index is None:
            strays.append(record)
        else:
            written[index].append(record)
    groups = touching_groups(placed)
    recognized = {
        index
        for group in groups
        if any(says_touching(record) for each in group for record in written.get(each, ()))
        for index in group
    }
    together = {index for group in groups for index in group}
    alone = [index for index in range(len(placed)) if index not in recognized]
    labels = {
        index: UNKNOWN if any(map(says_touching, found)) and index in together else found[0].label
        for index, found in written.items()
    }
    right = sum(is_right(placed[index].label, label) for index, label in labels.items())
    unknown = sum(
        label == UNKNOWN and not is_right(placed[index].label, label)
        for index, label in labels.items()
    )
    late = [index for index, found in written.items() if any(each.late for each in found)]
    targets = [MANUAL if item.holds_hazard else bins.get(item.label, MANUAL) for item in placed]
    hidden = [index for index, item in enumerate(placed) if item.holds_hazard]
    in_danger = [index for index, item in enumerate(placed) if item.label in hazards]
    return Score(
        items=len(placed),
        counted=len(written),
        right=right,
        wrong=len(labels) - right - unknown,
        unknown=unknown,
        missed=len(placed) - len(written),
        duplicates=sum(len(found) - 1 for found in written.values()),
        false_positives=len(strays),
        miscounted=sum(abs(len(written.get(index, ())) - 1) for index in alone) + len(strays),
        touching=len(together),
        touching_recognized=len(recognized),
        touching_false=sum(
            any(map(says_touching, found)) and index not in together
            for index, found in written.items()
        ),
        misrecorded=sum(
            routed[index] not in (None, found[0].bin) for index, found in written.items()
        ),
        routed_right=sum(
            bin_name == target for bin_name, target in zip(routed, targets, strict=True)
        ),
        hazards=len(in_danger),
        hazard_leaks=sum(
            routed[index] not in (None, MANUAL, targets[index]) for index in in_danger
        ),
        hidden=len(hidden),
        hidden_leaks=sum(routed[index] not in (None, MANUAL) for index in hidden),
        deadlines_missed=sum(record.late for record in records),
        late_misrouted=sum(routed[index] not in (None, MANUAL) for index in late),
        bins=bin_scores(routed, targets, {*bins.values(), MANUAL}),
    )


def bin_scores(
    routed: Sequence[str | None], targets: Sequence[str], bins: Collection[str]
) -> dict[str, BinScore]:
    """Score each bin, from where each item ended and where it belongs."""
    ended = list(zip(routed, targets, strict=True))
    return {
        bin_name: BinScore(
            fed=sum(target == bin_name for _, target in ended),
            got=sum(end == bin_name for end, _ in ended),
            right=sum(end == target == bin_name for end, target in ended),
        )
        for bin_name in sorted(bins)
    }


def is_right(truth: str, label: str) -> bool:
    """Whether a verdict's label is right; debris is of no known class."""
    return label == (UNKNOWN if truth == DEBRIS else truth)


def says_touching(record: Record) -> bool:
    """Return whether a record says that its item touches another one."""
    return record.reason == Reason.TOUCHING


class ItemFinder:
    """Finds the item of a record, or of whatever else has a `position_mm`."""

    def __init__(self, placed: Sequence[PlacedItem]) -> None:
        """Take the items on the belt."""
        self._placed = placed
        self._order = sorted(range(len(placed)), key=lambda index: placed[index].position_mm)
        self._positions = [placed[index].position_mm for index in self._order]
        self._reach_mm = max((item.length_mm for item in placed), default=0.0) / 2

    def item_of(self, record: Record) -> int | None:
        """Return the index of the item; None: there is none."""
        offset_mm = getattr(record, "offset_mm", None)

        def within(item: PlacedItem) -> bool:
            beside = offset_mm is not None and abs(item.offset_mm - offset_mm) > item.width_mm / 2
            return abs(item.position_mm - record.position_mm) <= item.length_mm / 2 and not beside

        first = bisect_left(self._positions, record.position_mm - self._reach_mm - 1.0)
        end = bisect_left(self._positions, record.position_mm + self._reach_mm + 1.0)
        among = [index for index in self._order[first:end] if within(self._placed[index])]
        return min(
            among,
            key=lambda index: abs(self._placed[index].position_mm - record.position_mm),
            default=None,
        )


def touching_groups(placed: Sequence[PlacedItem]) -> list[set[int]]:
    """Group the items that touch each other, by index; other items are in no group."""
    order = sorted(range(len(placed)), key=lambda index: placed[index].position_mm)
    longest_mm = max((item.length_mm for item in placed), default=0.0)
    groups: list[set[int]] = []
    for place, index in enumerate(order):
        met = {index}
        for other in order[place + 1 :]:
            if placed[other].position_mm - placed[index].position_mm > longest_mm:
                break
            if touch(placed[index], placed[other]):
                met.add(other)
        if len(met) > 1:
            apart = [group for group in groups if not group & met]
            groups = [*apart, met.union(*(group for group in groups if group & met))]
    return groups


def touch(first: PlacedItem, second: PlacedItem) -> bool:
    """Return whether the extents of two items meet."""
    along = abs(first.position_mm - second.position_mm) - (first.length_mm + second.length_mm) / 2
    across = abs(first.offset_mm - second.offset_mm) - (first.width_mm + second.width_mm) / 2
    return max(along, across) <= 0
