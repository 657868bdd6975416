import cv2
import numpy as np
import pytest

from edge.belt.candidate import HOLD_S, Candidate
from edge.belt.tracker import Extent, TrackedItem
from edge.belt.view import View, sharpness
from edge.inference.classifier import Prediction

LENGTH = Extent(0, 100, True, True)
ITEM = TrackedItem(1, LENGTH, Extent(0, 80, True, True), 0.0, 0.0, 2, LENGTH, 0.0)


def picture(blur: float = 0.0, side: int = 240) -> np.ndarray:
    grain = np.random.default_rng(0).integers(60, 200, (side // 8, side // 8, 3), np.uint8)
    pixels = cv2.resize(grain, (side, side), interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(pixels, (0, 0), blur) if blur else pixels


def view(at_s: float, blur: float = 0.0, off_center: float = 0.0) -> View:
    return View(picture(blur), at_s, 250 * at_s, off_center)


def said(*probabilities: float) -> Prediction:
    shares = np.array(probabilities, np.float32)
    return Prediction(np.log(shares), shares, np.zeros(4, np.float32))


def test_blur_takes_sharpness_away_at_any_size():
    for side in (64, 240, 480):
        blurred = [sharpness(picture(blur, side)) for blur in (0, 2, 4)]
        assert blurred[0] > 1.3 * blurred[1] > 1.3 * blurred[2] > 0
    assert sharpness(np.full((50, 50, 3), 90, np.uint8)) == 0


def test_the_sharpest_and_best_placed_view_waits_not_the_last():
    candidate = Candidate(ITEM)
    views = [view(0.0, off_center=0.9), view(0.1), view(0.2, blur=2.0), view(0.3, off_center=0.5)]
    for one in views:
        candidate.offer(one)
    assert candidate.waiting is views[1]


def test_the_first_view_is_ready_at_once_and_a_further_one_held_for_a_better_one():
    candidate = Candidate(ITEM)
    assert not candidate.ready(5.0)
    candidate.offer(view(0.0))
    assert candidate.ready(0.0)
    candidate.take()
    candidate.classified(said(0.7, 0.3), 5.0)
    candidate.offer(view(1.0, blur=2.0))
    candidate.offer(view(1.0 + HOLD_S / 2))
    assert not candidate.ready(1.0 + HOLD_S / 2)
    assert candidate.ready(1.0 + HOLD_S)


def test_another_view_is_wanted_only_from_some_way_on():
    candidate = Candidate(ITEM)
    assert candidate.wants_view(0.0, spacing_mm=60)
    candidate.offer(view(1.0))
    assert candidate.take().captured_at == 1.0 and candidate.unclassified
    candidate.classified(said(0.7, 0.3), 5.0)
    assert not candidate.unclassified and candidate.classify_ms == 5.0
    wanted = [candidate.wants_view(mm, spacing_mm=60) for mm in (250, 309, 310, 190)]
    assert wanted == [False, False, True, True]


def test_the_best_view_is_that_with_the_most_confident_prediction():
    candidate = Candidate(ITEM)
    views = [view(1.0), view(2.0), view(3.0)]
    for one, confidence in zip(views, (0.6, 0.9, 0.8), strict=True):
        candidate.offer(one)
        candidate.take()
        candidate.classified(said(confidence, 1 - confidence), 1.0)
    assert candidate.best is views[1] and len(candidate.predictions) == 3
    with pytest.raises(ValueError, match="no view"):
        candidate.take()
