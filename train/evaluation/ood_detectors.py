"""Fit OOD detectors on known items, and evaluate them; see `edge.inference.ood`."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from sklearn.metrics import roc_auc_score

from edge.inference.classifier import softmax
from edge.inference.ood import OodDetector, OodRule, pack_detector, unit, unpack_detector
from train.evaluation.predictor import Answers
from train.intervals import wilson

DIMENSIONS = 256
"""Of the space in which Mahalanobis distances are measured, at most."""
DIRECTIONS = 128
"""In which the nearest neighbors are looked for, at most."""


def fit_detectors(
    answers: Answers, classes: np.ndarray, temperature: float
) -> dict[str, OodDetector]:
    """A detector by each score, as it comes out of its file; the thresholds are still 0.

    Args:
        answers: to the known items to compare with.
        classes: int [items], of each.
        temperature: the calibrated one.
    """
    directions = unit(answers.embeddings)
    arrays = {
        "energy": {"temperature": np.float32(temperature)},
        "mahalanobis": _whitened(directions, classes),
        "neighbors": _in_main_directions(directions),
    }
    return {score: stored_detector(score, each, classes) for score, each in arrays.items()}


def stored_detector(
    score: str, arrays: Mapping[str, np.ndarray], classes: np.ndarray
) -> OodDetector:
    """A detector with the rounding of its file, so that thresholds fit what the device has."""
    detector = OodDetector(
        OodRule.model_validate({"score": score, "threshold": 0.0}), MappingProxyType(arrays)
    )
    return unpack_detector(pack_detector(detector), detector.rule, len(np.unique(classes)))


def _whitened(directions: np.ndarray, classes: np.ndarray) -> dict[str, np.ndarray]:
    """Projection and class centers for `edge.inference.ood.mahalanobis`.

    The shared covariance is shrunk: to each principal axis' spread the mean one is added a tenth,
    so that axes in which few known items hardly differ do not outweigh all others.
    """
    found, place = np.unique(classes, return_inverse=True)
    centers = np.stack([directions[classes == each].mean(axis=0) for each in found])
    residuals = directions - centers[place]
    _, spreads, axes = np.linalg.svd(residuals, full_matrices=False)
    kept = max(1, min(DIMENSIONS, len(residuals) - len(found), len(axes)))
    deviations = spreads[:kept] / np.sqrt(len(residuals))
    projection = axes[:kept].T / np.maximum(deviations + 0.1 * deviations.mean(), 1e-4)
    return {"projection": projection, "centers": centers @ projection}


def _in_main_directions(directions: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of `edge.inference.ood.neighbors`: its directions are the leading right singular
    ones.
    """
    _, _, axes = np.linalg.svd(directions, full_matrices=False)
    projection = axes[:DIRECTIONS].T
    return {"projection": projection, "references": directions @ projection}


def compare_detectors(
    references: Answers,
    reference_classes: np.ndarray,
    known: Answers,
    ood_samples: Mapping[str, Answers],
    temperature: float,
) -> dict[str, dict]:
    """Measure how well each score separates known items from OOD samples.

    A class that the detector has not seen is no good OOD sample: the model has learned it, and its
    answers point away from all other classes.

    Args:
        references: the known items that the detectors compare with.
        reference_classes: int, of each.
        known: other known items, those of val.
        ood_samples: kind -> answers to samples of that kind.
        temperature: the calibrated one.

    Returns score -> kind -> `rejection`, and the mean AUROC over the kinds as `mean_auroc`; the
    confidence (`max_softmax`) is there for comparison.
    """
    detectors = fit_detectors(references, reference_classes, temperature)
    scores = {score: detector.score for score, detector in detectors.items()}
    scores["max_softmax"] = lambda logits, embeddings: max_softmax(logits, temperature)
    compared = {}
    for score, of in scores.items():
        of_known = of(known.logits, known.embeddings)
        kinds = {
            kind: rejection(of_known, of(each.logits, each.embeddings))
            for kind, each in ood_samples.items()
        }
        mean = float(np.mean([each["auroc"] for each in kinds.values()]))
        compared[score] = {"mean_auroc": mean, "kinds": kinds}
    return compared


def max_softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    """The confidence: largest probability of float [n, classes], as float [n], 0 to 1.

    Source: Hendrycks, Gimpel, "A baseline for detecting misclassified and out-of-distribution
    examples in neural networks", ICLR 2017.
    """
    return softmax(logits, temperature).max(axis=1)


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Chance, 0 to 1, that a known item scores above an unknown thing; ties count half."""
    truth = np.concatenate([np.ones(len(known)), np.zeros(len(unknown))])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


def threshold_keeping(known: np.ndarray, share: float = 0.95) -> float:
    """The greatest threshold that at least `share` of the known items reach."""
    kept = int(np.ceil(share * len(known) - 1e-9))
    return float(np.sort(known)[len(known) - kept])


def rejection(known: np.ndarray, unknown: np.ndarray) -> dict:
    """Figures of one score: `auroc`, and `accepted_at_95` with its Wilson 95 % interval.

    The latter is the share of OOD samples at or above the `threshold` that keeps 95 % of the
    known items.
    """
    threshold = threshold_keeping(known)
    accepted = int((unknown >= threshold).sum())
    low, high = wilson(accepted, len(unknown))
    return {
        "auroc": auroc(known, unknown),
        "threshold": threshold,
        "accepted_at_95": accepted / len(unknown),
        "accepted_at_95_low": low,
        "accepted_at_95_high": high,
    }
