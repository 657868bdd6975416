"""What the items of a period weigh: by class, by bin, and together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.mass.calibration import MassCalibration, UnusedWeighing, Weighing, calibrated
from edge.mass.estimate import NO_MASS, MassEstimate, estimate
from edge.mass.items import ItemSums, SizedItems, of_bin, of_label, sized


@dataclass(frozen=True)
class Masses:
    """What the items of a period weigh.

    Attributes:
        per_label: by what they were recorded as.
        per_bin: by where they went.
        total: all together.
        weighed: label -> number of weighings that held items of it and were used.
        used: number of weighings that were used; 0: nothing is calibrated.
        left_out: weighings that were not used, and why.
    """

    per_label: dict[str, MassEstimate]
    per_bin: dict[str, MassEstimate]
    total: MassEstimate
    weighed: dict[str, int]
    used: int
    left_out: tuple[UnusedWeighing, ...]


NO_MASSES = Masses({}, {}, NO_MASS, {}, 0, ())


def masses_of(
    sums: Iterable[ItemSums], weighings: Sequence[Weighing], left_out: Iterable[UnusedWeighing] = ()
) -> Masses:
    """Estimate the masses of the items of a period.

    Args:
        sums: of its items.
        weighings: what the levels are learned from, the oldest first.
        left_out: weighings that were left out before.
    """
    items = sized(sums)
    labels = sorted({each.label for each in items})
    found = calibrated(weighings, labels)

    def mass_of(some: Sequence[SizedItems]) -> MassEstimate:
        return estimate(found.levels, some, found.dispersions)

    return Masses(
        per_label={label: mass_of(of_label(items, label)) for label in labels},
        per_bin={name: mass_of(of_bin(items, name)) for name in sorted({i.bin for i in items})},
        total=mass_of(items),
        weighed={label: found.weighed[label] for label in labels},
        used=len(found.used),
        left_out=_together(found, left_out),
    )


def _together(
    found: MassCalibration, others: Iterable[UnusedWeighing]
) -> tuple[UnusedWeighing, ...]:
    return tuple(sorted([*found.left_out, *others], key=lambda each: each.number))
