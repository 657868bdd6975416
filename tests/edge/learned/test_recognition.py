"""A taught class is set apart from what is known, and from what is of no class."""

import numpy as np
import pytest

from edge.inference.ood import unit
from edge.learned.known import KnownSpace
from edge.learned.recognition import MOST_TAKEN, KnownItems, Lesson, Recognition, learn_class

DIMENSIONS = 12


def around(place: int, count: int, seed: int, spread: float = 0.15) -> np.ndarray:
    """Items near one axis."""
    noise = np.random.default_rng(seed).normal(0, spread, (count, DIMENSIONS))
    return np.asarray(unit(np.eye(DIMENSIONS)[place] + noise), np.float32)


def space(negatives: np.ndarray) -> KnownSpace:
    known = np.concatenate([around(place, 40, place) for place in (0, 1, 2)])
    axes = np.eye(DIMENSIONS, dtype=np.float32)
    ones = np.ones(DIMENSIONS, np.float32)
    return KnownSpace(axes, 0 * ones, ones, 1.0, known, negatives, None, 1.0, (0.0, 1.0))


NONE = np.empty((0, DIMENSIONS), np.float32)


def items(placed: np.ndarray, hazardous: bool = False) -> KnownItems:
    count = len(placed)
    return KnownItems(
        placed, np.full(count, -1.0), np.log(np.full(count, 0.9)), np.full(count, hazardous)
    )


def learned(known: KnownItems, negatives: np.ndarray = NONE) -> Recognition:
    crops = around(3, 20, 9)
    return learn_class(Lesson(crops, np.full(20, -1.0), space(negatives), known)).recognition


def share(made: Recognition, placed: np.ndarray, familiarity: float) -> float:
    odds = made.log_odds(made.similarity(placed), np.full(len(placed), familiarity))
    return float((odds >= 0).mean())


def test_new_items_are_recognized_and_known_ones_are_not():
    made = learned(items(NONE))
    assert share(made, around(3, 200, 10), -1.0) > 0.75
    for place in (0, 1, 2):
        assert share(made, around(place, 200, 20 + place), 0.0) < 0.02


def test_negatives_set_it_apart_from_what_is_of_no_class():
    between = np.asarray(unit(around(3, 200, 30) + around(4, 200, 31)), np.float32)
    alone = share(learned(items(NONE)), between, -1.0)
    with_negatives = learned(items(NONE), around(4, 60, 32))
    assert share(with_negatives, between, -1.0) < alone / 2
    assert share(with_negatives, around(3, 200, 10), -1.0) > 0.75


@pytest.mark.parametrize("hazardous", [False, True])
def test_known_items_are_spared(hazardous):
    near = np.asarray(unit(around(3, 12, 40) + 0.3 * around(0, 12, 41)), np.float32)

    def taken(made: Recognition) -> int:
        odds = made.log_odds(made.similarity(near), np.full(12, -1.0))
        return int((odds > np.log(0.9)).sum())

    assert taken(learned(items(NONE))) > 4
    assert taken(learned(items(near, hazardous))) <= (0 if hazardous else MOST_TAKEN)
