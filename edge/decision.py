"""The predictions of one item become a verdict: a label or `unknown`, a bin, and the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.classifier import Prediction

UNKNOWN = "unknown"
MANUAL = "manual"


@dataclass(frozen=True)
class Verdict:
    """The decision on one item.

    Attributes:
        label: one of the model's classes, or `unknown`.
        confidence: probability of the most likely class, averaged over the views, 0 to 1.
        bin: where the item goes; `manual` when unsure.
        reason: why, in words for the person at the line.
    """

    label: str
    confidence: float
    bin: str
    reason: str


@dataclass(frozen=True)
class DecisionRules:
    """What a verdict is decided by.

    Attributes:
        labels: the model's classes, in the order of its outputs.
        bins: the bin of each label; a label without one goes to `manual`.
        threshold: least confidence for a label, 0 to 1.
        hazards: labels that must never reach another class's bin.
        hazard_suspicion: the probability of a hazard, 0 to 1, from which an item of another label
            goes to `manual`.
    """

    labels: tuple[str, ...]
    bins: Mapping[str, str]
    threshold: float
    hazards: frozenset[str]
    hazard_suspicion: float


def vote(predictions: Sequence[Prediction]) -> np.ndarray:
    """Mean probabilities over the views of one item, float32 [classes]."""
    return np.mean([prediction.probabilities for prediction in predictions], axis=0)


def decide(predictions: Sequence[Prediction], rules: DecisionRules) -> Verdict:
    """Decide on one item from the predictions of its views (none: it was never seen well)."""
    if not predictions:
        return Verdict(UNKNOWN, 0.0, MANUAL, "no whole view of the item")
    probabilities = vote(predictions)
    best = int(np.argmax(probabilities))
    label, confidence = rules.labels[best], float(probabilities[best])
    suspected = [
        f"{other} {probability:.0%}"
        for other, probability in zip(rules.labels, probabilities, strict=True)
        if other in rules.hazards and other != label and probability >= rules.hazard_suspicion
    ]
    if confidence < rules.threshold:
        reason = f"unsure: {label} {confidence:.0%} is under the threshold {rules.threshold:.0%}"
        return Verdict(UNKNOWN, confidence, MANUAL, reason)
    if suspected:
        reason = f"{label} {confidence:.0%}, but may be {' or '.join(suspected)}"
        return Verdict(label, confidence, MANUAL, reason)
    if label not in rules.bins:
        return Verdict(label, confidence, MANUAL, f"{label} {confidence:.0%} has no bin of its own")
    views = "1 view" if len(predictions) == 1 else f"{len(predictions)} views"
    return Verdict(label, confidence, rules.bins[label], f"{label} {confidence:.0%} over {views}")
