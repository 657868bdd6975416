"""Intervals and tests against published, exact and simulated values."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, hypergeom

from edge.intervals import mid_p
from train.intervals import mcnemar, paired_difference, wilson


def test_published_values() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_that_of_scipy(counted: tuple[int, int]) -> None:
    expected = binomtest(*counted).proportion_ci(0.95, method="wilson")
    assert wilson(*counted) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_counted_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_impossible_counts_are_an_error() -> None:
    for successes, total in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="successes"):
            wilson(successes, total)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_lies_within_and_the_complement_mirrors(counted: tuple[int, int]) -> None:
    successes, total = counted
    low, high = wilson(successes, total)
    assert 0 <= low <= successes / total + 1e-12 and successes / total - 1e-12 <= high <= 1
    assert wilson(total - successes, total) == pytest.approx((1 - high, 1 - low))


def test_paired_difference_holds_what_was_counted_and_narrows_with_images() -> None:
    low, high = paired_difference(3, 1, 600)
    assert low < 2 / 600 < high
    wide = paired_difference(3, 1, 60)
    assert wide[1] - wide[0] > high - low
    swapped = paired_difference(1, 3, 600)
    assert swapped == pytest.approx((-high, -low))


def test_paired_difference_agrees_with_a_bootstrap() -> None:
    lost, gained, total = 30, 12, 600
    draws = np.random.default_rng(1).multinomial(
        total, [lost / total, gained / total, 1 - (lost + gained) / total], 20_000
    )
    resampled = np.percentile((draws[:, 0] - draws[:, 1]) / total, (2.5, 97.5))
    assert paired_difference(lost, gained, total) == pytest.approx(resampled, abs=0.002)


@pytest.mark.parametrize("counts", [(1, 1, 1), (-1, 0, 5), (0, 0, 0)])
def test_paired_difference_of_impossible_counts_is_an_error(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected lost"):
        paired_difference(*counts)


def test_mcnemar_is_the_binomial_tail() -> None:
    assert mcnemar(0, 0) == mcnemar(1, 1) == 1.0
    assert mcnemar(5, 0) == mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(9, 1) == pytest.approx(2 * 11 / 1024)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_mid_p_interval_leaves_half_of_five_percent_on_either_side(
    counted: tuple[int, int],
) -> None:
    right, total = counted
    low, high = mid_p(right, total)
    tails = (
        binom.sf(right, total, low) + binom.pmf(right, total, low) / 2,
        binom.cdf(right - 1, total, high) + binom.pmf(right, total, high) / 2,
    )
    assert low <= right / total <= high
    assert low == 0 if right == 0 else tails[0] == pytest.approx(0.025, abs=1e-9)
    assert high == 1 if right == total else tails[1] == pytest.approx(0.025, abs=1e-9)


POPULATIONS = st.integers(1, 400).flatmap(
    lambda most: st.integers(1, most).flatmap(
        lambda n: st.tuples(st.integers(0, n), st.just(n), st.just(most))
    )
)


@given(POPULATIONS)
def test_the_mid_p_interval_of_a_population_holds_what_makes_the_sample_likely(
    counted: tuple[int, int, int],
) -> None:
    right, total, population = counted
    there = np.arange(right, population - (total - right) + 1)
    drawn = hypergeom(population, there, total)
    half = drawn.pmf(right) / 2
    likely = (drawn.sf(right) + half >= 0.025) & (drawn.cdf(right) - half >= 0.025)
    edge = np.abs(np.minimum(drawn.sf(right) + half, drawn.cdf(right) - half) - 0.025) < 1e-9
    low, high = (round(bound * population) for bound in mid_p(right, total, population))
    assert set(there[likely & ~edge]) <= set(range(low, high + 1)) <= set(there[likely | edge])


SHARES = (0.9, 0.95, 0.98, 0.99, 0.995)
COVERAGE = {  # docs/audits.md tells these, in percent
    30: (93.2, 98.4, 97.8, 96.4, 99.0),
    50: (94.2, 96.2, 98.2, 98.6, 97.4),
    100: (95.6, 93.5, 98.5, 98.2, 98.6),
    200: (94.1, 95.0, 96.2, 98.4, 98.1),
    300: (94.6, 95.5, 96.4, 91.8, 98.2),
}


def covered(interval: Callable, total: int, shares: np.ndarray) -> np.ndarray:
    """The exact coverage of an interval after so many trials, float64 [shares]."""
    low, high = np.array([interval(right, total) for right in range(total + 1)]).T[..., None]
    chances = binom.pmf(np.arange(total + 1)[:, None], total, shares)
    return (chances * ((low <= shares) & (shares <= high))).sum(axis=0)


@pytest.mark.parametrize("total", COVERAGE)
def test_the_mid_p_interval_is_never_far_under_95_percent(total: int) -> None:
    found = covered(mid_p, total, np.array(SHARES))
    assert 100 * found == pytest.approx(COVERAGE[total], abs=0.051)
    everywhere = np.linspace(0.85, 0.999, 600)
    least, mean = covered(mid_p, total, everywhere).min(), covered(mid_p, total, everywhere).mean()
    assert least > 0.917 and 0.95 < mean < 0.971
    assert covered(wilson, total, everywhere).min() < 0.904, "which falls far under it"


def test_the_interval_of_a_population_is_never_far_under_95_percent() -> None:
    for total, population in ((50, 60), (50, 100), (100, 150), (50, 500), (300, 400)):
        right = range(total + 1)
        low, high = np.array([mid_p(each, total, population) for each in right]).T[..., None]
        there = np.arange(int(0.85 * population), population + 1)
        chances = hypergeom.pmf(np.arange(total + 1)[:, None], population, there, total)
        inside = (low <= there / population + 1e-12) & (there / population <= high + 1e-12)
        assert (chances * inside).sum(axis=0).min() > 0.91
