"""Confidence intervals and tests of proportions that were counted on a limited number of images.

scipy.stats is imported on first use: it takes a second, which `--help` of a command can do without.
"""

import math

from edge.intervals import Z, wilson

__all__ = ["mcnemar", "paired_difference", "wilson"]


def paired_difference(lost: int, gained: int, total: int) -> tuple[float, float]:
    """95 % interval of the accuracy that the second of two paired predictions loses.

    Source: A. Agresti, Y. Min, "Simple improved confidence intervals for comparing matched
    proportions", Statistics in Medicine 24 (2005), 729-740: the Wald interval with half an image
    added to each cell of the table. (scipy has no interval for paired proportions.)

    Args:
        lost: number of images that only the first prediction gets right.
        gained: number of images that only the second prediction gets right.
        total: number of images.

    Returns:
        The lower and the upper bound, -1 to 1.

    Raises:
        ValueError: there are no images, or fewer than `lost + gained`.
    """
    if min(lost, gained) < 0 or lost + gained > total or total < 1:
        raise ValueError(f"expected lost + gained <= total, got {lost} + {gained} of {total}")
    first, second, images = lost + 0.5, gained + 0.5, total + 2
    difference = (first - second) / images
    spread = Z * math.sqrt(first + second - (first - second) ** 2 / images) / images
    return max(-1.0, difference - spread), min(1.0, difference + spread)


def mcnemar(lost: int, gained: int) -> float:
    """Exact two-sided p-value of McNemar's test: the changes go both ways equally often.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions
    or percentages", Psychometrika 12 (1947), 153-157; in its exact, binomial form.

    Args:
        lost: number of images that only the first prediction gets right.
        gained: number of images that only the second prediction gets right.

    Returns:
        The p-value, 0 to 1.
    """
    if lost + gained == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(lost, lost + gained, 0.5).pvalue)
