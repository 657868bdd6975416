"""When a bundle does worse than the one before it: shares by Fisher's test, latency by a ratio."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edge.labels import MANUAL, UNKNOWN
from edge.probation import (
    CHANCE,
    LEAST_ITEMS,
    ItemSample,
    Measure,
    chance_of,
    find_worse,
    first_items,
    last_items,
    looks_due,
)
from edge.records.store import Store
from edge.verdict import Reason
from tests.support.records import RECORD

USUAL = ItemSample(items=200, doubtful=30, faults=0, median_ms=20.0)


def test_the_chance_is_that_of_the_hypergeometric_distribution() -> None:
    # Fisher's tea: 3 of 4 right, or more, by chance.
    assert chance_of(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert chance_of(4, 4, 0, 4) == pytest.approx(1 / 70)
    assert chance_of(0, 10, 0, 10) == 1.0
    with pytest.raises(ValueError, match="expected counts within 4 and 4"):
        chance_of(5, 4, 0, 4)


@settings(max_examples=200, deadline=None)
@given(
    some.integers(0, 300).flatmap(lambda n: some.tuples(some.integers(0, n), some.just(n))),
    some.integers(0, 300).flatmap(lambda n: some.tuples(some.integers(0, n), some.just(n))),
)
def test_a_chance_is_a_probability_and_its_complement_the_other_way_round(
    trial: tuple[int, int], reference: tuple[int, int]
) -> None:
    (new, of_new), (old, of_old) = trial, reference
    chance = chance_of(new, of_new, old, of_old)
    assert 0 <= chance <= 1
    if new and old < of_old:
        assert chance + chance_of(old + 1, of_old, new - 1, of_new) == pytest.approx(1)


WORSE = {
    "all unknown": (replace(USUAL, items=25, doubtful=25), Measure.DOUBTFUL),
    "twice as many unknown": (replace(USUAL, doubtful=65), Measure.DOUBTFUL),
    "a failing model": (replace(USUAL, doubtful=30, faults=20), Measure.FAULTS),
    "slow": (replace(USUAL, median_ms=40.0), Measure.LATENCY),
}
NO_WORSE = {
    "the same": USUAL,
    "better": replace(USUAL, doubtful=0, median_ms=5.0),
    "a few more unknown": replace(USUAL, doubtful=45),
    "a little slower": replace(USUAL, median_ms=29.0),
    "no inference": replace(USUAL, median_ms=math.nan),
    "too few": ItemSample(
        items=LEAST_ITEMS - 1, doubtful=LEAST_ITEMS - 1, faults=0, median_ms=99.0
    ),
}


@pytest.mark.parametrize("kind", WORSE)
def test_what_does_worse_is_found(kind: str) -> None:
    trial, measure = WORSE[kind]
    worse = find_worse(trial, USUAL)
    assert worse is not None and worse.measure is measure and worse.trial > worse.reference
    assert "\n" not in worse.in_words and "200 before" in worse.in_words


@pytest.mark.parametrize("kind", NO_WORSE)
def test_what_does_no_worse_stays(kind: str) -> None:
    assert find_worse(NO_WORSE[kind], USUAL) is None


def test_a_trifle_is_no_reason_and_neither_is_nothing_to_compare_with() -> None:
    many = ItemSample(items=10_000, doubtful=1_300, faults=0, median_ms=2.0)
    assert chance_of(1_700, 10_000, 1_300, 10_000) < CHANCE
    assert find_worse(replace(many, doubtful=1_700), many) is None
    assert find_worse(replace(many, median_ms=6.0), many) is None, "faster than any gate"
    assert find_worse(WORSE["all unknown"][0], replace(USUAL, items=10)) is None


def test_chance_alone_rolls_back_fewer_than_one_in_a_thousand() -> None:
    random, rolled_back = np.random.default_rng(5), 0
    for _ in range(3000):
        before = int(random.binomial(200, 0.15))
        items = random.random(200) < 0.15
        seen = [
            ItemSample(count, int(items[:count].sum()), 0, 20.0) for count in (25, 50, 100, 200)
        ]
        rolled_back += any(find_worse(each, replace(USUAL, doubtful=before)) for each in seen)
    assert rolled_back <= 3


def test_a_bundle_is_looked_at_four_times() -> None:
    assert [looks_due(items, 200) for items in (0, 24, 25, 50, 99, 100, 200, 500)] == [
        *(0, 0, 1, 2, 2, 3, 4, 4),
    ]
    assert looks_due(49, 50) == 3 and looks_due(50, 50) == 4


def test_samples_are_of_the_items_that_tell_something_of_the_model(tmp_path: Path) -> None:
    def item(number: int, bundle: str, **changes: object):
        return replace(
            RECORD, item_id=f"{number}", bundle=bundle, decided_at=1000.0 + number, **changes
        )

    paused = {"reason": Reason.PAUSED, "bin": MANUAL}
    unsure = {"reason": Reason.UNSURE, "bin": MANUAL, "label": UNKNOWN}
    touching = {"reason": Reason.TOUCHING, "bin": MANUAL, "label": UNKNOWN}
    failed = {"reason": Reason.MODEL_FAULT, "bin": MANUAL, "label": UNKNOWN, "views": 0}
    put = [
        *(item(number, "a") for number in range(5)),
        item(5, "a", **unsure, classify_ms=90.0),
        item(6, "a", **paused),
        item(7, "b", **unsure),
        item(8, "b", **failed, classify_ms=0.0),
        item(9, "b", **touching, views=0),
        item(10, "b", views=2, classify_ms=math.nan),
        item(11, "a", **unsure),
        item(12, "d", **touching, views=1),
    ]
    with Store(tmp_path / "records.db") as store:
        store.append(put)
        assert last_items(store, ["a"], 1006.5, 100) == ItemSample(6, 1, 0, 46.0 / 3)
        assert last_items(store, ["a"], 1006.5, 2) == ItemSample(2, 1, 0, (46 + 90) / 6)
        assert first_items(store, ["b"], 1000.0, 100) == ItemSample(3, 2, 1, 46.0 / 3)
        assert first_items(store, ["b"], 1008.0, 100).items == 2
        assert first_items(store, ["c"], 0.0, 100).items == 0
        assert first_items(store, ["d"], 0.0, 100) == ItemSample(1, 1, 0, 46.0), "by its views"
