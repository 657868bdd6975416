"""Levels from all weighings that fit: those that cannot be true are named and left out."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from edge.mass.items import SizedItems
from edge.mass.levels import Levels, Terms, first_levels, fitted, sums_of, terms_of

MOST_DEVIATION = 3.5
"""A weighing that is further from what all others say, in standard deviations, is left out."""
IMPOSSIBLE_DEVIATION = 6.0
"""The same where nothing but the typical masses speaks against it."""
LEAST_FREE = 1e-6
ASSUMED_WEIGHINGS = 8.0
"""The dispersion of a bin is taken to be as assumed with the weight of so many weighings."""
MOST_COUNTED = 3.0
"""A deviation counts for so many standard deviations at most when the dispersion is measured."""
SETTLED, MOST_ROUNDS = 0.02, 6


class WeighingFault(str, Enum):
    """Why a weighing is left out. The value is what the report holds."""

    FIRST = "first_of_its_bin"
    NO_ITEMS = "no_items_recorded"
    NO_RECORDS = "records_are_gone"
    IMPOSSIBLE = "impossible"
    UNLIKE_OTHERS = "unlike_the_others"


@dataclass(frozen=True)
class Weighing:
    """What was weighed at once.

    Attributes:
        number: of its entry, or of the last of its entries.
        of: the bin, or the class, that was weighed; empty: all of the line.
        kg: its weight, kg, above 0.
        items: those that were recorded for it.
    """

    number: int
    of: str
    kg: float
    items: tuple[SizedItems, ...]


@dataclass(frozen=True)
class UnusedWeighing:
    """A weighing that is left out.

    Attributes:
        number: of its entry.
        fault: why.
        expected_kg: what it was expected to weigh, kg; NaN: nothing was expected.
    """

    number: int
    fault: WeighingFault
    expected_kg: float = math.nan


@dataclass(frozen=True, eq=False)
class MassCalibration:
    """The levels by all weighings that fit.

    Attributes:
        levels: what they say.
        dispersions: bin -> by how much its weighings scatter more than assumed, as a variance.
        used: numbers of the weighings that were used.
        left_out: the others, in the order of their numbers.
        weighed: label -> number of used weighings that held items of it.
    """

    levels: Levels
    dispersions: dict[str, float]
    used: tuple[int, ...]
    left_out: tuple[UnusedWeighing, ...]
    weighed: dict[str, int]


def calibrated(weighings: Sequence[Weighing], labels: Iterable[str]) -> MassCalibration:
    """Learn the levels from weighings.

    Args:
        weighings: the oldest first.
        labels: whose levels are asked for, beside those that were weighed.
    """
    all_labels = {*labels, *(each.label for w in weighings for each in w.items)}
    prior = first_levels(all_labels)
    left_out = [
        UnusedWeighing(each.number, WeighingFault.NO_ITEMS) for each in weighings if not each.items
    ]
    kept = [each for each in weighings if each.items]
    if kept:
        seen = _Seen(prior, kept, {})
        far = np.flatnonzero(seen.deviations_from(prior) > IMPOSSIBLE_DEVIATION).tolist()
        left_out += [seen.left_out(prior, place, WeighingFault.IMPOSSIBLE) for place in far]
        kept = [each for place, each in enumerate(kept) if place not in far]
    levels, dispersions, unlike = _agreeing(prior, kept)
    return MassCalibration(
        levels=levels,
        dispersions=dispersions,
        used=tuple(each.number for each in kept),
        left_out=tuple(sorted([*left_out, *unlike], key=lambda each: each.number)),
        weighed={
            label: sum(any(group.label == label for group in each.items) for each in kept)
            for label in sorted(all_labels)
        },
    )


def _agreeing(
    prior: Levels, kept: list[Weighing]
) -> tuple[Levels, dict[str, float], list[UnusedWeighing]]:
    """Fit the weighings that agree; those that do not are taken from `kept`, the worst first."""
    left_out: list[UnusedWeighing] = []
    dispersions: dict[str, float] = {}
    levels, rounds = prior, 0
    while kept:
        seen = _Seen(prior, kept, dispersions)
        levels = fitted(prior, seen.terms, seen.log_grams)
        deviations = seen.deviations(levels)
        before, dispersions = dispersions, _dispersions(kept, deviations, dispersions)
        scale = np.sqrt([before.get(w.of, 1.0) / dispersions[w.of] for w in kept])
        worst = int(np.argmax(deviations * scale))
        changes = [abs(each / before.get(of, 1.0) - 1) for of, each in dispersions.items()]
        rounds += 1
        if len(kept) > 1 and deviations[worst] * scale[worst] > MOST_DEVIATION:
            left_out.append(seen.left_out(levels, worst, WeighingFault.UNLIKE_OTHERS))
            del kept[worst]
            rounds = 0
        elif max(changes) < SETTLED or rounds >= MOST_ROUNDS:
            break
    return levels, dispersions, left_out


def _dispersions(
    weighings: Sequence[Weighing], deviations: np.ndarray, before: dict[str, float]
) -> dict[str, float]:
    """By how much the weighings of each bin scatter more than assumed, as a variance.

    The mean square of their deviations (Birge, Physical Review 40 (1932), 207-227), in which the
    assumption counts like some weighings and no single one much.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for each, deviation in zip(weighings, np.minimum(deviations, MOST_COUNTED), strict=True):
        found[each.of].append(float(deviation) ** 2 * before.get(each.of, 1.0))
    return {
        of: (ASSUMED_WEIGHINGS + sum(squares)) / (ASSUMED_WEIGHINGS + len(squares))
        for of, squares in found.items()
    }


class _Seen:
    """Weighings, and the terms of their sums."""

    def __init__(
        self, prior: Levels, weighings: Sequence[Weighing], dispersions: dict[str, float]
    ) -> None:
        self._weighings = weighings
        sums = [each.items for each in weighings]
        self.terms: Terms = terms_of(prior.names, sums, dispersions)
        self.log_grams = np.log([each.kg * 1000 for each in weighings])

    def deviations_from(self, levels: Levels) -> np.ndarray:
        """How far each is from what levels say that do not know it, in standard deviations."""
        found = sums_of(levels.mean, self.terms)
        variance = found.explained(levels.covariance) + found.weighed
        return np.abs(self.log_grams - found.middle) / np.sqrt(variance)

    def deviations(self, levels: Levels) -> np.ndarray:
        """How far each is from what all others say, given the levels by it and the others.

        The residual over its standard deviation, of which the part of the weighing itself is taken
        away (a studentized residual; Cook, Weisberg, "Residuals and influence in regression", 1982,
        chapter 2).
        """
        found = sums_of(levels.mean, self.terms)
        free = found.weighed - found.explained(levels.covariance)
        free = np.maximum(LEAST_FREE * found.weighed, free)
        return np.abs(self.log_grams - found.middle) / np.sqrt(free)

    def left_out(self, levels: Levels, place: int, fault: WeighingFault) -> UnusedWeighing:
        """Name one of them, and what these levels expect of it."""
        log_grams = float(sums_of(levels.mean, self.terms).log_grams[place])
        return UnusedWeighing(self._weighings[place].number, fault, math.exp(log_grams) / 1000)
