"""Fit the thresholds of labels and hazards to a model's answers to val items."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from edge.bundle.manifest import DEFAULT_HAZARD_THRESHOLD
from edge.calibration.answers import LabeledAnswers, pool
from edge.calibration.costs import Costs
from edge.calibration.logistic import fit_logistic
from edge.inference.classifier import softmax
from edge.inference.ood import OodDetector

MAX_HAZARD_MISS_RATE = 0.01
"""Largest share of a hazard's items that may be taken for something harmless."""
QUANTIZATION_MARGIN = 0.8
"""Factor by which quantization may reduce a small probability: 1/5 of a logit at temperature 1."""
MAX_SUSPECTED_SHARE = 0.1
"""Largest share of the other items that one hazard may send to `manual`."""
PLATT_STRENGTH = 1e3
"""Inverse strength of the regularization of the chance of a hazard."""


def fit_decisions(
    labels: tuple[str, ...],
    hazards: Sequence[str],
    views: Mapping[str, LabeledAnswers],
    *,
    turned: Mapping[str, LabeledAnswers],
    detector: OodDetector | None,
    temperature: float,
    costs: Costs,
) -> tuple[dict[str, float], dict[str, float]]:
    """The thresholds of the labels, and those of the hazards.

    Each depends on what the other leaves to it: first the hazards' as if all views went to a bin,
    then the labels', then the hazards' for what the labels and the detector let through. `turned`
    is for the hazards alone: a hazard lies any way round, and a miss costs most.

    Args:
        labels: the classes, in the order of the logits.
        hazards: those that must reach no other bin.
        views: condition -> the val items under it; `photographed` and perhaps others.
        turned: condition -> the val items at any angle.
        detector: of out-of-distribution things, with its threshold; None: there is none.
        temperature: the calibrated one.
        costs: of wrong decisions.
    """
    all_views = {**views, **turned}
    alone = {
        hazard: fit_hazard_threshold(labels.index(hazard), all_views, temperature, costs)
        for hazard in hazards
    }
    thresholds = fit_thresholds(labels, views, temperature, alone, costs)
    return thresholds, fit_hazard_thresholds(
        labels,
        hazards,
        all_views,
        thresholds=thresholds,
        detector=detector,
        temperature=temperature,
        costs=costs,
    )


def fit_hazard_thresholds(
    labels: tuple[str, ...],
    hazards: Sequence[str],
    views: Mapping[str, LabeledAnswers],
    *,
    thresholds: Mapping[str, float],
    detector: OodDetector | None,
    temperature: float,
    costs: Costs,
) -> dict[str, float]:
    """The thresholds of the hazards, for what the labels and the detector let through.

    Args:
        labels: the classes, in the order of the logits.
        hazards: those that must reach no other bin.
        views: condition -> the items under it.
        thresholds: label -> least confidence for it.
        detector: of out-of-distribution things, with its threshold; None: there is none.
        temperature: the calibrated one.
        costs: of wrong decisions.
    """
    least = np.array([thresholds[label] for label in labels])
    accepted = {}
    for way, each in views.items():
        probabilities = softmax(each.answers.logits, temperature)
        sure = probabilities.max(axis=1) >= least[probabilities.argmax(axis=1)]
        if detector is not None:
            scores = detector.score(each.answers.logits, each.answers.embeddings)
            sure &= scores >= detector.rule.threshold
        accepted[way] = sure
    return {
        hazard: fit_hazard_threshold(
            labels.index(hazard), views, temperature, costs, accepted=accepted
        )
        for hazard in hazards
    }


