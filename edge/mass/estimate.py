"""The mass of items with its interval, for given levels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.intervals import Z
from edge.mass.items import SizedItems, sized, summed
from edge.mass.levels import AS_ASSUMED, Levels, sums_of, terms_of


@dataclass(frozen=True)
class MassEstimate:
    """A mass, and its 95 % interval, kg."""

    kg: float
    low_kg: float
    high_kg: float


NO_MASS = MassEstimate(0.0, 0.0, 0.0)


def estimate(
    levels: Levels, items: Sequence[SizedItems], dispersions: Mapping[str, float] = AS_ASSUMED
) -> MassEstimate:
    """The mass of some items together, whose labels are among those of the levels.

    The errors of levels and slope are common to all items, and so enter as a whole; the spreads of
    the items are independent, and so lose weight with their number. The sum has a log-normal
    distribution with the mean and the variance that both come to (Fenton, IRE Transactions on
    Communications Systems 8 (1960), 57-67). The masses of parts add up to that of the whole.
    """
    if not items:
        return NO_MASS
    found = sums_of(levels.mean, terms_of(levels.names, [items], dispersions))
    half = Z * math.sqrt(float(found.explained(levels.covariance)[0] + found.spread[0]))
    logs = float(found.log_grams[0]), float(found.middle[0]) - half, float(found.middle[0]) + half
    kg, low, high = (math.exp(each) / 1000 for each in logs)
    return MassEstimate(kg, min(low, kg), max(high, kg))


def estimate_item(levels: Levels, label: str, *, area_mm2: float, longer_mm: float) -> MassEstimate:
    """The mass of one item whose label is among those of the levels.

    Args:
        levels: of its class.
        label: what it was recorded as.
        area_mm2: its area, mm²; NaN: not measured.
        longer_mm: its longer side, mm; NaN: not measured.
    """
    return estimate(levels, sized(summed(label, "", np.array([area_mm2]), np.array([longer_mm]))))
