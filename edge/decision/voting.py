"""When the views of an item are enough: classified until the vote is sure, and no longer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.decision.decide import DecisionRules, decide, is_finite, vote
from edge.decision.size import with_size
from edge.inference.classifier import Prediction
from edge.labels import MANUAL
from edge.verdict import Verdict

LEAST_PROBABILITY = 1e-7
"""What a probability of 0 counts as: no single view is worth more than that."""


@dataclass(frozen=True)
class Voting:
    """When an item is classified, and when that is enough.

    Attributes:
        views: the most predictions before the verdict; fewer when the item leaves sooner.
        spacing_mm: how far it travels between two views.
        error: how often, at most, a vote may be broken off with the wrong label, 0 to 1; None: all
            `views` are always taken.
        hazard_error: the same for breaking off with another label on a hazard.
        correlation: of the views of one item, 0 (each adds information) to 1 (all are the
            same).
    """

    views: int
    spacing_mm: float
    error: float | None = None
    hazard_error: float = 0.005
    correlation: float = 0.9


def verdict_if_sure(
    predictions: Sequence[Prediction],
    rules: DecisionRules,
    voting: Voting,
    longer_mm: float | None = None,
    score: Callable[[], float] | None = None,
) -> Verdict | None:
    """The verdict by the views and the longer side of an item (`edge.decision.decide.decide`) if
    the views are enough, else None. `score` is as there.

    They are when there are `voting.views` of them, or when the most likely label is wrong with a
    probability of at most `error`, a hazard that goes elsewhere with one of at most
    `hazard_error`, and nothing else speaks against it: no hazard is suspected, the label is over
    its threshold and like something known. So a suspected hazard gets a second view at least.

    This is the sequential probability ratio test for several hypotheses, which stops at the first
    posterior that is high enough (Baum, Veeravalli, "A sequential procedure for multihypothesis
    testing", IEEE Trans. Inf. Theory 40, 1994, after Wald, "Sequential Analysis", 1947). The
    classes are taken to be equally frequent.
    """
    if len(predictions) >= voting.views:
        return decide(predictions, rules, longer_mm, score=score)
    weights = rules.size_weights(longer_mm)
    if not predictions or not _likely_enough(predictions, rules, voting, weights):
        return None
    verdict = decide(predictions, rules, longer_mm, score=score)
    return None if verdict.disputed else verdict


def _likely_enough(
    predictions: Sequence[Prediction], rules: DecisionRules, voting: Voting, weights: np.ndarray
) -> bool:
    """Whether both kinds of error are rare enough, by the views' probabilities and the size.

    A hazard is as likely as the views say, or as views and size say, whichever is more.
    """
    if voting.error is None or not all(map(is_finite, predictions)):
        return False
    best = int(with_size(vote(predictions), weights).argmax())
    own_bin = rules.bins.get(rules.labels[best], MANUAL)
    by_views = posterior(predictions, voting.correlation)
    believed = with_size(by_views, weights)
    hazard = max(
        (
            float(share)
            for label, share in zip(rules.labels, np.maximum(by_views, believed), strict=True)
            if label in rules.hazard_thresholds and rules.bins.get(label, MANUAL) != own_bin
        ),
        default=0.0,
    )
    return 1 - believed[best] <= voting.error and hazard <= voting.hazard_error


def posterior(predictions: Sequence[Prediction], correlation: float) -> np.ndarray:
    """The probability of each class after all views of an item, float64 [classes], sums to 1.

    The views' log-probabilities are summed and damped: n views with this correlation are worth
    n / (1 + (n - 1) correlation) independent ones (Kish, "Survey Sampling", 1965: the design effect
    of a cluster).
    """
    probabilities = np.stack([prediction.probabilities for prediction in predictions])
    summed = np.log(np.maximum(probabilities, LEAST_PROBABILITY, dtype=np.float64)).sum(axis=0)
    damped = summed / (1 + (len(predictions) - 1) * correlation)
    exponents = np.exp(damped - damped.max())
    return exponents / exponents.sum()
