"""Confidence intervals of proportions that were counted on a limited number of items."""

import math

CONFIDENCE = 0.95
Z = 1.959963984540054
"""Normal quantile of `CONFIDENCE`, two-sided."""
MOST_TRIALS = 10**9


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
