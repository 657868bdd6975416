"""The simulated belt through the real detector and tracker: each item is counted exactly once."""

from collections import Counter

import pytest

from edge.belt.detector import Detector
from edge.belt.geometry import Geometry
from edge.belt.tracker import Tracker
from edge.clock import VirtualClock
from edge.simulator.camera import SimulatedCamera
from edge.simulator.layout import place_items
from edge.simulator.motion import BeltMotion, Stretch
from edge.simulator.pieces import drawn_pieces, photo_pieces
from edge.simulator.scene import Scene

VIEW = Geometry()
STEADY = [Stretch(1.0, 250.0)]
STOP_AND_GO = [
    Stretch(4.0, 250.0),
    Stretch(3.0, 0.0),
    Stretch(3.0, -200.0),
    Stretch(5.0, 250.0),
    Stretch(4.0, 30.0),
    Stretch(2.5, -300.0),
    Stretch(1.0, 0.0),
    Stretch(1.0, 250.0),
]


def counted(items, segments, fps=10.0):
    """How often each item was counted, and how many things were counted that were none."""
    scene = Scene(items, VIEW, seed=5)
    encoder, clock = BeltMotion(segments, repeated=False), VirtualClock()
    camera = SimulatedCamera(scene, encoder, clock, fps, end_mm=scene.end_mm)
    detector, tracker, numbered = Detector(VIEW), Tracker(), {}
    while (frame := camera.read()) is not None:
        encoder_mm = encoder.position_mm(frame.captured_at)
        detections = detector.detect(frame.pixels)
        for item, _ in tracker.update(detections, VIEW, encoder_mm, frame.captured_at):
            numbered[item.number] = item
    counts, false_positives = Counter(), 0
    for item in numbered.values():
        truth = [
            index
            for index, placed in enumerate(scene.items)
            if abs(placed.position_mm - item.position_mm) < 15.0
            and abs(placed.offset_mm - item.offset_mm) < 15.0
        ]
        counts.update(truth)
        false_positives += not truth
    return [counts[index] for index in range(len(items))], false_positives


def test_drawn_items_are_counted_once_each():
    items = place_items(drawn_pieces(2, VIEW), 40, seed=2, geometry=VIEW)
    assert counted(items, STEADY) == ([1] * 40, 0)


@pytest.mark.parametrize("profile", [STEADY, STOP_AND_GO], ids=["steady", "stop-and-go"])
def test_photo_cards_are_counted_once_each(card_photos, profile):
    # The first of them lies in the very first frame already.
    items = place_items(photo_pieces(card_photos, 3, VIEW), 20, 3, VIEW, start_mm=-100.0)
    assert counted(items, profile) == ([1] * 20, 0)


def test_drawn_items_are_counted_once_each_by_a_belt_that_stops_and_jogs_back():
    items = place_items(drawn_pieces(4, VIEW), 12, seed=4, geometry=VIEW, start_mm=-300.0)
    assert counted(items, STOP_AND_GO) == ([1] * 12, 0)
