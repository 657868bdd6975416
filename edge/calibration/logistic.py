"""Logistic regression on one feature."""

import math

import numpy as np

MOST_STEPS = 100
PRECISION = 1e-10
"""The search ends when a Newton step would lower the loss by less than this, nats an item."""


def fit_logistic(feature: np.ndarray, truth: np.ndarray, strength: float) -> tuple[float, float]:
    """Fit P(true) = 1 / (1 + exp(-slope * feature - intercept)).

    Minimizes slope^2 / 2 + strength * (sum of the log losses) by Newton's method; a step that does
    not lower it is halved. The intercept is not regularized.

    Args:
        feature: float [n].
        truth: bool [n], both of them there.
        strength: inverse strength of the regularization, above 0.

    Returns:
        The slope and the intercept.
    """
    feature, truth = np.asarray(feature, np.float64), np.asarray(truth, bool)
    # Scaled to mean 0 and deviation 1, so that the two parameters hardly depend on each other.
    mean, deviation = float(feature.mean()), max(float(feature.std()), 1e-12)
    scaled = (feature - mean) / deviation
    share = float(truth.mean())
    weights = np.array([0.0, math.log(share / (1 - share))])
    ridge = np.array([1 / deviation**2, 0.0])

    def loss(at: np.ndarray) -> float:
        signed = np.where(truth, -1.0, 1.0) * (at[0] * scaled + at[1])
        return float(strength * np.logaddexp(0, signed).sum() + (ridge * at**2).sum() / 2)

    best = loss(weights)
    for _ in range(MOST_STEPS):
        likely = 1 / (1 + np.exp(-np.clip(weights[0] * scaled + weights[1], -700, 700)))
        spread = strength * likely * (1 - likely)
        errors = strength * (likely - truth)
        gradient = np.array([(errors * scaled).sum(), errors.sum()]) + ridge * weights
        mixed = (spread * scaled).sum()
        curvature = np.array([[(spread * scaled**2).sum(), mixed], [mixed, spread.sum()]])
        curvature += np.diag(ridge + 1e-12)
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step / 2 < PRECISION * strength * len(truth):
            break
        while loss(weights - step) > best and np.abs(step).max() > 1e-12:
            step = step / 2
        weights = weights - step
        best = loss(weights)
    slope = float(weights[0]) / deviation
    return slope, float(weights[1]) - slope * mean
