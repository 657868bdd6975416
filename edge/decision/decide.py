"""The predictions of one item become a verdict: a label or `unknown`, a bin, and the reason."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np

from edge.bundle.manifest import DecisionParameters
from edge.bundle.sizes import SizeDistribution
from edge.decision.sensing import (
    HiddenHazard,
    SensorAnswer,
    SensorRule,
    hidden_hazards,
    missing_answers,
    sensor_weights,
)
from edge.decision.size import LEAST_WEIGHT, size_weights, with_size
from edge.inference.classifier import Prediction
from edge.inference.ood import OodRule
from edge.inference.touching import TouchingRule
from edge.labels import MANUAL, UNKNOWN
from edge.verdict import Reason, Verdict

NOT_A_NUMBER = "the model's answer is not a number"
"""The detail for an item whose prediction holds NaN or an infinity."""


class Detecting(Protocol):
    """What finds out-of-distribution items (`edge.inference.ood.OodDetector`)."""

    @property
    def rule(self) -> OodRule:
        """Which score, and the value from which an item is in distribution."""

    def score(self, logits: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """The scores of items, float [n], from their logits [n, classes], embeddings [n, 2048]."""


@dataclass(frozen=True)
class DecisionRules:
    """What a verdict is decided by.

    Attributes:
        labels: the model's classes, in the order of its outputs.
        bins: the bin of each label; a label without one goes to `manual`.
        thresholds: label -> least confidence for it, 0 to 1.
        hazard_thresholds: hazard, a label that must never reach a bin it does not share -> the
            probability, 0 to 1, from which an item of another label goes to `manual`.
        ood_detector: finds out-of-distribution items; None: only the thresholds do.
        sizes: label -> how large its items are; a label without one may have any size.
        sensors: what the answers of other sensors mean.
        touching: tells several items from one by their views too; None: their outlines alone do.
    """

    labels: tuple[str, ...]
    bins: Mapping[str, str]
    thresholds: Mapping[str, float]
    hazard_thresholds: Mapping[str, float]
    ood_detector: Detecting | None = None
    sizes: Mapping[str, SizeDistribution] = field(default_factory=dict)
    sensors: tuple[SensorRule, ...] = ()
    touching: TouchingRule | None = None

    @property
    def certainly_several(self) -> float:
        """The score of its outlines above which an item is several, whatever its views say."""
        return 0.0 if self.touching is None else self.touching.certain

    def size_weights(self, longer_mm: float | None) -> np.ndarray:
        """How well an item's longer side (mm; None: unknown) fits each class, float64 [classes]."""
        return size_weights(longer_mm, self.labels, self.sizes)

    def weights(
        self, by_size: np.ndarray, answers: Sequence[SensorAnswer], *, doubtful: bool = False
    ) -> np.ndarray:
        """How well size (`size_weights`) and sensors fit each class, float64 [classes].

        No class gets less than the floor of `size_weights`.
        """
        if not answers:
            return by_size
        given = sensor_weights(answers, self.sensors, self.labels, doubtful=doubtful)
        together = by_size * given
        floor = max(LEAST_WEIGHT, 1 / max(1, len(self.labels) - 1))
        return np.maximum(floor, together / together.max())


def rules_for(
    parameters: DecisionParameters, bins: Mapping[str, str], ood_detector: Detecting | None
) -> DecisionRules:
    """The rules that a run or a bundle comes with."""
    return DecisionRules(
        parameters.labels,
        bins,
        parameters.threshold_of,
        parameters.hazard_threshold_of,
        ood_detector,
    )


def vote(predictions: Sequence[Prediction]) -> np.ndarray:
    """Mean probabilities over the views of one item, float32 [classes].

    The mean of probabilities, not of their logarithms: one view that shows a hazard is enough to
    reach a hazard threshold, whatever the others say.
    """
    return np.mean([prediction.probabilities for prediction in predictions], axis=0)


