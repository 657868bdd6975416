"""Logistic regression with weights and a penalty, by Newton's method."""

import numpy as np

ROUNDS = 30
LONGEST_STEP = 20.0
"""Of any coefficient in one round, so that the first rounds do not overshoot."""
SETTLED = 1e-5
LEAST_CURVATURE = 1e-9


def fit_logistic(
    items: np.ndarray, positive: np.ndarray, weights: np.ndarray, penalty: float
) -> np.ndarray:
    """The coefficients that set positive items apart, float64 [d], without the constant.

    Minimizes `penalty / 2 * |w|^2` plus the weighted sum of the logistic losses; the constant is
    not penalized. Source: Hastie, Tibshirani, Friedman, "The elements of statistical learning",
    2009, 4.4.1.

    Args:
        items: float [n, d].
        positive: bool [n].
        weights: float [n], positive, 1 in all.
        penalty: positive.
    """
    rows = np.column_stack([np.asarray(items, np.float64), np.ones(len(items))])
    found = np.zeros(rows.shape[1])
    penalties = np.full(rows.shape[1], penalty)
    penalties[-1] = LEAST_CURVATURE
    for _ in range(ROUNDS):
        likely = 0.5 * (1 + np.tanh(rows @ found / 2))
        gradient = rows.T @ (weights * (likely - positive)) + penalties * found
        curvature = weights * np.maximum(likely * (1 - likely), LEAST_CURVATURE)
        hessian = (rows * curvature[:, np.newaxis]).T @ rows + np.diag(penalties)
        step = np.linalg.solve(hessian, gradient)
        longest = float(np.abs(step).max())
        found -= step * min(1.0, LONGEST_STEP / max(longest, LEAST_CURVATURE))
        if longest < SETTLED:
            break
    return found[:-1]
