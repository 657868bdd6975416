"""How well the line did, against what really lay on the simulated belt."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.decision import MANUAL, UNKNOWN
from edge.simulator.scene import PlacedItem


class Record(Protocol):
    """What the line wrote down about one item."""

    @property
    def label(self) -> str:
        """The verdict's label, or `unknown`."""

    @property
    def position_mm(self) -> float:
        """The belt coordinate of its centre."""


@dataclass(frozen=True)
class Score:
    """Counts; `items` = `counted` + `missed`, and `counted` = `right` + `wrong` + `unknown`.

    Attributes:
        items: what lay on the belt.
        counted: items with a record.
        right, wrong, unknown: counted items by their record's label.
        missed: items without a record.
        doubled: records beyond the first of an item.
        ghosts: records where no item was.
        touching: items that lay against another one.
        routed_right: items that ended in the bin of their true label.
        hazard_leaks: items of a hazardous label that ended in another label's bin.
        deadlines_missed: items whose verdict came too late for their gate.
    """

    items: int
    counted: int
    right: int
    wrong: int
    unknown: int
    missed: int
    doubled: int
    ghosts: int
    touching: int
    routed_right: int
    hazard_leaks: int
    deadlines_missed: int


def score(
    placed: Sequence[PlacedItem],
    records: Sequence[Record],
    routed: Sequence[str | None],
    bins: Mapping[str, str],
    hazards: Collection[str],
    deadlines_missed: int = 0,
) -> Score:
    """Score a run.

    Args:
        placed: what lay on the belt.
        records: what the line wrote down, in the order of writing. A record belongs to the item
            whose centre is nearest, if that is within half of the item's length; a record that
            also has an `offset_mm` must be within half of its width too.
        routed: the bin each placed item ended in (`SimulatedPlant.routed`).
        bins: the bin of each label; a label without one belongs in `manual`.
        hazards: labels that must never reach another label's bin.
        deadlines_missed: how many verdicts came too late, as counted by the line.
    """
    labels: dict[int, str] = {}
    doubled = ghosts = 0
    for record in records:
        index = item_of(record, placed)
        if index is None:
            ghosts += 1
        elif index in labels:
            doubled += 1
        else:
            labels[index] = record.label
    right = sum(placed[index].label == label for index, label in labels.items())
    unknown = sum(label == UNKNOWN for label in labels.values())
    targets = [bins.get(item.label, MANUAL) for item in placed]
    return Score(
        items=len(placed),
        counted=len(labels),
        right=right,
        wrong=len(labels) - right - unknown,
        unknown=unknown,
        missed=len(placed) - len(labels),
        doubled=doubled,
        ghosts=ghosts,
        touching=sum(
            any(touch(item, other) for other in placed if other is not item) for item in placed
        ),
        routed_right=sum(bin == target for bin, target in zip(routed, targets, strict=True)),
        hazard_leaks=sum(
            item.label in hazards and bin not in (None, MANUAL, target)
            for item, bin, target in zip(placed, routed, targets, strict=True)
        ),
        deadlines_missed=deadlines_missed,
    )


def item_of(record: Record, placed: Sequence[PlacedItem]) -> int | None:
    """The index of the item a record is about; None: no item was there."""

    def within(item: PlacedItem) -> bool:
        offset_mm = getattr(record, "offset_mm", None)
        beside = offset_mm is not None and abs(item.offset_mm - offset_mm) > item.width_mm / 2
        return abs(item.position_mm - record.position_mm) <= item.length_mm / 2 and not beside

    among = [index for index, item in enumerate(placed) if within(item)]
    return min(
        among, key=lambda index: abs(placed[index].position_mm - record.position_mm), default=None
    )


def touch(first: PlacedItem, second: PlacedItem) -> bool:
    """Whether two items' extents meet."""
    along = abs(first.position_mm - second.position_mm) - (first.length_mm + second.length_mm) / 2
    across = abs(first.offset_mm - second.offset_mm) - (first.width_mm + second.width_mm) / 2
    return max(along, across) <= 0
