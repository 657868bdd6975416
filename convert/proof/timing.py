"""Latency of several models, measured in turns on a machine whose load varies."""

import time
from collections.abc import Sequence

import numpy as np

from edge.inference.classifier import Classifier

BURST = 3
"""Inferences in a row. The first is not timed: it loads the weights into the cache."""


def interleaved_median_ms(classifiers: Sequence[Classifier], rounds: int = 10) -> list[float]:
    """The median latency of one inference of each model, milliseconds.

    The models take turns, so that any other load slows all of them alike.

    Args:
        classifiers: the models.
        rounds: turns of each model, `BURST` inferences per turn.
    """
    generator = np.random.default_rng(0)
    images = [
        generator.integers(0, 256, (each.size, each.size, 3), np.uint8) for each in classifiers
    ]
    times_ms: list[list[float]] = [[] for _ in classifiers]
    for _ in range(rounds):
        for classifier, image, measured in zip(classifiers, images, times_ms, strict=True):
            classifier.predict_input(image)
            for _ in range(BURST - 1):
                started = time.perf_counter()
                classifier.predict_input(image)
                measured.append((time.perf_counter() - started) * 1000)
    return [float(np.median(measured)) for measured in times_ms]
