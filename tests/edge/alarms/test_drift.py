"""Drift takes both: more than chance, and more than a trifle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alarms.drift import (
    CHANCE,
    LEAST_DIVERGENCE,
    ItemCounts,
    chance_of,
    chi_square_tail,
    divergence,
    is_higher,
    normal_divergence,
)

MIXES = st.dictionaries(st.text(max_size=2), st.integers(0, 10**9), max_size=12)


def test_the_tail_of_chi_square_is_that_of_the_tables():
    """Quantiles as NIST/SEMATECH, e-Handbook of Statistical Methods, 1.3.6.7.4 has them."""
    for value, degrees, tail in (
        (3.841, 1, 0.05),
        (6.635, 1, 0.01),
        (18.307, 10, 0.05),
        (29.588, 10, 0.001),
        (124.342, 100, 0.05),
    ):
        assert chi_square_tail(value, degrees) == pytest.approx(tail, rel=0.1)
    assert chi_square_tail(5.0, 0) == chi_square_tail(0.0, 3) == 1.0


@given(MIXES, MIXES)
def test_any_two_mixes_can_be_compared(some, others):
    bits, chance = divergence(some, others), chance_of(some, others)
    assert 0 <= bits <= 1 and 0 <= chance <= 1 and math.isfinite(bits + chance)
    assert divergence(others, some) == pytest.approx(bits, abs=1e-12)
    assert divergence(some, some) == pytest.approx(0, abs=1e-12)
    assert chance_of(some, some) == 1.0


def test_a_trifle_of_millions_of_items_is_significant_but_no_drift():
    before, now = {"PCB": 5_000_000, "Mouse": 5_000_000}, {"PCB": 510_000, "Mouse": 490_000}
    assert chance_of(now, before) < CHANCE and divergence(now, before) < LEAST_DIVERGENCE / 100


def test_what_is_drawn_from_one_mix_is_rarely_called_a_change():
    chance = np.random.default_rng(4)
    shares = (0.4, 0.3, 0.2, 0.08, 0.02)
    names = "abcde"

    def drawn(n: int) -> dict[str, int]:
        return dict(zip(names, chance.multinomial(n, shares).tolist(), strict=True))

    found = [chance_of(drawn(200), drawn(5000)) for _ in range(2000)]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.02)
    assert min(found) > CHANCE
    other = dict(zip(names, chance.multinomial(200, (0.1, 0.2, 0.3, 0.2, 0.2)), strict=True))
    assert chance_of({k: int(v) for k, v in other.items()}, drawn(5000)) < CHANCE


def test_hours_that_differ_anyhow_raise_what_counts_as_a_drift():
    same = [ItemCounts({"a": 500, "b": 500})] * 20
    odd = [ItemCounts({"a": 900, "b": 100}), ItemCounts({"a": 100, "b": 900})] * 10
    assert normal_divergence(same) == 0 < 0.1 < normal_divergence(odd)
    assert normal_divergence([]) == normal_divergence([ItemCounts({"a": 3})]) == 0


def test_a_share_is_higher_only_beyond_both_intervals():
    assert is_higher((60, 200), (30, 1000), 0.1)
    assert not is_higher((3, 10), (30, 1000), 0.15), "ten items say nothing"
    assert not is_higher((60, 200), (3, 10), 0.1), "nor can they be compared with"
    assert is_higher((60, 200), (0, 0), 0.1) and not is_higher((60, 200), (0, 0), 0.3)