def decide(
    predictions: Sequence[Prediction],
    rules: DecisionRules,
    longer_mm: float | None = None,
    answers: Sequence[SensorAnswer] | None = None,
    score: Callable[[], float] | None = None,
) -> Verdict:
    """Decide on one item.

    Hazards come first: what may be one goes to no bin but its own, also when it is unsure or like
    nothing known. Neither its size nor another sensor ever clears an item of that: a hazard is
    suspected by the views alone or by all together, whichever says more, and an item that the views
    call a hazard goes to no other bin. What a sensor found under doubtful circumstances raises only
    that.

    Args:
        predictions: of its views; none: it was never seen well.
        rules: what to decide by.
        longer_mm: its longer side, mm; None: unknown.
        answers: of the other sensors; None: they are not asked, whatever the rules say.
        score: returns the `likeness` of the predictions, for who keeps it; None: it is worked out.
    """
    if not predictions:
        return Verdict(UNKNOWN, 0.0, MANUAL, Reason.NO_VIEW, "no whole view of the item")
    if not all(map(is_finite, predictions)):
        return Verdict(UNKNOWN, 0.0, MANUAL, Reason.INVALID, NOT_A_NUMBER)
    by_views, by_size = vote(predictions), rules.size_weights(longer_mm)
    probabilities = with_size(by_views, rules.weights(by_size, answers or ()))
    doubtful = with_size(by_views, rules.weights(by_size, answers or (), doubtful=True))
    likely = np.maximum.reduce([by_views, probabilities, doubtful])
    best = int(np.argmax(probabilities))
    label, confidence = rules.labels[best], float(probabilities[best])
    seen_as = rules.labels[int(np.argmax(by_views))]
    named = f"{label} {confidence:.0%}"
    if seen_as != label:
        sized = int(np.argmax(with_size(by_views, by_size)))
        by = "other sensors" if sized != best else f"its size of {longer_mm:.0f} mm"
        named += f" by {by}, {seen_as} by its looks"
    doubt = _doubt(label, confidence, rules, score or partial(likeness, predictions, rules))
    suspected = _suspected(likely, label, seen_as, rules)
    hidden, missing = _by_sensors(answers, rules, label, likely)
    if suspected or hidden:
        detail = f"{named}, but may be {' or '.join([*suspected, *(each.text for each in hidden)])}"
        if doubt:
            detail += f"; {doubt.detail}"
        believed = UNKNOWN if doubt else label
        bin_name = MANUAL if suspected or doubt else _bin_of(hidden)
        return Verdict(believed, confidence, bin_name, Reason.HAZARD_SUSPECTED, detail)
    if doubt:
        return Verdict(UNKNOWN, confidence, MANUAL, doubt.reason, doubt.detail)
    if label not in rules.bins:
        detail = f"{named} has no bin of its own"
        return Verdict(label, confidence, MANUAL, Reason.NO_BIN, detail, disputed=False)
    if missing:
        detail = f"{named}, but without the answer of {', '.join(missing)}"
        return Verdict(label, confidence, MANUAL, Reason.SENSOR_SILENT, detail)
    views = "1 view" if len(predictions) == 1 else f"{len(predictions)} views"
    detail = f"{named} over {views}"
    return Verdict(label, confidence, rules.bins[label], Reason.SORTED, detail, disputed=False)


def _by_sensors(
    answers: Sequence[SensorAnswer] | None, rules: DecisionRules, label: str, likely: np.ndarray
) -> tuple[list[HiddenHazard], list[str]]:
    """The hazards that an item called `label` may hold, and the answers that it lacks, in words.

    `likely` is how probable each class is, by whoever says most. Where an answer is lacking, that
    is the reason, and no hazard that is merely frequent.
    """
    if answers is None:
        return [], []
    by_label = dict(zip(rules.labels, map(float, likely), strict=True))
    hidden = hidden_hazards(answers, rules.sensors, label, by_label)
    missing = missing_answers(answers, rules.sensors, label)
    return [each for each in hidden if each.found or not missing], missing


def _bin_of(hidden: Sequence[HiddenHazard]) -> str:
    """The bin of items that hold these hazards; `manual` if they have none in common."""
    bins = {each.bin for each in hidden}
    return (bins.pop() if len(bins) == 1 else None) or MANUAL


def is_finite(prediction: Prediction) -> bool:
    """Whether an answer holds numbers only: NaN would pass every threshold that it is under."""
    answers = (prediction.probabilities, prediction.logits, prediction.embedding)
    return all(np.isfinite(each).all() for each in answers)


def likeness(predictions: Sequence[Prediction], rules: DecisionRules) -> float:
    """How much an item is like the known classes, by the mean of its views.

    It may be NaN; that of no view is, and that of rules without a detector.
    """
    if not predictions or rules.ood_detector is None:
        return math.nan
    logits = np.mean([prediction.logits for prediction in predictions], axis=0)
    embedding = np.mean([prediction.embedding for prediction in predictions], axis=0)
    (score,) = rules.ood_detector.score(logits[np.newaxis], embedding[np.newaxis])
    return float(score)


def _suspected(
    probabilities: np.ndarray, label: str, seen_as: str, rules: DecisionRules
) -> list[str]:
    """The hazards that an item called `label`, and by its looks `seen_as`, may be, in words.

    None if it goes to their bin.
    """
    return [
        f"{hazard} {100 * probability:.2g}%"
        for hazard, probability in zip(rules.labels, probabilities, strict=True)
        if hazard in rules.hazard_thresholds
        and hazard != label
        and (probability >= rules.hazard_thresholds[hazard] or hazard == seen_as)
        and rules.bins.get(hazard, MANUAL) != rules.bins.get(label, MANUAL)
    ]


@dataclass(frozen=True)
class Doubt:
    """Why an item is not simply of its most likely class."""

    reason: Reason
    detail: str


def _doubt(
    label: str, confidence: float, rules: DecisionRules, score_of: Callable[[], float]
) -> Doubt | None:
    """Why the item is not simply a `label`; None if it is."""
    threshold = rules.thresholds[label]
    # Asked this way round, what is no number passes no threshold.
    if not confidence >= threshold:
        detail = f"unsure: {label} {confidence:.0%} is under its threshold {threshold:.0%}"
        return Doubt(Reason.UNSURE, detail)
    if rules.ood_detector is None:
        return None
    score, least = score_of(), rules.ood_detector.rule.threshold
    if not np.isfinite(score):
        detail = f"out of distribution: {label} {confidence:.0%}, but its score is not a number"
        return Doubt(Reason.OUT_OF_DISTRIBUTION, detail)
    if score >= least:
        return None
    detail = (
        f"out of distribution: {label} {confidence:.0%}, but its score {score:.3g} is under "
        f"{least:.3g}"
    )
    return Doubt(Reason.OUT_OF_DISTRIBUTION, detail)
