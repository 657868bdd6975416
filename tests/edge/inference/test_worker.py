import threading

import numpy as np
import pytest

from edge.errors import EwasteError
from edge.inference.classifier import Prediction
from edge.inference.worker import InlineInference, ThreadedInference

VIEW = np.zeros((8, 8, 3), np.uint8)
ANSWER = Prediction(np.zeros(2), np.array([0.5, 0.5]), np.zeros(4))


class Waiting:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.threads: list[str] = []

    def predict(self, view: np.ndarray) -> Prediction:
        self.threads.append(threading.current_thread().name)
        self.let.wait(10)
        return ANSWER


def test_a_slow_model_is_not_waited_for():
    model = Waiting()
    inference = ThreadedInference(model, patience_s=0.01)
    inference.start(VIEW)
    assert inference.answer() is None and inference.answer() is None
    model.let.set()
    prediction, took_ms = inference.wait()
    assert prediction is ANSWER and took_ms >= 20
    assert model.threads[0].startswith("classifier")
    inference.close()
    inference.close()


def test_inline_the_answer_is_there_at_once_in_the_same_thread():
    model = Waiting()
    model.let.set()
    inference = InlineInference(model)
    inference.start(VIEW)
    assert inference.answer()[0] is ANSWER
    assert model.threads == [threading.current_thread().name]
    with pytest.raises(ValueError, match="nothing was started"):
        inference.answer()


def test_what_the_model_raises_reaches_the_loop():
    class Broken:
        def predict(self, view: np.ndarray) -> Prediction:
            raise RuntimeError("no such operator")

    inference = ThreadedInference(Broken(), patience_s=5.0)
    inference.start(VIEW)
    with pytest.raises(RuntimeError, match="no such operator"):
        inference.answer()
    inference.close()


def test_a_model_that_hangs_or_is_ended_is_no_success_and_keeps_nothing_from_ending(monkeypatch):
    class Ending:
        def predict(self, view: np.ndarray) -> Prediction:
            raise SystemExit("as a library may")

    inference = ThreadedInference(Ending(), patience_s=5.0)
    for _ in range(2):  # the thread is still there for the second one
        inference.start(VIEW)
        with pytest.raises(EwasteError, match="SystemExit"):
            inference.answer()
    monkeypatch.setattr("edge.inference.worker.LONGEST_INFERENCE_S", 0.1)
    inference = ThreadedInference(Waiting(), patience_s=0.01)
    inference.start(VIEW)
    with pytest.raises(EwasteError, match="has not answered for"):
        inference.wait()
    assert inference._thread.daemon
