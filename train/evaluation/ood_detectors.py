"""Fit OOD detectors on known items, and evaluate them; see `edge.inference.ood`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from edge.calibration.answers import Answers, pooled_answers
from edge.calibration.ood_limit import threshold_keeping
from edge.inference.classifier import softmax
from edge.inference.ood import (
    KNOWN,
    NEGATIVES,
    SCALING,
    SUM,
    OodDetector,
    OodRule,
    pack_detector,
    unit,
    unpack_detector,
)
from edge.intervals import wilson

DIMENSIONS = 256
"""Of the space in which Mahalanobis distances are measured, at most."""
DIRECTIONS = 128
"""In which the nearest neighbors are looked for, at most."""


PAIRS = (
    ("neighbors", "discriminant"),
    ("energy", "discriminant"),
    ("collapse", "discriminant"),
    ("neighbors", "energy"),
    ("neighbors", "collapse"),
)
"""Scores that are also tried added up: one by where known items lie, one by what is sure."""
DISCRIMINANT_STRENGTH = 1.0
"""Inverse strength of the discriminant's regularization, on embeddings of length 10."""
KNOWN_DIRECTIONS = 256
"""In which known items and negatives are kept for a device that is taught a class."""
MOST_KNOWN, MOST_NEGATIVES = 1500, 1000
"""Of these, at most: 2 MB in all."""


@dataclass(frozen=True)
class Negatives:
    """Answers to things of no known class that were photographed, not made up.

    Attributes:
        answers: to all of them.
        groups: int [n], what each shows; a detector is judged on groups that it has not seen.
    """

    answers: Answers
    groups: np.ndarray


def fit_detectors(
    answers: Answers,
    classes: np.ndarray,
    *,
    known: Answers,
    temperature: float,
    negatives: Answers | None = None,
) -> dict[str, OodDetector]:
    """A detector by each score, as it comes out of its file; the thresholds are still 0.

    Args:
        answers: to the known items to compare with.
        classes: int [items], of each.
        known: to other known items; sums of two scores are scaled by them.
        temperature: the calibrated one.
        negatives: to things of no known class; None: no discriminant is fitted.
    """
    directions = unit(answers.embeddings)
    center = answers.embeddings.mean(axis=0)
    arrays: dict[str, Mapping[str, np.ndarray]] = {
        "energy": {"temperature": np.float32(temperature)},
        "entropy": {"temperature": np.float32(temperature)},
        "mahalanobis": _whitened(directions, classes),
        "neighbors": _in_main_directions(directions),
        "collapse": {"center": center, "kernel": _last_layer(answers)},
    }
    if negatives is not None:
        arrays["discriminant"] = _discriminant(answers.embeddings, negatives.embeddings, center)
    singles = {score: stored_detector(score, each, classes) for score, each in arrays.items()}
    pairs = {
        SUM.join(pair): _added(pair, singles, known, classes)
        for pair in PAIRS
        if all(part in singles for part in pair)
    }
    # What is taught on a device is set apart from known items, whatever the score, and from things
    # of no known class.
    if negatives is None:
        known_items = {f"known.{name}": array for name, array in arrays["neighbors"].items()}
    else:
        known_items = _set_apart(directions, unit(negatives.embeddings))
    return {
        score: detector
        if "neighbors" in score and negatives is None
        else replace(detector, arrays=MappingProxyType({**detector.arrays, **known_items}))
        for score, detector in (singles | pairs).items()
    }


def _added(
    pair: tuple[str, str],
    singles: Mapping[str, OodDetector],
    known: Answers,
    classes: np.ndarray,
) -> OodDetector:
    """Two detectors as one, each score in standard deviations over known items."""
    scores = np.stack([singles[part].score(known.logits, known.embeddings) for part in pair])
    scaling = np.stack([scores.mean(axis=1), np.maximum(scores.std(axis=1), 1e-3)])
    arrays = {
        f"{part}.{name}": array for part in pair for name, array in singles[part].arrays.items()
    }
    return stored_detector(SUM.join(pair), {**arrays, SCALING: scaling}, classes)


def _last_layer(answers: Answers) -> np.ndarray:
    """The kernel of the last layer, float [features, classes], as the answers show it."""
    known = np.column_stack([answers.embeddings, np.ones(len(answers.embeddings))])
    return np.linalg.lstsq(known, answers.logits, rcond=1e-6)[0][:-1]


