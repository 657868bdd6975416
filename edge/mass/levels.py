"""The levels of the classes: a linear model of the logarithm of mass, learned from sums.

An item of class c and area A weighs `exp(level_c) * (A / typical area of c) ** slope` on average.
Levels and slope have a joint normal distribution. What the classes have in common at a site is a
part of its covariance, so classes that are rarely weighed borrow from the others (partial pooling;
Gelman, Hill, "Data analysis using regression and multilevel/hierarchical models", 2007). A weighing
is one observation of the sum over its items. The distribution after all weighings is that of
Laplace: the most probable levels by Gauss and Newton's steps, and the curvature there (MacKay,
"Information theory, inference, and learning algorithms", 2003, chapter 27).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from edge.mass.items import HIGH, LOW, LevelName, SizedItems
from edge.mass.typical import COMMON_ERROR, SLOPE, SLOPE_ERROR, typical

SCALE_ERROR = 0.01
"""Standard deviation of the logarithm of what a scale shows: of its error, and of what sticks to a
bin or is left in it."""
WRONG_SPREAD = 1.1
"""Standard deviation of the logarithm of how much denser an item of another class is, from the
typical masses, their errors, and the slope."""
MOST_STEPS, LONGEST_STEP, SMALLEST_STEP = 50, 1.0, 1e-6
MOST_LOG = 50.0
GUESSED = (False, True)
AS_ASSUMED: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Levels:
    """What is known of some levels.

    Attributes:
        names: which.
        mean: float64 [levels + 1]: logarithm of the mean mass of items of the typical area, g, by
            level; then the slope.
        covariance: float64 [levels + 1, levels + 1], of the same.
    """

    names: tuple[LevelName, ...]
    mean: np.ndarray
    covariance: np.ndarray

    def error(self, label: str) -> float:
        """The standard deviation of the logarithm of the level of a class."""
        place = self.names.index(LevelName(label))
        return math.sqrt(max(0.0, float(self.covariance[place, place])))


@dataclass(frozen=True, eq=False)
class Terms:
    """Groups of items, and the sums that they belong to.

    Attributes:
        sums: int [groups], the sum that each belongs to, from 0 on without a gap.
        levels: int [groups], the place of its level.
        groups: float64 [6, groups]: logarithm of the number of items; the variances of their
            spread and of the error of each area; the share of another class; 1 where each area is
            known; the dispersion.
        sizes: float64 [3, groups], the parabola of `Sizes.powers` around the slope.
        squares: the same around its double.
    """

    sums: np.ndarray
    levels: np.ndarray
    groups: np.ndarray
    sizes: np.ndarray
    squares: np.ndarray


@dataclass(frozen=True, eq=False)
class Sums:
    """The masses of some sums of items.

    Attributes:
        log_grams: float64 [sums], logarithm of the expected sum, g, for given levels.
        gradient: float64 [sums, levels + 1], its derivative by levels and slope.
        spread: float64 [sums], variance of its logarithm that levels and slope do not explain.
    """

    log_grams: np.ndarray
    gradient: np.ndarray
    spread: np.ndarray

    @property
    def weighed(self) -> np.ndarray:
        """Variance of the logarithm of what a scale shows, for given levels."""
        return self.spread + SCALE_ERROR**2

    @property
    def middle(self) -> np.ndarray:
        """Mean of the logarithm of the sum: below that of its mean."""
        return self.log_grams - self.spread / 2

    def explained(self, covariance: np.ndarray) -> np.ndarray:
        """The variance of the logarithm that comes from levels and slope."""
        found = np.einsum("ij,jk,ik->i", self.gradient, covariance, self.gradient)
        return np.maximum(0.0, found)


def first_levels(labels: Iterable[str]) -> Levels:
    """What is known of the levels of some labels before any weighing."""
    names = tuple(LevelName(label, guessed) for label in sorted(set(labels)) for guessed in GUESSED)
    known = [typical(name.label) for name in names]
    variances = [
        each.error**2 + (SLOPE * each.area_spread * name.guessed) ** 2
        for each, name in zip(known, names, strict=True)
    ]
    covariance = np.diag([*variances, SLOPE_ERROR**2])
    covariance[:-1, :-1] += COMMON_ERROR**2
    mean = np.array([*(math.log(each.grams) for each in known), SLOPE])
    return Levels(names, mean, covariance)


def terms_of(
    names: Sequence[LevelName],
    sums: Sequence[Sequence[SizedItems]],
    dispersions: Mapping[str, float] = AS_ASSUMED,
) -> Terms:
    """Make the terms of sums of at least one item each.

    Args:
        names: of the levels; those of the items are among them.
        sums: the items of each.
        dispersions: bin -> by how much the variance of its items is larger than assumed.
    """
    owners = [number for number, items in enumerate(sums) for _ in items]
    flat = [each for items in sums for each in items]
    places = {name: place for place, name in enumerate(names)}
    groups = [
        [
            math.log(each.items),
            typical(each.label).spread ** 2,
            each.error**2,
            each.wrong,
            each.measured,
            dispersions.get(each.bin, 1.0),
        ]
        for each in flat
    ]
    powers = np.array([each.sizes.powers for each in flat])
    return Terms(
        sums=np.array(owners),
        levels=np.array([places[each.level] for each in flat]),
        groups=np.array(groups, np.float64).T,
        sizes=_parabolas(LOW, powers[:, : len(LOW)]),
        squares=_parabolas(HIGH, powers[:, len(LOW) :]),
    )


def _parabolas(exponents: Sequence[float], logs: np.ndarray) -> np.ndarray:
    """The parabolas through three values each, float64 [3, groups], the highest power first."""
    return np.linalg.solve(np.vander(exponents, 3), logs.T)


def sums_of(mean: np.ndarray, terms: Terms) -> Sums:
    """The masses of sums of items, for levels and a slope as `Levels.mean` has them."""
    slope, number = float(mean[-1]), int(terms.sums[-1]) + 1
    count, spread, error, wrong, measured, dispersion = terms.groups
    power = np.array([slope**2, slope, 1.0]) @ terms.sizes
    logs = count + mean[terms.levels] + power
    highest = np.full(number, -np.inf)
    np.maximum.at(highest, terms.sums, logs)
    total = highest + np.log(np.bincount(terms.sums, np.exp(logs - highest[terms.sums])))
    shares = np.exp(logs - total[terms.sums])
    gradient = np.zeros((number, len(mean)))
    np.add.at(gradient, (terms.sums, terms.levels), shares)
    rises = np.array([2 * slope, 1.0, 0.0]) @ terms.sizes
    gradient[:, -1] = np.bincount(terms.sums, shares * rises)
    own = spread + slope**2 * error
    own = (1 - wrong) * np.expm1(own) + wrong * np.expm1(own + WRONG_SPREAD**2)
    # The mean square over the squared mean of a power of the areas.
    square = np.array([4 * slope**2, 2 * slope, 1.0]) @ terms.squares
    sizes = np.exp(np.clip(square - 2 * power, 0.0, MOST_LOG))
    single = dispersion * np.where(measured > 0, sizes * own, sizes * (1 + own) - 1)
    variances = shares**2 * single / np.exp(count)
    return Sums(total, gradient, np.log1p(np.bincount(terms.sums, variances)))


def fitted(prior: Levels, terms: Terms, log_grams: np.ndarray) -> Levels:
    """What is known of the levels after weighings.

    Args:
        prior: what was known before.
        terms: of the items of each weighing.
        log_grams: float64 [weighings], logarithm of what they weighed, g.
    """
    before = np.linalg.inv(prior.covariance)
    at = prior.mean
    for _step in range(MOST_STEPS):
        found = sums_of(at, terms)
        weighted = found.gradient.T / found.weighed
        information = before + weighted @ found.gradient
        step = np.linalg.solve(
            information, before @ (prior.mean - at) + weighted @ (log_grams - found.middle)
        )
        longest = float(np.abs(step).max())
        at = at + step * min(1.0, LONGEST_STEP / max(longest, SMALLEST_STEP))
        if longest < SMALLEST_STEP:
            break
    covariance = np.linalg.inv(information)
    return Levels(prior.names, at, (covariance + covariance.T) / 2)
