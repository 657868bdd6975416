"""Whether a measured figure of items has shifted, each compared with others of its own class.

So another mix of classes is no shift. A shift takes three things: more than chance, by the sign
test, in which no outlier counts for more than any other; more than a trifle; and more than hours
usually differ.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.alarms.drift import (
    CHANCE,
    KEPT_SHARE,
    LEAST_ITEMS,
    LEAST_REFERENCE,
    OF_NORMAL,
    nearly_all,
)
from edge.bundle.sizes import SizeDistribution

Figures = Mapping[str, np.ndarray]
"""Label -> float64 [items], one figure of each item of that label."""
LEAST_OF_LABEL = 30
"""Items of a label before what is usual for it is known, or its own shift is named."""
SIGMA = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""
LEAST_SPREAD = 1e-6
MEDIAN, UPPER = 0.5, 0.75
MOST_CLASSES = 0.8
"""If so many of the classes shift the same way, all do."""
LEAST_AMOUNT, LEAST_FROM_BUNDLE = math.log(1.08), math.log(1.25)
"""From which items are longer or shorter, as logarithms: 8 % against the days before, and 25 %
against the sizes of a bundle, which knows other sites."""
LEAST_OF_CLASS = math.log(1.25)
"""The same of a class alone, of which there are fewer items."""
LEAST_EFFECT = 0.5
"""From which items are less like the known classes, usual standard deviations."""


@dataclass(frozen=True, eq=False)
class ItemMeasures:
    """What was measured of some items.

    Attributes:
        sizes: logarithms of their longer sides, mm.
        likeness: how much each is like the known classes, by the class that it is most like.
        bundle: digest of the bundle that the likeness is of; empty: of none.
    """

    sizes: Figures = field(default_factory=dict)
    likeness: Figures = field(default_factory=dict)
    bundle: str = ""


@dataclass(frozen=True)
class Usual:
    """How a figure of a class usually is: a quantile, the spread, and the items that say so."""

    quantile: float
    spread: float
    items: float


@dataclass(frozen=True)
class Shift:
    """How far a figure has shifted.

    Attributes:
        amount: median of the differences from what is usual for the class of each item; or another
            quantile.
        effect: the same in usual standard deviations.
        chance: the probability of chance, by the sign test.
        labels: label -> its own amount, where there are enough items.
    """

    amount: float
    effect: float
    chance: float
    labels: Mapping[str, float]

    @property
    def most(self) -> str:
        """The label that shifted most; empty: none has enough items."""
        return max(sorted(self.labels), key=lambda label: abs(self.labels[label]), default="")

    @property
    def is_common(self) -> bool:
        """Whether nearly all classes shift the same way: then it is not the material."""
        half = abs(self.amount) / 2
        same = sum(abs(each) > half and each * self.amount > 0 for each in self.labels.values())
        return len(self.labels) > 1 and same >= MOST_CLASSES * len(self.labels)


@dataclass(frozen=True)
class Judged:
    """A shift, and what it is judged by.

    Attributes:
        shift: how far the figures of the last items have shifted.
        least: the amount, or effect, from which it counts.
        learned: against the days before; otherwise against the bundle.
        alone: label -> its amount, of the classes that have shifted each for itself, the most
            first.
    """

    shift: Shift
    least: float
    learned: bool
    alone: Mapping[str, float] = field(default_factory=dict)


def judged_sizes(
    lately: ItemMeasures, hours: Sequence[ItemMeasures], sizes: Mapping[str, SizeDistribution]
) -> Judged | None:
    """Judge how long the last items are; None: too little is known.

    Args:
        lately: the last items.
        hours: those of each hour that they are compared with.
        sizes: of the bundle or the configuration; what counts until the hours say enough.
    """
    past = [hour.sizes for hour in hours]
    usual = usual_of(pooled(past))
    if not is_known(usual):
        against = shift_of(lately.sizes, usual_sizes(sizes))
        return None if against is None else Judged(against, LEAST_FROM_BUNDLE, learned=False)
    shift = shift_of(lately.sizes, usual)
    if shift is None:
        return None
    least = LEAST_AMOUNT
    if abs(shift.amount) > KEPT_SHARE * least:  # else no hour has to be looked at
        normal = [abs(each.amount) for each in shifts_of(past, usual)]
        least = max(least, OF_NORMAL * nearly_all(normal))
    alone = _alone(lately.sizes, past, usual, shift)
    return Judged(shift, least, learned=True, alone=alone)


def _alone(
    lately: Figures, past: Sequence[Figures], usual: Mapping[str, Usual], shift: Shift
) -> dict[str, float]:
    """Label -> its amount, of the classes that have shifted each for itself."""
    found = {}
    for label, amount in shift.labels.items():
        own = shift_of({label: lately[label]}, usual, LEAST_OF_LABEL)
        if own is None or abs(amount) < LEAST_OF_CLASS or own.chance * len(usual) >= CHANCE:
            continue
        hours = [{label: hour[label]} for hour in past if label in hour]
        normal = [abs(each.amount) for each in shifts_of(hours, usual, least=LEAST_OF_LABEL)]
        if abs(amount) >= OF_NORMAL * nearly_all(normal):
            found[label] = amount
    return dict(sorted(found.items(), key=lambda pair: -abs(pair[1])))


def are_shifted(judged: Judged) -> bool:
    """Whether sizes taken together have shifted: no trifle, and no chance."""
    return abs(judged.shift.amount) >= judged.least and judged.shift.chance < CHANCE


def label_alone(judged: Judged) -> str:
    """The class whose sizes have shifted most, each for itself; empty: all alike, or none has."""
    alike = are_shifted(judged) and judged.shift.is_common
    return "" if alike else next(iter(judged.alone), "")


def judged_likeness(lately: ItemMeasures, hours: Sequence[ItemMeasures]) -> Judged | None:
    """Judge how much the last items are like the known classes; None: too little is known.

    The bundle's score is a likeness to its own references. How high it usually is at a site is
    learned from the first items that the bundle decided on there. The upper quartile is judged: a
    minority of items of another kind hardly moves it, a picture that is worse moves it as a whole.

    Args:
        lately: the last items.
        hours: those of each hour that they are compared with; of other bundles they do not count.
    """
    past = [hour.likeness for hour in hours if hour.bundle == lately.bundle]
    usual = usual_of(pooled(past), UPPER)
    shift = shift_of(lately.likeness, usual, quantile=UPPER) if is_known(usual) else None
    if shift is None:
        return None
    least = LEAST_EFFECT
    if abs(shift.effect) > KEPT_SHARE * least:
        normal = [abs(each.effect) for each in shifts_of(past, usual, UPPER)]
        least = max(least, OF_NORMAL * nearly_all(normal))
    return Judged(shift, least, learned=True)


def pooled(parts: Sequence[Figures]) -> dict[str, np.ndarray]:
    """The figures of several times together."""
    labels = sorted({label for part in parts for label in part})
    return {
        label: np.concatenate([part[label] for part in parts if label in part]) for label in labels
    }


def usual_of(figures: Figures, quantile: float = MEDIAN) -> dict[str, Usual]:
    """How the figures of each label with enough items usually are."""
    found = {}
    for label, values in figures.items():
        if len(values) >= LEAST_OF_LABEL:
            spread = SIGMA * float(np.median(np.abs(values - np.median(values))))
            place = float(np.quantile(values, quantile))
            found[label] = Usual(place, max(LEAST_SPREAD, spread), len(values))
    return found


def usual_sizes(sizes: Mapping[str, SizeDistribution]) -> dict[str, Usual]:
    """How long items are by the sizes of a bundle, as logarithms of mm."""
    return {
        label: Usual(math.log(each.median_mm), each.spread, math.inf)
        for label, each in sizes.items()
    }


def is_known(usual: Mapping[str, Usual]) -> bool:
    """Whether enough items say what is usual."""
    return sum(each.items for each in usual.values()) >= LEAST_REFERENCE


def shift_of(
    figures: Figures,
    usual: Mapping[str, Usual],
    least: int = LEAST_ITEMS,
    quantile: float = MEDIAN,
) -> Shift | None:
    """How far figures differ from the usual ones; None: fewer than `least` can be compared.

    The sign test with the error of what is usual: of `n` items a share `p` lies under the quantile
    `q` of `m` others, and `(p - q) / sqrt(q (1 - q) (1 / n + 1 / m))` is normal if nothing shifted
    (the median test, for any quantile; Mood, "Introduction to the theory of statistics", 1950).
    """
    known = [label for label in sorted(figures) if label in usual and len(figures[label])]
    counts = np.array([len(figures[label]) for label in known], np.float64)
    if not known or counts.sum() < least:
        return None
    own = {label: figures[label] - usual[label].quantile for label in known}
    differences = np.concatenate(list(own.values()))
    spreads = np.repeat([usual[label].spread for label in known], counts.astype(int))
    others = np.array([usual[label].items for label in known])
    # What lies on it counts as half under it: figures are rounded.
    under = float(np.mean((differences < 0) + (differences == 0) * quantile))
    variance = 1 / counts.sum() + float(((counts / counts.sum()) ** 2 / others).sum())
    z = abs(under - quantile) / math.sqrt(quantile * (1 - quantile) * variance)
    return Shift(
        amount=float(np.quantile(differences, quantile)),
        effect=float(np.quantile(differences / spreads, quantile)),
        chance=math.erfc(z / math.sqrt(2)),
        labels={
            label: float(np.quantile(each, quantile))
            for label, each in own.items()
            if len(each) >= LEAST_OF_LABEL
        },
    )


def shifts_of(
    hours: Sequence[Figures],
    usual: Mapping[str, Usual],
    quantile: float = MEDIAN,
    least: int = LEAST_ITEMS,
) -> list[Shift]:
    """How far each hour with at least so many items differs from the usual."""
    found = (shift_of(hour, usual, least, quantile) for hour in hours)
    return [each for each in found if each is not None]
