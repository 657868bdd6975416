"""How counts and ratios of the peers are scored."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.peer_film import PlantFilm
from benchmarks.peer_score import Miscounts, Place, line_right, miscounts, peer_right, ratio
from benchmarks.peers import peer_places
from edge.simulator.layout import PlacedItem
from edge.simulator.scenario import Scenario


def item(label: str, position_mm: float) -> PlacedItem:
    return PlacedItem(label, position_mm, 0.0, 100.0, 80.0, lambda: np.zeros((1, 1, 4), np.uint8))


PLACED = (item("PCB", 200.0), item("Mouse", 500.0), item("PCB", 900.0))
BELT_MM = np.arange(0.0, 1300.0, 100.0)
FILM = PlantFilm(Path("frames.npy"), Scenario(), 0, BELT_MM, PLACED)


def test_counts_are_missed_repeated_or_of_nothing() -> None:
    places = [Place(210.0, 5.0), Place(240.0, -5.0), Place(700.0, 0.0), Place(905.0, 60.0)]
    assert miscounts(PLACED, places) == Miscounts(missed=2, twice=1, nothing=2)
    assert miscounts(PLACED, [Place(each.position_mm, 0.0) for each in PLACED]).total == 0


def test_a_count_lies_where_the_belt_was_and_going_back_takes_it_off() -> None:
    middle = (640.0, 360.0)
    counted = [(2, *middle, 1), (5, *middle, 1), (6, *middle, -1)]
    assert peer_places(FILM, counted) == [Place(200.0, 0.0)]
    assert peer_places(FILM, [(0, *middle, -1)]) == []


def test_a_label_counts_in_the_frame_where_the_item_is_in_the_middle() -> None:
    assert FILM.middle_frames.tolist() == [2, 5, 9]
    classes = [0] * len(BELT_MM)
    classes[9] = 1
    assert peer_right(FILM, classes, ("PCB", "Mouse")).tolist() == [True, False, False]


def test_the_first_record_of_an_item_decides() -> None:
    records = [
        {"label": label, "position_mm": position_mm, "offset_mm": 0.0}
        for label, position_mm in (("PCB", 205.0), ("Mouse", 210.0), ("unknown", 900.0))
    ]
    assert line_right(PLACED, records).tolist() == [True, False, False]


def test_a_ratio_is_of_items_right_per_second() -> None:
    ours, peer = np.array([True] * 8 + [False] * 2), np.array([True] * 4 + [False] * 6)
    seconds = np.array([1.0, 1.1, 0.9])
    same = ratio(ours, seconds, ours, seconds)
    assert same is not None and same.value == same.low == same.high == 1
    found = ratio(ours, seconds, peer, 3 * seconds)
    assert found is not None and found.value == pytest.approx(6)
    assert found.low < 6 < found.high
    assert ratio(ours, seconds, np.zeros(10, bool), seconds) is None
