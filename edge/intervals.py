"""Confidence intervals of proportions that were counted on a limited number of items."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

CONFIDENCE = 0.95
Z = 1.959963984540054
"""Normal quantile of `CONFIDENCE`, two-sided."""
MOST_TRIALS = 10**9
MOST_COUNTED = 10**6
"""The largest number of trials, and the largest population, of a mid-P interval."""
HALVINGS = 50


def wilson(successes: float, total: float) -> tuple[float, float]:
    """Wilson score interval of a proportion, 95 %.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927), 209-212.

    Args:
        successes: number of successes.
        total: number of trials; with none, the interval is (0, 1).

    Returns:
        The lower and the upper bound, 0 to 1.

    Raises:
        ValueError: not 0 <= successes <= total.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"expected 0 <= successes <= total, got {successes} of {total}")
    if total == 0:
        return 0.0, 1.0
    share = successes / total
    center = share + Z**2 / (2 * total)
    half = Z * math.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    scale = 1 + Z**2 / total
    low = 0.0 if successes == 0 else max(0.0, (center - half) / scale)
    high = 1.0 if successes == total else min(1.0, (center + half) / scale)
    return low, high


def trials_for_width(successes: int, total: int, width: float) -> int:
    """Return the total number of trials after which the Wilson interval is so narrow.

    It expects the later trials to succeed as often as the middle of the present interval says,
    which promises less than the share itself after few trials.

    Args:
        successes: number of successes until now.
        total: number of trials until now.
        width: from the lower to the upper bound, above 0 and below 1.

    Returns:
        The number of trials, at least `total`, at most `MOST_TRIALS`.

    Raises:
        ValueError: a count or the width is out of its range.
    """
    if not 0 < width < 1:
        raise ValueError(f"expected a width above 0 and below 1, got {width}")
    expected = sum(wilson(successes, total)) / 2
    low, high = total, MOST_TRIALS

    def is_narrow(trials: int) -> bool:
        found = wilson(successes + (trials - total) * expected, trials)
        return found[1] - found[0] <= width

    while low < high:
        middle = (low + high) // 2
        if is_narrow(middle):
            high = middle
        else:
            low = middle + 1
    return low


def mid_p(successes: int, total: int, population: int | None = None) -> tuple[float, float]:
    """Mid-P interval of a proportion, 95 %: Clopper-Pearson with half of what was observed.

    Of a finite population it is the interval of the share within that population, for a sample that
    was drawn without replacement: the binomial distribution gives way to the hypergeometric one.

    Source: A. Agresti and A. Gottard, "Nonconservative exact small-sample inference for discrete
    data", Computational Statistics and Data Analysis 51 (2007), 6447-6458.

    Args:
        successes: number of successes.
        total: number of trials, at most `MOST_COUNTED`; with none, the interval is (0, 1).
        population: number of items that the trials were drawn from, at most `MOST_COUNTED`; None:
            as many as can be.

    Returns:
        The lower and the upper bound, 0 to 1.

    Raises:
        ValueError: not 0 <= successes <= total <= population, or too many.
    """
    if not 0 <= successes <= total <= (MOST_COUNTED if population is None else population):
        raise ValueError(f"expected 0 <= successes <= total, got {successes} of {total}")
    if population is not None and population > MOST_COUNTED:
        raise ValueError(f"a population of {population}; at most {MOST_COUNTED}")
    if total == 0:
        return 0.0, 1.0
    if population is not None:
        return _of_population(successes, total, population)
    low, high = 0.0, 1.0
    if successes > 0:
        low = _halved(lambda share: _at_least(successes, total, share) < _HALF_ALPHA)
    if successes < total:
        high = 1 - _halved(lambda share: _at_least(total - successes, total, share) < _HALF_ALPHA)
    return low, high


_HALF_ALPHA = (1 - CONFIDENCE) / 2


def _halved(is_below: Callable[[float], bool]) -> float:
    """Return the share, 0 to 1, up to which something holds."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low


def _at_least(successes: int, total: int, share: float) -> float:
    """Mid-P probability of so many successes or more, of a share above 0 and below 1."""
    logs = _log_factorials(total)
    counts = np.arange(successes, total + 1)
    chances = np.exp(
        logs[total]
        - logs[counts]
        - logs[total - counts]
        + counts * math.log(share)
        + (total - counts) * math.log1p(-share)
    )
    return float(chances.sum() - chances[0] / 2)


def _of_population(successes: int, total: int, population: int) -> tuple[float, float]:
    failures = total - successes
    low = _fewest(successes, total, population)
    high = population - _fewest(failures, total, population)
    return low / population, high / population


def _fewest(successes: int, total: int, population: int) -> int:
    """Return the least number of successes in a population that makes those of a sample likely."""
    low, high = successes, population - (total - successes)
    if successes == 0:
        return 0
    while low < high:
        middle = (low + high) // 2
        if _at_least_of(successes, total, middle, population) < _HALF_ALPHA:
            low = middle + 1
        else:
            high = middle
    return low


def _at_least_of(successes: int, total: int, there: int, population: int) -> float:
    """Mid-P probability of so many successes or more, drawn from a population with `there`."""
    logs = _log_factorials(population)
    counts = np.arange(successes, min(total, there) + 1)

    def chosen(of: int, some: np.ndarray | int) -> np.ndarray:
        return logs[of] - logs[some] - logs[of - some]

    chances = np.exp(
        chosen(there, counts)
        + chosen(population - there, total - counts)
        - chosen(population, total)
    )
    return float(chances.sum() - chances[0] / 2)


@lru_cache(maxsize=8)
def _log_factorials(most: int) -> np.ndarray:
    """Return the logarithms of 0! to most!, float64 [most + 1]."""
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1.0, most + 1)))))
