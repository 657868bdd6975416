"""What the size of an item says about its class: a likelihood that can never decide alone."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edge.bundle.sizes import SizeDistribution

LEAST_WEIGHT = 0.1
"""What an impossible size leaves of a class's probability, beside one of a perfect size."""
FITS = math.exp(-2.0)
"""The relative likelihood two standard deviations from the median: 95 % of a class are nearer."""


def size_weights(
    longer_mm: float | None, labels: Sequence[str], sizes: Mapping[str, SizeDistribution]
) -> np.ndarray:
    """How well a size fits each class, float64 [classes], from the floor to 1.

    Args:
        longer_mm: the item's longer side, mm; None, or not a length: it was not measured.
        labels: the classes.
        sizes: label -> its distribution; a class without one fits every size.

    The relative likelihood of the size is `L = exp(-z^2 / 2)` with `z = ln(longer_mm / median) /
    spread`, its density over the highest density of the class (Edwards, "Likelihood", 1972). The
    weight of a class is `max(floor, L / max(the highest L of any class, exp(-2)))`. A size only
    ever speaks against a class that it does not fit: two standard deviations from the median it
    still fits the class that it fits best.

    The floor is `max(0.1, 1 / (classes - 1))`. So size changes the odds of two classes by a factor
    of 10 at most. From a flat answer no class gets more than half, whatever the size.
    """
    weights = np.ones(len(labels))
    if longer_mm is None or not math.isfinite(longer_mm) or longer_mm <= 0 or len(labels) < 2:
        return weights
    floor = max(LEAST_WEIGHT, 1 / (len(labels) - 1))
    likelihoods = {
        label: math.exp(-(sizes[label].deviation(longer_mm) ** 2) / 2)
        for label in labels
        if label in sizes
    }
    best = max([FITS, *likelihoods.values()])
    for index, label in enumerate(labels):
        if label in likelihoods:
            weights[index] = max(floor, likelihoods[label] / best)
    return weights


def with_size(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weigh probabilities [classes] and let them sum to what they did; the type stays.

    Bayes' rule with the weights as likelihood. Equal weights change no bit.
    """
    if np.all(weights == weights[0]):
        return probabilities
    weighed = probabilities * weights
    total = weighed.sum()
    if not total > 0:
        return probabilities
    return (weighed * (probabilities.sum() / total)).astype(probabilities.dtype)
