"""The interval itself is tested beside the workstation's: tests/train/test_intervals.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.intervals import trials_for_width, wilson

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