def _discriminant(
    known: np.ndarray, negatives: np.ndarray, center: np.ndarray
) -> dict[str, np.ndarray]:
    """The direction in which known items differ most from negatives.

    That of a logistic regression on the directions from the center, both sides weighing the same.
    """
    directions = unit(np.concatenate([known, negatives]) - center)
    truth = np.concatenate([np.ones(len(known)), np.zeros(len(negatives))])
    regression = LogisticRegression(
        C=DISCRIMINANT_STRENGTH, class_weight="balanced", max_iter=1000
    ).fit(10 * directions, truth)
    return {"center": center, "direction": 10 * regression.coef_[0]}


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


def _set_apart(known: np.ndarray, negatives: np.ndarray) -> dict[str, np.ndarray]:
    """Known items and negatives in the directions in which they differ most, as `KNOWN` names them.

    Args:
        known: float [known items, features], unit vectors.
        negatives: float [negatives, features], unit vectors.
    """
    known = known[:: -(-len(known) // MOST_KNOWN)]
    negatives = negatives[:: -(-len(negatives) // MOST_NEGATIVES)]
    together = np.concatenate([known, negatives])
    _, _, axes = np.linalg.svd(together - together.mean(axis=0), full_matrices=False)
    projection = axes[:KNOWN_DIRECTIONS].T
    return {
        KNOWN[0]: projection,
        KNOWN[1]: known @ projection,
        NEGATIVES: negatives @ projection,
    }


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
    *,
    known: Answers,
    ood_samples: Mapping[str, Answers],
    temperature: float,
    negatives: Mapping[str, Negatives] | None = None,
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
        negatives: kind -> the same negatives under some condition. Each half of their groups is
            judged by detectors that have seen only the other half.

    Returns score -> kind -> `rejection`, and the mean AUROC over the kinds as `mean_auroc`; the
    confidence (`max_softmax`) is there for comparison.
    """
    negatives = negatives or {}

    def scores(seen: Answers | None) -> dict[str, Callable[[Answers], np.ndarray]]:
        detectors = fit_detectors(
            references, reference_classes, known=known, temperature=temperature, negatives=seen
        )
        by_score: dict[str, Callable[[Answers], np.ndarray]] = {
            score: lambda answers, detector=detector: detector.score(  # type: ignore[misc]
                answers.logits, answers.embeddings
            )
            for score, detector in detectors.items()
        }
        by_score["max_softmax"] = lambda answers: max_softmax(answers.logits, temperature)
        return by_score

    seen = pooled_answers([each.answers for each in negatives.values()]) if negatives else None
    of_all = scores(seen)
    kinds = {
        score: {kind: rejection(of(known), of(each)) for kind, each in ood_samples.items()}
        for score, of in of_all.items()
    }
    for kind, figures in _on_unseen_negatives(scores, known, negatives).items():
        for score in kinds:
            kinds[score][kind] = figures[score]
    return {
        score: {
            "mean_auroc": float(np.mean([each["auroc"] for each in of_score.values()])),
            "kinds": of_score,
        }
        for score, of_score in kinds.items()
    }


def _on_unseen_negatives(
    scores: Callable[[Answers | None], dict[str, Callable[[Answers], np.ndarray]]],
    known: Answers,
    negatives: Mapping[str, Negatives],
) -> dict[str, dict[str, dict]]:
    """Kind -> score -> `rejection` of negatives by detectors that have seen other groups only."""
    groups = sorted({int(group) for each in negatives.values() for group in each.groups})
    if len(groups) < 2:
        return {}
    parts: dict[str, dict[str, list[np.ndarray]]] = {kind: {} for kind in negatives}
    for unseen in (groups[::2], groups[1::2]):
        others = [each.answers.chosen(~np.isin(each.groups, unseen)) for each in negatives.values()]
        for score, of in scores(pooled_answers(others)).items():
            of_known = of(known)
            spread = max(float(of_known.std()), 1e-9)
            for kind, each in negatives.items():
                judged = of(each.answers.chosen(np.isin(each.groups, unseen)))
                # In the deviations of each detector, so that both halves can be laid together.
                pair = [(values - of_known.mean()) / spread for values in (of_known, judged)]
                held = parts[kind].setdefault(score, [])
                held.extend(pair)
    return {
        kind: {
            score: rejection(np.concatenate(held[::2]), np.concatenate(held[1::2]))
            for score, held in of_kind.items()
        }
        for kind, of_kind in parts.items()
    }


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
