"""Intervals and tests against published, exact and simulated values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

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
