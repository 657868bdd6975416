"""Calibration of probabilities: the reliability diagram and the expected calibration error."""

from collections.abc import Sequence

import numpy as np


def reliability(classes: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> list[dict]:
    """Accuracy by confidence: a reliability diagram with `bins` equal bins from 0 to 1.

    Args:
        classes: int [photos], the true class of each.
        probabilities: float [photos, classes], at the model's temperature.
        bins: number of bins; each is open below and closed above, as in Guo et al.

    Returns:
        The bins that hold photos, each with low, high, images, and the mean confidence and accuracy
        of its photos.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == classes
    part = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        {
            "low": index / bins,
            "high": (index + 1) / bins,
            "images": int((part == index).sum()),
            "confidence": float(confidence[part == index].mean()),
            "accuracy": float(right[part == index].mean()),
        }
        for index in np.unique(part).tolist()
    ]


def calibration_error(parts: Sequence[dict]) -> float:
    """Expected calibration error of the `reliability` of a model, 0 to 1.

    The mean gap between confidence and accuracy, weighted by photos. Source: Guo, Pleiss, Sun,
    Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    gaps = [part["images"] * abs(part["confidence"] - part["accuracy"]) for part in parts]
    return sum(gaps) / sum(part["images"] for part in parts)


def calibration_error_by_chance(
    probabilities: np.ndarray, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The calibration error of predictions whose confidence is exactly right.

    On few photos the error is never 0: by chance, a bin holds more or fewer correct predictions
    than expected. Predictions are drawn as correct with the probability of their confidence.

    Args:
        probabilities: float [photos, classes].
        draws: number of simulations.
        seed: of the simulations.

    Returns:
        The mean of the error and its 95 % quantile, 0 to 1.
    """
    rng = np.random.default_rng(seed)
    confidence = probabilities.max(axis=1)
    top = probabilities.argmax(axis=1)
    errors = []
    for _ in range(draws):
        right = rng.random(len(confidence)) < confidence
        errors.append(calibration_error(reliability(np.where(right, top, -1), probabilities)))
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))
