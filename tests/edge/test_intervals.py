"""The interval itself is tested beside the workstation's: tests/train/test_intervals.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.intervals import mid_p, trials_for_width, wilson

COUNTED = st.integers(0, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
WIDTHS = st.floats(0.005, 0.9)


@given(COUNTED, WIDTHS)
def test_so_many_trials_are_enough_and_one_fewer_is_not(counted, width):
    right, total = counted
    trials = trials_for_width(right, total, width)
    expected = sum(wilson(right, total)) / 2

    def width_after(count: int) -> float:
        low, high = wilson(right + (count - total) * expected, count)
        return high - low

    assert trials >= total and width_after(trials) <= width
    assert trials == total or width_after(trials - 1) > width


def test_few_trials_without_a_mistake_do_not_promise_perfection():
    # At 50 % an interval 10 points wide takes 381 trials: z^2 / width^2 - z^2.
    assert trials_for_width(0, 0, 0.1) == 381
    assert 100 < trials_for_width(5, 5, 0.1) < 381
    assert trials_for_width(950, 1000, 0.5) == 1000


@pytest.mark.parametrize("width", [0.0, 1.0, -1.0, float("nan")])
def test_a_width_that_is_none_is_an_error(width):
    with pytest.raises(ValueError, match="width"):
        trials_for_width(1, 2, width)


def test_all_of_a_population_leave_no_doubt_and_a_large_one_is_like_an_endless_one():
    assert mid_p(48, 60, 60) == (0.8, 0.8) and mid_p(0, 0, 9) == mid_p(0, 0) == (0, 1)
    assert mid_p(48, 50, 500_000) == pytest.approx(mid_p(48, 50), abs=1e-4)
    low, high = mid_p(48, 50, 60)
    assert mid_p(48, 50)[0] < low < 0.96 < high < mid_p(48, 50)[1]
    assert high == 58 / 60, "two are wrong"


@pytest.mark.parametrize("counted", [(3, 2), (-1, 2), (1, 5, 4), (1, 2, 10**7), (1, 10**7)])
def test_counts_that_cannot_be_are_an_error(counted):
    with pytest.raises(ValueError, match=r"expected|population"):
        mid_p(*counted)
