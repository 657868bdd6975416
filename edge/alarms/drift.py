"""Whether the last items differ from what the line usually sees, by more than chance or a trifle.

With thousands of items every trifle is significant, and with few a large difference may be chance:
a drift takes both, a test and an effect size.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge.intervals import wilson

LEAST_ITEMS, LEAST_REFERENCE = 150, 500
"""Fewer items than this are not judged, or not judged by."""
CHANCE = 1e-6
"""The probability of chance under which a difference is significant: it is asked every minute."""
LEAST_DIVERGENCE, KEPT_SHARE = 0.06, 0.7
"""The Jensen-Shannon divergence from which a class mix has drifted, bits, and the share of it under
which it is as before again."""
OF_NORMAL = 1.25
"""A mix must differ by so much more than nearly all past hours did from their mean."""
NORMAL_QUANTILE = 0.95
EXPECTED_COUNT = 1.0
"""Classes that are expected less often are taken together."""


@dataclass(frozen=True)
class ItemCounts:
    """What some items come to.

    Attributes:
        labels: label -> items that got it, without `unknown`.
        decided: items that the model decided on, whatever it made of them.
        unlike_known: of these, those that are like nothing known.
        manual: of these, those that went to `manual` for a doubt about the item.
    """

    labels: Mapping[str, int] = field(default_factory=dict)
    decided: int = 0
    unlike_known: int = 0
    manual: int = 0


def total(counts: list[ItemCounts]) -> ItemCounts:
    """The sum of several."""
    labels: dict[str, int] = {}
    for each in counts:
        for label, count in each.labels.items():
            labels[label] = labels.get(label, 0) + count
    return ItemCounts(
        labels,
        sum(each.decided for each in counts),
        sum(each.unlike_known for each in counts),
        sum(each.manual for each in counts),
    )


def divergence(some: Mapping[str, int], others: Mapping[str, int]) -> float:
    """Jensen-Shannon divergence of two mixes, 0 (the same) to 1 bit (nothing in common).

    Source: J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on
    Information Theory 37 (1991), 145-151.
    """
    n, m = sum(some.values()), sum(others.values())
    if not n or not m:
        return 0.0
    bits = 0.0
    for label in {*some, *others}:
        p, q = some.get(label, 0) / n, others.get(label, 0) / m
        for share in (p, q):
            if share > 0:
                bits += share / 2 * math.log2(2 * share / (p + q))
    return min(1.0, max(0.0, bits))


def chance_of(some: Mapping[str, int], others: Mapping[str, int]) -> float:
    """The probability that two samples of one mix differ at least so much, by the G-test.

    Classes that are rare in both are taken together, since the test counts on some of each. The
    tail of the chi-square distribution is that of Wilson and Hilferty (1931), within a few percent.
    """
    n, m = sum(some.values()), sum(others.values())
    if not n or not m:
        return 1.0
    rows: list[tuple[int, int]] = []
    rest = (0, 0)
    for label in sorted({*some, *others}):
        a, b = some.get(label, 0), others.get(label, 0)
        if (a + b) * min(n, m) / (n + m) < EXPECTED_COUNT:
            rest = (rest[0] + a, rest[1] + b)
        else:
            rows.append((a, b))
    rows += [rest] if sum(rest) else []
    g = 0.0
    for a, b in rows:
        for count, size in ((a, n), (b, m)):
            if count:
                g += 2 * count * math.log(count * (n + m) / (size * (a + b)))
    return chi_square_tail(g, len(rows) - 1)


def chi_square_tail(value: float, degrees: int) -> float:
    """The probability of at least this value, by the cube root of Wilson and Hilferty."""
    if degrees <= 0 or value <= 0:
        return 1.0
    spread = 2 / (9 * degrees)
    z = ((value / degrees) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return 0.5 * math.erfc(z / math.sqrt(2))


def normal_divergence(hours: list[ItemCounts]) -> float:
    """How much the mix of an hour usually differs from that of all hours, bits."""
    judged = [each for each in hours if sum(each.labels.values()) >= LEAST_ITEMS]
    mean = total(judged).labels
    return nearly_all([divergence(each.labels, mean) for each in judged])


def nearly_all(amounts: Sequence[float]) -> float:
    """What nearly all hours stay under, by an amount of each; 0 of none."""
    ordered = sorted(amounts)
    place = min(len(ordered) - 1, math.floor(NORMAL_QUANTILE * len(ordered)))
    return ordered[place] if ordered else 0.0


def is_higher(some: tuple[int, int], others: tuple[int, int], limit: float) -> bool:
    """Whether a share is above a limit, and above another share, both by their 95 % intervals.

    Args:
        some: number of items of the kind, and of all.
        others: the same of those that they are compared with; of none, the limit alone counts.
        limit: a share.
    """
    low, _ = wilson(*some)
    return low > limit and (not others[1] or low > wilson(*others)[1])
