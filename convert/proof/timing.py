"""How long models take beside each other, on a machine that is never equally busy."""

import time
from collections.abc import Sequence

import numpy as np

from edge.inference.classifier import Classifier

BURST = 3
"""Inferences in a row; the first is not timed, for others pushed its weights out of the cache."""


def median_in_turns(classifiers: Sequence[Classifier], rounds: int = 10) -> list[float]:
    """The median milliseconds of one inference of each model.

    The models take turns, so that whatever else the machine does slows them all alike.
    """
    generator = np.random.default_rng(0)
    images = [
        generator.integers(0, 256, (each.size, each.size, 3), np.uint8) for each in classifiers
    ]
    times: list[list[float]] = [[] for _ in classifiers]
    for _ in range(rounds):
        for classifier, image, taken in zip(classifiers, images, times, strict=True):
            classifier.predict_input(image)
            for _ in range(BURST - 1):
                started = time.perf_counter()
                classifier.predict_input(image)
                taken.append((time.perf_counter() - started) * 1000)
    return [float(np.median(taken)) for taken in times]
