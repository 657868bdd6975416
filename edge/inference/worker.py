"""Run the model on one view at a time, in a thread of its own: a slow model delays no gate."""

import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, TypeAlias

import numpy as np

from edge.errors import EwasteError
from edge.inference.classifier import Prediction

LONGEST_INFERENCE_S = 30.0
"""A model that takes longer for one view does not come back."""
Answer: TypeAlias = "Future[tuple[Prediction, float]]"


class Predicting(Protocol):
    """A classifier (`edge.inference.classifier.Classifier`)."""

    def predict(self, view: np.ndarray) -> Prediction:
        """Classify one view: uint8 RGB [height, width, 3] of any size."""


class Inference(Protocol):
    """A view goes in, and its prediction is asked for until it is there."""

    def start(self, view: np.ndarray) -> None:
        """Begin with a view, after the prediction of the one before was taken."""

    def answer(self) -> tuple[Prediction, float] | None:
        """The prediction and what it took in ms; None: not yet."""

    def wait(self) -> tuple[Prediction, float]:
        """The prediction and what it took in ms, however long that is."""

    def exchange(self, classifier: Predicting) -> None:
        """Classify with another model from now on, while nothing is under way."""

    def close(self) -> None:
        """Give up what is under way; safe to call twice."""


class InlineInference:
    """Works in the thread that asks, for as long as it takes: the same way every time."""

    def __init__(self, classifier: Predicting) -> None:
        self._classifier = classifier
        self._answer: tuple[Prediction, float] | None = None

    def start(self, view: np.ndarray) -> None:
        """Classify a view."""
        self._answer = timed(self._classifier, view)

    def answer(self) -> tuple[Prediction, float]:
        """The prediction and what it took in ms."""
        if self._answer is None:
            raise ValueError("nothing was started")
        answer, self._answer = self._answer, None
        return answer

    wait = answer

    def exchange(self, classifier: Predicting) -> None:
        """Classify with another model from now on."""
        self._classifier = classifier

    def close(self) -> None:
        """Nothing is ever under way."""


class ThreadedInference:
    """Works in a thread of its own; who asks waits for a moment and comes again."""

    def __init__(self, classifier: Predicting, patience_s: float) -> None:
        """Set up.

        Args:
            classifier: the model.
            patience_s: how long `answer` waits, s.
        """
        self._classifier, self._patience_s = classifier, patience_s
        self._given: SimpleQueue[tuple[np.ndarray, Answer] | None] = SimpleQueue()
        self._begun: Answer | None = None
        # A daemon: a model that hangs does not keep the program from ending.
        self._thread = Thread(target=self._work, name="classifier", daemon=True)
        self._thread.start()

    def start(self, view: np.ndarray) -> None:
        """Begin with a view."""
        self._begun = Future()
        self._given.put((view, self._begun))

    def answer(self) -> tuple[Prediction, float] | None:
        """The prediction and what it took in ms; None: not yet.

        Raises:
            Exception: whatever the model raised.
        """
        try:
            return self._taken(self._patience_s)
        except NotYet:
            return None

    def wait(self) -> tuple[Prediction, float]:
        """The prediction and what it took in ms.

        Raises:
            Exception: whatever the model raised, or it took longer than `LONGEST_INFERENCE_S`.
        """
        try:
            return self._taken(LONGEST_INFERENCE_S)
        except NotYet:
            raise EwasteError(
                f"the model has not answered for {LONGEST_INFERENCE_S:.0f} s"
            ) from None

    def exchange(self, classifier: Predicting) -> None:
        """Classify with another model from now on: the thread takes it with the next view."""
        self._classifier = classifier

    def close(self) -> None:
        """Give up what is under way; safe to call twice."""
        self._given.put(None)

    def _work(self) -> None:
        while (given := self._given.get()) is not None:
            view, answer = given
            try:
                answer.set_result(timed(self._classifier, view))
            except Exception as error:
                answer.set_exception(error)
            except BaseException as error:  # SystemExit would end the line as if it were done
                answer.set_exception(EwasteError(f"the model: {error!r}"))

    def _taken(self, patience_s: float | None) -> tuple[Prediction, float]:
        if self._begun is None:
            raise ValueError("nothing was started")
        answer = self._begun.result(patience_s)
        self._begun = None
        return answer


def timed(classifier: Predicting, view: np.ndarray) -> tuple[Prediction, float]:
    """The prediction of a view and what it took in ms."""
    started = time.perf_counter()
    prediction = classifier.predict(view)
    return prediction, (time.perf_counter() - started) * 1000
