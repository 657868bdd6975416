from dataclasses import dataclass

import numpy as np

from edge.simulator.layout import PlacedItem
from edge.simulator.score import BinScore, Score, score

BINS = {"Battery": "hazard", "Mouse": "small", "Printer": "large"}


@dataclass(frozen=True)
class Line:
    label: str
    bin: str
    position_mm: float
    reason: str = ""
    late: bool = False


@dataclass(frozen=True)
class WideLine:
    label: str
    bin: str
    position_mm: float
    offset_mm: float
    reason: str = ""
    late: bool = False


def item(label, position_mm, offset_mm=0.0):
    return PlacedItem(
        label, position_mm, offset_mm, 100.0, 80.0, lambda: np.zeros((1, 1, 4), np.uint8)
    )


def test_every_kind_of_outcome_is_counted():
    placed = [
        item("Battery", 0.0),
        item("Mouse", 300.0),
        item("Printer", 600.0),
        item("Player", 900.0),
        item("Battery", 1200.0),
        item("Battery", 1500.0),
    ]
    records = [
        Line("Battery", "hazard", 10.0),
        Line("Battery", "hazard", 330.0),
        Line("Mouse", "small", 340.0, late=True),
        Line("unknown", "manual", 590.0),
        Line("Player", "small", 949.0),
        Line("Mouse", "small", 1060.0),
        Line("Mouse", "small", 1210.0, late=True),
    ]
    routed = ["hazard", "hazard", "manual", "manual", "small", None]
    assert score(placed, records, routed, BINS, {"Battery"}) == Score(
        items=6,
        counted=5,
        right=2,
        wrong=2,
        unknown=1,
        missed=1,
        duplicates=1,
        false_positives=1,
        miscounted=3,
        touching=0,
        touching_recognized=0,
        touching_false=0,
        misrecorded=1,
        routed_right=2,
        hazards=3,
        hazard_leaks=1,
        hidden=0,
        hidden_leaks=0,
        deadlines_missed=2,
        late_misrouted=2,
        bins={
            "hazard": BinScore(fed=3, got=2, right=1),
            "large": BinScore(fed=1, got=0, right=0),
            "small": BinScore(fed=1, got=1, right=0),
            "manual": BinScore(fed=1, got=2, right=1),
        },
    )


def test_offsets_tell_items_side_by_side_apart():
    placed = [item("Mouse", 0.0, -90.0), item("Printer", 5.0, 90.0)]
    records = [WideLine("Printer", "large", 0.0, 85.0), WideLine("Mouse", "small", 5.0, -85.0)]
    found = score(placed, records, ["small", "large"], BINS, set())
    assert (found.counted, found.right, found.duplicates, found.false_positives) == (2, 2, 0, 0)


def test_touching_items_are_counted_and_no_hazard_leaks_into_manual():
    placed = [item("Mouse", 0.0), item("Battery", 100.0, 30.0), item("Printer", 210.0)]
    found = score(placed, [], ["manual", "manual", "manual"], BINS, {"Battery"})
    assert (found.touching, found.missed, found.hazard_leaks) == (2, 3, 0)