def fit_hazard_threshold(
    hazard: int,
    views: Mapping[str, LabeledAnswers],
    temperature: float,
    costs: Costs,
    accepted: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> float:
    """The probability of a hazard from which an item of another label goes to `manual`.

    It is the lower of two, times `QUANTIZATION_MARGIN`:

    - where a look by hand costs as much as the chance of a hazard in a wrong bin. That chance is
      not the probability itself, whose small values say little, but a logistic regression on it
      (Platt, "Probabilistic outputs for support vector machines", 1999), over all views, or over
      those alone that go to the bin of another label if that asks for a look earlier: hazards that
      are recognized say little of those that are not;
    - where at most the share `MAX_HAZARD_MISS_RATE` of the hazard's views lies in another label's
      bin: with r that share and n views, at most floor(r (n + 1)), so that another hazard gets
      there with a probability of r (split conformal prediction: Vovk, Gammerman, Shafer,
      "Algorithmic learning in a random world", 2005; the views of one item are not independent, so
      this is a guide, no proof). A view that goes to `manual` anyway counts as found.

    It is raised if more than `MAX_SUSPECTED_SHARE` of the other photographed items that have a bin
    reach it. Without any hazard in val it is `DEFAULT_HAZARD_THRESHOLD`.

    Args:
        hazard: its place among the labels.
        views: condition -> the val items under it.
        temperature: the calibrated one.
        costs: of wrong decisions.
        accepted: condition -> bool, the views that go to the bin of their most likely label if the
            hazard is no matter; without a condition, all of its views do.
    """
    photographed, pooled = views["photographed"], pool(views.values())
    if not (photographed.classes == hazard).any():
        return DEFAULT_HAZARD_THRESHOLD
    sorted_anyway = np.concatenate(
        [accepted.get(way, np.ones(len(each.classes), bool)) for way, each in views.items()]
    )
    probabilities = softmax(pooled.answers.logits, temperature)
    own = pooled.classes == hazard
    elsewhere = (probabilities.argmax(axis=1) != hazard) & sorted_anyway
    leaking = own & elsewhere
    allowed = int(MAX_HAZARD_MISS_RATE * (own.sum() + 1))
    least = np.sort(probabilities[leaking, hazard])
    ceiling = float(least[allowed]) if len(least) > allowed else 1.0
    by_cost = min(
        _probability_worth_a_look(probabilities[seen, hazard], own[seen], costs)
        for seen in (slice(None), elsewhere)
    )
    level = QUANTIZATION_MARGIN * min(ceiling, by_cost)
    others = (photographed.classes != hazard) & accepted.get(
        "photographed", np.ones(len(photographed.classes), bool)
    )
    reached = softmax(photographed.answers.logits[others], temperature)[:, hazard]
    if not len(reached):
        return level
    most = float(np.quantile(reached, 1 - MAX_SUSPECTED_SHARE, method="higher"))
    return max(level, most)


def _probability_worth_a_look(probabilities: np.ndarray, own: np.ndarray, costs: Costs) -> float:
    """The stated probability at which the chance of a hazard is 1 / `costs.hazard`; 1 at most.

    It is 1 where all views are of the hazard, or none.

    Args:
        probabilities: float [views], stated by the model.
        own: bool [views], whether it is the hazard.
        costs: of wrong decisions.
    """
    if costs.hazard <= 1 or own.all() or not own.any():
        return 1.0
    stated = np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)
    logits = np.log(stated / (1 - stated))
    slope, intercept = fit_logistic(logits, own, PLATT_STRENGTH)
    if slope <= 0:  # the model says nothing of this hazard
        return 1 / costs.hazard
    reached = (-np.log(costs.hazard - 1) - intercept) / slope
    return float(1 / (1 + np.exp(-np.clip(reached, -30, 30))))


def fit_thresholds(
    labels: Sequence[str],
    views: Mapping[str, LabeledAnswers],
    temperature: float,
    hazard_thresholds: Mapping[str, float],
    costs: Costs,
) -> dict[str, float]:
    """For each label the least confidence at which sorting costs less than a look by hand.

    Few items of a label are ever wrong, so half of what accepting an item costs is what came of it,
    half what its calibrated confidence lets expect. Without any item that leads to Chow's rule,
    1 - 1 / `costs.wrong` (Chow, "On optimum recognition error and reject tradeoff", 1970). Items
    under hazard_thresholds are left out: they go to `manual` anyway. A hazard costs no more than
    any wrong item here: its price is in its own threshold, which all views decide. One hazard at
    100 times the price would set a label's threshold to wherever that one happened to lie.
    """
    pooled = pool(views.values())
    probabilities = softmax(pooled.answers.logits, temperature)
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    hazards = [labels.index(hazard) for hazard in hazard_thresholds]
    suspected = np.zeros(len(predicted), dtype=bool)
    for hazard, level in zip(hazards, hazard_thresholds.values(), strict=True):
        suspected |= (probabilities[:, hazard] >= level) & (predicted != hazard)
    came = np.where(predicted != pooled.classes, costs.wrong, 0)
    accepting = (came + costs.wrong * (1 - confidence)) / 2
    chow = 1 - 1 / costs.wrong
    return {
        label: _cheapest(confidence[chosen], accepting[chosen], chow)
        for place, label in enumerate(labels)
        for chosen in [(predicted == place) & ~suspected]
    }


def _cheapest(confidence: np.ndarray, accepting: np.ndarray, chow: float) -> float:
    """The threshold of least cost, rejecting an item costing 1; of equal ones the next to `chow`.

    Candidates are `chow` and the middles between neighboring confidences.
    """
    ordered = np.unique(confidence)
    candidates = np.append((ordered[1:] + ordered[:-1]) / 2, chow)
    cost = [np.where(confidence >= each, accepting, 1.0).sum() for each in candidates]
    cheapest = candidates[np.isclose(cost, np.min(cost))]
    return round(float(cheapest[np.argmin(np.abs(cheapest - chow))]), 4)
