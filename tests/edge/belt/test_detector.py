import cv2
import numpy as np
import pytest

from edge.belt.detector import Detector
from edge.belt.geometry import Box, Geometry
from edge.belt.touching import multi_object_score, shape_of
from edge.simulator.layout import place_items
from edge.simulator.pieces import drawn_pieces
from edge.simulator.scene import Scene

VIEW = Geometry()
BELT = (76, 86, 78)


def belt(rng, brightness=1.0):
    """An empty belt: noise of the size that rubber and a sensor have."""
    pixels = np.full((720, 1280, 3), BELT, np.float32) * brightness
    pixels += cv2.resize(rng.normal(0, 3, (360, 640, 1)).astype(np.float32), (1280, 720))[..., None]
    return pixels.clip(0, 255).astype(np.uint8)


def filled(pixels, box, color):
    pixels[box.top : box.bottom, box.left : box.right] = color
    return pixels


def apart(found, true):
    return max(
        abs(found.left - true.left),
        abs(found.top - true.top),
        abs(found.right - true.right),
        abs(found.bottom - true.bottom),
    )


@pytest.mark.parametrize("color", [(0, 0, 0), (40, 40, 42), (128, 128, 128), (255, 255, 255)])
def test_finds_items_of_any_brightness_in_the_very_first_frame(color):
    rng = np.random.default_rng(0)
    boxes = [Box(700, 60, 1000, 380), Box(200, 300, 420, 660)]
    frame = belt(rng)
    for box in boxes:
        filled(frame, box, color)
    found = Detector(VIEW).detect(frame)
    assert [apart(one.box, box) <= 8 for one, box in zip(found, boxes, strict=True)] == [True] * 2
    assert all(one.whole and multi_object_score(shape_of(one.outline)) < 0 for one in found)


def test_empty_belt_and_specks_are_nothing():
    rng = np.random.default_rng(1)
    detector = Detector(VIEW)
    for _ in range(5):
        frame = filled(belt(rng), Box(600, 300, 624, 330), (255, 255, 255))  # 15 x 19 mm
        assert detector.detect(frame) == []


def test_parts_of_one_object_are_one_detection():
    frame = belt(np.random.default_rng(2))
    filled(frame, Box(400, 200, 500, 400), (230, 230, 230))
    filled(frame, Box(520, 200, 640, 400), (10, 10, 10))  # 12.5 mm further on
    (found,) = Detector(VIEW).detect(frame)
    assert apart(found.box, Box(400, 200, 640, 400)) <= 8


def test_outline_whose_inside_looks_like_the_belt_is_one_whole_object():
    frame = belt(np.random.default_rng(3))
    cv2.rectangle(frame, (400, 200), (700, 420), (200, 200, 200), 10)
    (found,) = Detector(VIEW).detect(frame)
    assert apart(found.box, Box(395, 195, 706, 426)) <= 8
    assert not found.touching and multi_object_score(shape_of(found.outline)) < 0


@pytest.mark.parametrize(
    "box",
    [
        Box(0, 200, 150, 400),
        Box(1100, 200, 1280, 400),
        Box(500, 0, 700, 200),
        Box(9, 600, 200, 720),
    ],
)
def test_what_the_border_cuts_off_is_not_whole(box):
    (found,) = Detector(VIEW).detect(filled(belt(np.random.default_rng(4)), box, (240, 240, 240)))
    assert not found.whole
    assert apart(found.box, box) <= 8


@pytest.mark.parametrize("gap_px", [-20, 0, 12])
def test_objects_against_each_other_are_touching(gap_px):
    frame = belt(np.random.default_rng(5))
    filled(frame, Box(300, 100, 500, 320), (240, 240, 240))
    filled(frame, Box(500 + gap_px, 260, 700 + gap_px, 460), (20, 20, 20))
    (found,) = Detector(VIEW).detect(frame)
    assert multi_object_score(shape_of(found.outline)) > 0


def test_an_object_with_a_cable_is_not_touching():
    frame = belt(np.random.default_rng(6))
    cv2.ellipse(frame, (400, 300), (60, 90), 0, 0, 360, (15, 15, 15), -1)
    cv2.ellipse(frame, (560, 300), (120, 60), 0, 180, 360, (15, 15, 15), 6)
    (found,) = Detector(VIEW).detect(frame)
    assert found.box.right > 650
    assert not found.touching and multi_object_score(shape_of(found.outline)) < 0


def test_follows_slowly_fading_light():
    rng = np.random.default_rng(7)
    detector, box = Detector(VIEW), Box(500, 200, 740, 440)
    for brightness in np.linspace(1.0, 0.6, 100):
        assert detector.detect(belt(rng, brightness)) == []
    (found,) = detector.detect(filled(belt(rng, 0.6), box, (130, 140, 150)))
    assert apart(found.box, box) <= 8


def test_learns_the_belt_anew_after_the_light_was_switched():
    rng = np.random.default_rng(8)
    detector, box = Detector(VIEW), Box(500, 200, 740, 440)
    detector.detect(belt(rng))
    for _ in range(20):
        detector.detect(belt(rng, 2.0))
    (found,) = detector.detect(filled(belt(rng, 2.0), box, (20, 20, 20)))
    assert apart(found.box, box) <= 8


def test_an_item_on_a_stopped_belt_does_not_become_belt():
    rng = np.random.default_rng(9)
    detector, box = Detector(VIEW), Box(500, 200, 740, 440)
    for _ in range(300):
        (found,) = detector.detect(filled(belt(rng), box, (50, 55, 50)))
    assert apart(found.box, box) <= 8


def test_refuses_frames_of_another_size():
    with pytest.raises(ValueError, match=r"\(720, 1280, 3\)"):
        Detector(VIEW).detect(np.zeros((480, 640, 3), np.uint8))


def test_dust_on_the_lens_is_learned_as_the_belt_moves_on_under_it():
    items = place_items(drawn_pieces(3, VIEW), 8, seed=3, geometry=VIEW)
    scene = Scene(items, VIEW, seed=0)
    detector = Detector(VIEW)
    speck = np.s_[300:350, 600:640]

    def found(belt_mm):
        pixels = scene.render(belt_mm)
        pixels[speck] = pixels[speck] // 4
        boxes = [detection.box for detection in detector.detect(pixels, belt_mm)]
        return [box for box in boxes if apart(box, Box(600, 300, 640, 350)) < 12]

    # A belt that stands, or is jogged to and fro, says nothing of it.
    assert all(found(float(mm)) for mm in [*range(200), *range(200, 0, -25)] * 3)
    # A pale item that passes under it may look like belt and begin it anew.
    assert any(found(float(mm)) for mm in range(0, 1300, 25))
    assert not any(found(float(mm)) for mm in range(1300, 2600, 25))


def test_items_that_lie_in_one_place_at_every_look_are_not_dust_on_the_lens():
    detector, rng = Detector(VIEW), np.random.default_rng(4)
    detector.detect(belt(rng), 0.0)
    for look in range(1, 40):  # each shows items where the last did: two looks are one pitch apart
        shift = 192 * (look % 2)
        pixels = belt(rng)
        for left in range(-384, 1280, 384):
            box = Box(max(0, left + shift), 300, max(0, left + shift + 260), 420)
            filled(pixels, box, (200, 190, 60))
        assert len(detector.detect(pixels, 120.0 * look)) >= 3
    assert detector.detect(belt(rng), 120.0 * 40) == []
