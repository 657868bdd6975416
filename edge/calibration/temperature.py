"""Fit a model's temperature: how sure it is says how often it is right."""

import math
from collections.abc import Callable

import numpy as np

LEAST, MOST = 0.05, 20.0
"""Bounds of a fitted temperature."""
NARROWINGS = 48
"""Steps of the golden-section search: it ends within 6e-10 of the logarithm of the temperature."""
LEAST_LIKELY = 1e-12
"""A truth that is less likely than this counts as likely as this."""


def fit_temperature(logits: np.ndarray, classes: np.ndarray) -> float:
    """The temperature, 0.05 to 20, at which the truth is most likely (least mean log loss).

    Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017.

    Args:
        logits: float [n, classes].
        classes: int [n], the truth.
    """
    found = _least(
        lambda logarithm: _log_loss(logits, classes, math.exp(logarithm)),
        math.log(LEAST),
        math.log(MOST),
    )
    return math.exp(found)


def calibrated_loss(logits: np.ndarray, classes: np.ndarray) -> float:
    """The mean log loss at the temperature where it is least, nats.

    Args:
        logits: float [n, classes].
        classes: int [n], the truth.
    """
    return _log_loss(logits, classes, fit_temperature(logits, classes))


def _log_loss(logits: np.ndarray, classes: np.ndarray, temperature: float) -> float:
    # In 64 bits and without probabilities: rounded to 32, as those of a prediction are, they would
    # leave the minimum open in its fourth digit.
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    likely = scaled[np.arange(len(classes)), classes] - np.log(np.exp(scaled).sum(axis=1))
    return -float(np.maximum(likely, math.log(LEAST_LIKELY)).mean())


def _least(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one minimum between two bounds is least: golden-section search.

    Source: Kiefer, "Sequential minimax search for a maximum", Proc. AMS 4 (1953), 502-506.
    """
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(NARROWINGS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return (low + high) / 2
