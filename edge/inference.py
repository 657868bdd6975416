"""The model at work beside the loop, so that a slow one holds up no gate."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Protocol

import numpy as np

from edge.classifier import Prediction


class Predicting(Protocol):
    """A classifier (`edge.classifier.Classifier`)."""

    def predict(self, view: np.ndarray) -> Prediction:
        """Classify one view: uint8 RGB [height, width, 3] of any size."""


class Inference:
    """One view at a time goes in; its prediction is asked for until it is there."""

    def __init__(self, classifier: Predicting, patience_s: float | None = None) -> None:
        """Set up for `classifier`.

        Args:
            classifier: the model.
            patience_s: how long `answer` waits, s; the model then works in a thread of its own.
                None: as long as it takes, in the thread that asks, the same way every time.
        """
        self._classifier = classifier
        self._patience_s = patience_s
        self._pool = ThreadPoolExecutor(1, "classifier") if patience_s is not None else None
        self._begun: Future[tuple[Prediction, float]] | None = None

    def start(self, view: np.ndarray) -> None:
        """Begin with a view, after the prediction of the one before was taken."""
        if self._pool is not None:
            self._begun = self._pool.submit(self._predict, view)
        else:
            self._begun = Future()
            self._begun.set_result(self._predict(view))

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
        """The prediction and what it took in ms, however long that is."""
        return self._taken(None)

    def close(self) -> None:
        """Give up what is under way; safe to call twice."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _taken(self, patience_s: float | None) -> tuple[Prediction, float]:
        if self._begun is None:
            raise ValueError("nothing was started")
        answer = self._begun.result(patience_s)
        self._begun = None
        return answer

    def _predict(self, view: np.ndarray) -> tuple[Prediction, float]:
        started = time.perf_counter()
        prediction = self._classifier.predict(view)
        return prediction, (time.perf_counter() - started) * 1000
