"""How far what was counted on few images may be from the true proportion or difference."""

import math


def wilson(successes: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of `successes` out of `total`: (low, high), both 0 to 1.

    `z` is the normal quantile of the confidence, 1.959964 for 95 %. With nothing counted the
    proportion may be anything: (0, 1). Source: E. B. Wilson, "Probable inference, the law of
    succession, and statistical inference", JASA 22 (1927), 209-212.

    Raises:
        ValueError: not 0 <= successes <= total.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"expected 0 <= successes <= total, got {successes} of {total}")
    if total == 0:
        return 0.0, 1.0
    share = successes / total
    spread = z * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    scale = 1 + z * z / total
    center = share + z * z / (2 * total)
    return max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)


def paired_difference(
    lost: int, gained: int, total: int, z: float = 1.959964
) -> tuple[float, float]:
    """Interval of the accuracy that the second of two answers to `total` images loses: (low, high).

    `lost` images are right in the first answer only, `gained` ones in the second only. `z` as in
    `wilson`. Source: A. Agresti, Y. Min, "Simple improved confidence intervals for comparing
    matched proportions", Statistics in Medicine 24 (2005), 729-740: Wald's with half an image more
    in each cell of the table.

    Raises:
        ValueError: there is no image, or fewer than `lost + gained`.
    """
    if min(lost, gained) < 0 or lost + gained > total or total < 1:
        raise ValueError(f"expected lost + gained <= total, got {lost} + {gained} of {total}")
    first, second, images = lost + 0.5, gained + 0.5, total + 2
    difference = (first - second) / images
    spread = z * math.sqrt(first + second - (first - second) ** 2 / images) / images
    return max(-1.0, difference - spread), min(1.0, difference + spread)


def mcnemar(lost: int, gained: int) -> float:
    """Exact two-sided probability that chance alone splits the changed images this unevenly.

    Arguments as in `paired_difference`. Source: Q. McNemar, "Note on the sampling error of the
    difference between correlated proportions or percentages", Psychometrika 12 (1947), 153-157;
    in its exact, binomial form.
    """
    changed = lost + gained
    tail = sum(math.comb(changed, count) for count in range(min(lost, gained) + 1))
    return min(1.0, 2 * tail / 2**changed)
