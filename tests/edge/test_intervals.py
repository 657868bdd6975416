"""Wilson's interval against published and exact values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.intervals import wilson


def test_published_values() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)


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
