import itertools
from statistics import median

import cv2
import numpy as np
import pytest

from edge.belt.detector import Detection
from edge.belt.geometry import Box, Geometry
from edge.belt.observer import (
    DETECT_EVERY_S,
    DETECT_EVERY_SHARE,
    OUTLINES_SCORED,
    Observer,
    TouchingEvidence,
)
from edge.belt.touching import Outline, multi_object_score, shape_of
from edge.cameras.camera import Frame

VIEW = Geometry(width_px=640, height_px=360, mm_per_px=0.5)
SPEED_MM_S, FPS = 200.0, 30.0


def frame_at(items_mm, encoder_mm, captured_at):
    """A gray belt with white blocks of 40 x 40 mm, each `items_mm` along the belt."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(80, 2, (VIEW.height_px, VIEW.width_px, 1)).clip(0, 255)
    pixels = np.repeat(pixels, 3, axis=2).astype(np.uint8)
    for position_mm in items_mm:
        middle = VIEW.width_px / 2 + (encoder_mm - position_mm) / VIEW.mm_per_px
        left, right = (round(min(VIEW.width_px, max(0, middle + side))) for side in (-40, 40))
        pixels[140:220, left:right] = 255
    return Frame(pixels, captured_at, round(captured_at * FPS))


def watched(observer, items_mm, frames):
    """Each detection pass while the belt runs, once."""
    passes = []
    for number in range(frames):
        at = number / FPS
        found = observer.observe(frame_at(items_mm, SPEED_MM_S * at, at), SPEED_MM_S * at)
        if not passes or found is not passes[-1]:
            passes.append(found)
    return passes


def test_each_item_is_sighted_under_one_number_in_the_place_where_it_lies():
    items_mm = (200.0, 320.0)
    passes = watched(Observer(VIEW), items_mm, frames=100)
    places = {}
    for found in passes:
        for sighting in found.sightings:
            assert sighting.frame is found.frame and sighting.encoder_mm == found.encoder_mm
            if sighting.whole:
                places.setdefault(sighting.item.number, set()).add(
                    round(sighting.item.position_mm / 10) * 10
                )
    assert places == {1: {200}, 2: {320}}


def test_a_view_is_the_crop_of_the_item_from_its_frame():
    sightings = [
        each for found in watched(Observer(VIEW), (150.0,), 40) for each in found.sightings
    ]
    view = next(each for each in sightings if each.whole).view()
    height, width = view.pixels.shape[:2]
    assert min(height, width) >= 80 and view.pixels[height // 2, width // 2].tolist() == [255] * 3


def test_the_detector_skips_frames_that_come_too_soon_unless_the_belt_is_fast():
    observer = Observer(VIEW)
    first = observer.observe(frame_at((), 0.0, 0.0), 0.0)
    soon = DETECT_EVERY_S / 2
    assert observer.observe(frame_at((), 1.0, soon), 1.0) is first
    fast_mm = DETECT_EVERY_SHARE * VIEW.width_mm
    assert observer.observe(frame_at((), fast_mm, soon), fast_mm) is not first


def test_the_items_that_have_left_the_view_are_reported_once():
    observer = Observer(VIEW)
    watched(observer, (100.0,), frames=30)
    assert observer.left(SPEED_MM_S) == []
    (gone,) = observer.left(100.0 + VIEW.width_mm)
    assert gone.number == 1 and gone.position_mm == pytest.approx(100.0, abs=5)
    assert observer.left(100.0 + VIEW.width_mm) == []


def test_after_an_interruption_the_next_frame_is_detected_at_once():
    observer = Observer(VIEW)
    first = observer.observe(frame_at((), 0.0, 0.0), 0.0)
    observer.interrupt()
    second = observer.observe(frame_at((), 0.0, 0.001), 0.0)
    assert second is not first and second.earlier == ()


CELL_MM = 2.5
BLOCK = np.ones((40, 60), np.uint8)
PAIR = np.zeros((70, 90), np.uint8)  # two blocks of 150 x 100 mm, one over a corner of the other
PAIR[:40, :60] = PAIR[30:, 30:] = 1


def looks(*masks, touching=False):
    evidence = TouchingEvidence()
    for mask in masks:
        outline = None if mask is None else Outline(mask, CELL_MM)
        evidence.add(Detection(Box(0, 0, 9, 9), mask is not None, touching, outline))
    return evidence


def test_an_item_touches_another_only_if_most_whole_views_say_so():
    assert looks(PAIR).touching and looks(PAIR, PAIR, BLOCK).touching
    assert not looks(PAIR, BLOCK, BLOCK).touching
    assert not looks(BLOCK, BLOCK, BLOCK, PAIR, PAIR).touching
    assert not looks(None, None).touching and looks(None, touching=True).touching


def test_a_rule_that_asks_the_model_too_leaves_doubtful_outlines_to_it():
    outline = Outline(PAIR, CELL_MM)
    score = multi_object_score(shape_of(outline))
    for certain, touching in ((score - 0.1, True), (score + 0.1, False)):
        evidence = TouchingEvidence(certain=certain)
        evidence.add(Detection(Box(0, 0, 9, 9), True, False, outline))
        assert evidence.touching is touching and evidence.outline_score == score > 0
        assert evidence.longer_mm is None, "it may be that of two"


def test_items_that_come_after_an_exchange_are_judged_by_the_next_bundle():
    def touching(observer):
        seen = [each for found in watched(observer, (200.0,), 60) for each in found.sightings]
        return {each.touching for each in seen if each.outline_score is not None}

    assert touching(Observer(VIEW, certainly_several=-100.0)) == {True}, "whatever its outline"
    exchanged = Observer(VIEW, certainly_several=-100.0)
    exchanged.expect(260.0, 0.0)
    assert touching(exchanged) == {False}


def test_the_outlines_that_are_not_measured_could_not_change_the_answer():
    for masks in itertools.product((BLOCK, PAIR), repeat=OUTLINES_SCORED):
        scores = [multi_object_score(shape_of(Outline(mask, CELL_MM))) for mask in masks]
        assert looks(*masks).touching == (median(scores) > 0)
    assert len(looks(*[BLOCK] * OUTLINES_SCORED).scores) == OUTLINES_SCORED // 2 + 1


def test_the_longer_side_is_measured_however_the_item_lies():
    assert looks(BLOCK).longer_mm == pytest.approx(147.5, abs=2.5)
    assert looks(BLOCK.T, BLOCK).longer_mm == pytest.approx(147.5, abs=2.5)
    turned = np.zeros((90, 90), np.uint8)
    corners = cv2.boxPoints(((45, 45), (60, 40), 35.0))
    cv2.fillPoly(turned, [np.rint(corners).astype(np.int32)], 1)
    assert looks(turned).longer_mm == pytest.approx(150, abs=5)
    assert looks(turned).area_mm2 == pytest.approx(150 * 100, rel=0.05)
    assert looks(BLOCK, BLOCK[:, :50]).area_mm2 is None, "the outlines do not agree"


def test_an_uncertain_outline_gives_no_size():
    assert looks(None).longer_mm is None, "never seen whole"
    assert looks(PAIR).longer_mm is None, "more than one"
    assert looks(BLOCK, touching=True).longer_mm is None, "in touch with another"
    assert looks(BLOCK, BLOCK[:, :50]).longer_mm is None, "the outlines do not agree"


def test_where_items_are_larger_a_long_one_is_no_sign_of_two():
    long = np.ones((40, 180), np.uint8)
    assert looks(long).touching
    evidence = TouchingEvidence(longest_item_mm=900.0)
    evidence.add(Detection(Box(0, 0, 9, 9), True, False, Outline(long, CELL_MM)))
    assert not evidence.touching and evidence.longer_mm == pytest.approx(450, abs=5)
