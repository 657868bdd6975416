"""How right a model is on the photos of other people."""

import numpy as np

from edge.calibration.answers import Answers
from edge.calibration.decisions import judge_decisions, share
from edge.calibration.reliability import calibration_error, reliability
from edge.decision.decide import DecisionRules
from edge.inference.classifier import softmax


def source_figures(
    answers: Answers, classes: np.ndarray, temperature: float, rules: DecisionRules
) -> dict:
    """How right a model is on the photos of one source.

    Args:
        answers: to its pictures.
        classes: int [pictures], the true class of each.
        temperature: the calibrated one.
        rules: the device's; bins do not matter.

    Returns the number of `images`; the `share` that get the right label (`accuracy`), of each class
    that there is too (`per_class`), and the mean over these (`mean_of_classes`); the calibration
    error (`ece`); and the `share` of items in their own bin (`right`), in another's (`wrong`), and
    in `manual`.
    """
    probabilities = softmax(answers.logits, temperature)
    hits = probabilities.argmax(axis=1) == classes
    per_class = {rules.labels[each]: share(hits[classes == each]) for each in np.unique(classes)}
    decisions = judge_decisions(answers, classes, temperature, rules)
    return {
        "images": len(classes),
        "accuracy": share(hits),
        "mean_of_classes": float(np.mean([each["share"] for each in per_class.values()])),
        "per_class": per_class,
        "ece": calibration_error(reliability(classes, probabilities)),
        **{name: decisions[name] for name in ("right", "wrong", "manual")},
    }
