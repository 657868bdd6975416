"""Fit a model's temperature: how sure it is says how often it is right."""

import numpy as np
from scipy.optimize import minimize_scalar

from edge.inference.classifier import softmax


def fit_temperature(logits: np.ndarray, classes: np.ndarray) -> float:
    """The temperature, 0.05 to 20, at which the truth is most likely (least mean log loss).

    Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    bounds = float(np.log(0.05)), float(np.log(20))
    found = minimize_scalar(
        lambda logarithm: _log_loss(logits, classes, np.exp(logarithm)),
        bounds=bounds,
        method="bounded",
    )
    return float(np.exp(found.x))


def calibrated_loss(logits: np.ndarray, classes: np.ndarray) -> float:
    """The mean log loss at the temperature where it is least, nats.

    Args:
        logits: float [n, classes].
        classes: int [n], the truth.
    """
    return _log_loss(logits, classes, fit_temperature(logits, classes))


def _log_loss(logits: np.ndarray, classes: np.ndarray, temperature: float) -> float:
    likely = softmax(logits, temperature)[np.arange(len(classes)), classes]
    return -float(np.log(np.maximum(likely, 1e-12)).mean())
