"""The coefficients of a weighted, penalized logistic regression are those of the least loss."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.learned.logistic import fit_logistic


@dataclass(frozen=True)
class Problem:
    items: np.ndarray
    positive: np.ndarray
    weights: np.ndarray
    penalty: float

    def least_loss(self, coefficients: np.ndarray) -> float:
        """With the best of many constants."""
        signs = np.where(self.positive, 1.0, -1.0)
        constants = np.linspace(-30, 30, 1201)[:, np.newaxis]
        sides = signs * (self.items @ coefficients + constants)
        losses = np.logaddexp(0, -sides) @ self.weights
        return float(losses.min()) + self.penalty / 2 * float(coefficients @ coefficients)


@given(
    st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 8), st.sampled_from([1e-3, 0.01, 1])
)
def test_no_other_coefficients_lose_less(seed, count, dimensions, penalty):
    rng = np.random.default_rng(seed)
    items, positive = rng.normal(size=(count, dimensions)), np.arange(count) < max(1, count // 3)
    weights = rng.uniform(0.1, 1, count)
    weights /= weights.sum()
    problem = Problem(items, positive, weights, penalty)
    found = fit_logistic(items, positive, weights, penalty)
    for _ in range(5):
        moved = found + rng.normal(size=dimensions) * 0.3 * (1 + np.abs(found))
        assert problem.least_loss(moved) > problem.least_loss(found) - 2e-3


def test_weights_count_like_items():
    rng = np.random.default_rng(1)
    items, positive = rng.normal(size=(30, 4)), np.arange(30) < 10
    weights = np.repeat([3.0, 1.0], [10, 20])
    repeated = np.concatenate([items[:10]] * 3 + [items[10:]])
    many = np.arange(len(repeated)) < 30
    one = fit_logistic(items, positive, weights / weights.sum(), 0.1)
    other = fit_logistic(repeated, many, np.full(len(repeated), 1 / len(repeated)), 0.1)
    np.testing.assert_allclose(one, other, atol=1e-6)
