"""What is ready is taken by the loop when the belt, the window, or a person lets it."""

import time
from collections.abc import Callable

import pytest

from edge import store_trial
from edge.bundle.history import Standing
from edge.bundle.install import install, roll_back, take_at_once
from edge.standstill import BeltRest
from tests.support.followed_line import START, UNSURE, Plant, made

NIGHT = "22:00-05:00"


def at_hour(hour: int) -> float:
    return time.mktime((*time.localtime(START)[:3], hour, 0, 0, 0, 0, -1))


def test_a_bundle_waits_for_a_standing_belt_and_says_so(plant: Plant, logged: list[str]) -> None:
    plant.install("second")
    plant.watch.look(plant.now)
    for rest in (BeltRest.MOVES, BeltRest.CARRIES, BeltRest.NOT_MEASURED, BeltRest.MOVES):
        assert plant.handover.take(rest) is None
        plant.watch.look(plant.now)
    assert plant.handover.waiting and plant.in_use == ("first", 2)
    waits = [line for line in logged if "waits until" in line]
    assert waits == [
        "the bundle second waits until the belt stands; ewaste-edge install --now takes it at once"
    ]
    assert not plant.entry(2).began_at, "its probation has not begun"
    assert plant.handover.take(BeltRest.STANDS) is not None
    assert plant.in_use == ("second", 2) and not plant.handover.waiting
    plant.look()
    assert plant.entry(2).began_at


@pytest.mark.parametrize(
    ("window", "hour", "taken"),
    [("", 23, False), (NIGHT, 12, False), (NIGHT, 23, True), ("always", 12, True)],
)
def test_on_a_moving_belt_the_window_decides(
    plant_of: Callable[..., Plant], window: str, hour: int, taken: bool
) -> None:
    plant = plant_of(window=window)
    plant.install("second")
    plant.watch.look(plant.now)
    assert (plant.handover.take(BeltRest.MOVES, at_hour(hour)) is not None) is taken


def test_who_asks_for_it_need_not_wait(plant: Plant) -> None:
    install(made(plant.tiny, plant.folder / "second"), plant.store, threads=1, at_once=True)
    plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.MOVES) is not None
    plant.install("third")
    plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.MOVES) is None
    take_at_once(plant.store)
    plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.MOVES) is not None and plant.in_use == ("third", 3)


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_roll_back_waits_for_no_belt(plant: Plant, by_hand: bool) -> None:
    plant.install("second")
    plant.look(3)
    if by_hand:
        roll_back(plant.store, threads=1)
    else:
        plant.sort(30, **UNSURE)
    for _ in range(2):
        plant.now += store_trial.JUDGE_SECONDS
        plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.MOVES) is not None
    assert plant.in_use == ("first", 1)


def test_what_replaces_a_bundle_that_waits_is_compared_with_the_one_that_runs(
    plant: Plant,
) -> None:
    first = plant.handover.in_use.bundle.digest
    plant.install("second")
    plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.MOVES) is None
    install(made(plant.tiny, plant.folder / "third"), plant.store, threads=1, running=first)
    assert plant.entry(2).standing is Standing.LEFT and plant.entry(3).before == first
    assert not (plant.store / "2").exists() and (plant.store / "1").exists()
    plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.STANDS) is not None and plant.in_use == ("third", 3)
    # Gone back to while another one waits: nothing waits any more.
    roll_back(plant.store, threads=1)
    install(made(plant.tiny, plant.folder / "fourth"), plant.store, threads=1)
    plant.look(2)
    roll_back(plant.store, threads=1)
    plant.watch.look(plant.now)
    plant.handover.take(BeltRest.MOVES)
    assert plant.in_use == ("first", 1) and not plant.handover.waiting
