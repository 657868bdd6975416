"""Which view of which item the model classifies next."""

import cv2
import numpy as np
import pytest

from edge.belt.detector import Detection
from edge.belt.geometry import Box
from edge.belt.sighting import Sighting
from edge.belt.tracker import Extent, TrackedItem
from edge.belt.view import View
from edge.cameras.camera import Frame
from edge.inference.classifier import Prediction
from edge.inference.dispatcher import HOLD_S, Dispatcher, ItemViews
from edge.inference.worker import LONGEST_INFERENCE_S, InlineInference

LENGTH = Extent(0, 100, True, True)


def item(number: int, position_mm: float = 50.0) -> TrackedItem:
    along = Extent(position_mm - 50, position_mm + 50, True, True)
    return TrackedItem(number, along, Extent(0, 80, True, True), 0.0, 0.0, 2, along, 0.0)


def picture(blur: float = 0.0, side: int = 240) -> np.ndarray:
    grain = np.random.default_rng(0).integers(60, 200, (side // 8, side // 8, 3), np.uint8)
    pixels = cv2.resize(grain, (side, side), interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(pixels, (0, 0), blur) if blur else pixels


def view(at_s: float, blur: float = 0.0, off_center: float = 0.0) -> View:
    return View(picture(blur), at_s, 250 * at_s, off_center)


def sighting(tracked: TrackedItem, at_s: float, *, whole=True, touching=False) -> Sighting:
    box = Box(100, 100, 200, 200)
    return Sighting(
        item=tracked,
        detection=Detection(box, whole=whole, touching=touching),
        frame=Frame(picture(side=480), at_s, 0),
        encoder_mm=250 * at_s,
        box=box,
        whole=whole,
        touching=touching,
    )


def prediction(*probabilities: float) -> Prediction:
    shares = np.array(probabilities, np.float32)
    return Prediction(np.log(shares), shares, np.zeros(4, np.float32))


class Model:
    """Answers with the next of the given confidences."""

    def __init__(self, *confidences: float) -> None:
        self._confidences = list(confidences)

    def predict(self, view: np.ndarray) -> Prediction:
        confidence = self._confidences.pop(0) if self._confidences else 0.7
        return prediction(confidence, 1 - confidence)


def dispatcher(model: Model, spacing_mm: float = 60.0) -> Dispatcher:
    return Dispatcher(
        inference=InlineInference(model),
        spacing_mm=spacing_mm,
        now_mm=lambda: 0.0,
        deadline_mm=lambda tracked: tracked.position_mm,
    )


def test_sharpest_and_best_placed_view_waits():
    views = ItemViews(item(1))
    offered = [view(0.0, off_center=0.9), view(0.1), view(0.2, blur=2.0), view(0.3, off_center=0.5)]
    for one in offered:
        views.offer(one)
    assert views.waiting is offered[1]


def test_first_view_is_ready_at_once_and_a_further_one_is_held():
    views = ItemViews(item(1))
    assert not views.ready(5.0)
    views.offer(view(0.0))
    assert views.ready(0.0)
    views.take()
    views.answered(prediction(0.7, 0.3))
    views.offer(view(1.0, blur=2.0))
    views.offer(view(1.0 + HOLD_S / 2))
    assert not views.ready(1.0 + HOLD_S / 2)
    assert views.ready(1.0 + HOLD_S)


def test_another_view_is_needed_only_from_some_way_on():
    views = ItemViews(item(1))
    assert views.wants_view(0.0, spacing_mm=60)
    views.offer(view(1.0))
    assert views.take().captured_at == 1.0 and views.in_work and not views.answers
    views.answered(prediction(0.7, 0.3))
    assert not views.in_work and views.answers == 1
    needed = [views.wants_view(mm, spacing_mm=60) for mm in (250, 309, 310, 190)]
    assert needed == [False, False, True, True]


def test_best_view_has_the_most_confident_prediction():
    views = ItemViews(item(1))
    offered = [view(1.0), view(2.0), view(3.0)]
    for one, confidence in zip(offered, (0.6, 0.9, 0.8), strict=True):
        views.offer(one)
        views.take()
        views.answered(prediction(confidence, 1 - confidence))
    assert views.best is offered[1] and views.answers == 3
    with pytest.raises(ValueError, match="no view"):
        views.take()


def test_unclassified_items_come_first_then_the_nearest_deadline():
    dispatch = dispatcher(Model())
    dispatch.offer([sighting(item(1, 900.0), 0.0), sighting(item(2, 500.0), 0.0)])
    order = []
    for at_s in (0.0, 0.1, 1.0, 2.0):
        dispatch.offer([sighting(item(2, 500.0), at_s)])
        order += [answer.number for answer in dispatch.dispatch(at_s + HOLD_S)]
    assert order == [2, 1, 2, 2]


def test_touching_or_cut_off_items_are_not_classified():
    dispatch = dispatcher(Model())
    dispatch.offer([sighting(item(1), 0.0, touching=True), sighting(item(2), 0.0, whole=False)])
    assert dispatch.dispatch(0.0) == [] and dispatch.drain() == []
    assert dispatch.views_of(1).picture is not None, "its record still gets a picture"
    assert dispatch.views_of(2).picture is None


def test_concluded_item_takes_no_further_view():
    dispatch = dispatcher(Model())
    dispatch.offer([sighting(item(1), 0.0)])
    assert [answer.number for answer in dispatch.dispatch(0.0)] == [1]
    dispatch.conclude(1)
    dispatch.offer([sighting(item(1), 5.0)])
    assert dispatch.dispatch(5.0) == [] and dispatch.views_of(1).picture is None


class Away(InlineInference):
    """A model that does not answer before it is let go."""

    is_back = False

    def answer(self) -> tuple[Prediction, float] | None:
        return super().answer() if self.is_back else None


def test_a_model_that_does_not_come_back_hangs_but_only_while_it_is_asked():
    dispatch, inference = dispatcher(Model()), Away(Model())
    dispatch._inference = inference
    dispatch.offer([sighting(item(1), 0.0)])
    assert dispatch.dispatch(0.0) == [] and not dispatch.hangs
    dispatch.dispatch(LONGEST_INFERENCE_S)
    assert not dispatch.hangs
    dispatch.dispatch(LONGEST_INFERENCE_S + 1)
    assert dispatch.hangs
    inference.is_back = True
    assert len(dispatch.dispatch(LONGEST_INFERENCE_S + 2)) == 1 and not dispatch.hangs


def test_an_answer_that_nobody_fetched_for_a_while_is_no_hanging_model():
    dispatch, inference = dispatcher(Model()), Away(Model())
    dispatch._inference = inference
    dispatch.offer([sighting(item(1), 0.0)])
    dispatch.dispatch(0.0)
    inference.is_back = True  # while the camera is away
    assert not dispatch.hangs
    assert len(dispatch.dispatch(10 * LONGEST_INFERENCE_S)) == 1 and not dispatch.hangs


def test_a_settled_item_takes_no_further_view_but_keeps_its_picture():
    dispatch = dispatcher(Model())
    tracked = item(1)
    dispatch.offer([sighting(tracked, 0.0)])
    assert len(dispatch.dispatch(0.0)) == 1
    dispatch.settle(1)
    dispatch.offer([sighting(tracked, 9.0)])
    views = dispatch.views_of(1)
    assert not views.in_work and views.picture is not None and not views.concluded
    assert dispatch.dispatch(20.0) == []
