"""Evaluate the device's own decisions on a model's answers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge.calibration.answers import Answers
from edge.decision.decide import DecisionRules, decide
from edge.inference.classifier import Prediction, softmax
from edge.intervals import wilson
from edge.labels import MANUAL, UNKNOWN
from edge.verdict import Verdict

CURVE = np.geomspace(0.001, 1.0, 31).round(4)
"""Thresholds, 0 to 1, for which it is shown what finding a hazard costs."""


def verdicts(answers: Answers, temperature: float, rules: DecisionRules) -> list[Verdict]:
    """The device's verdict on each picture, seen once, if every label had a bin of its name."""
    own_bins = replace(rules, bins={label: label for label in rules.labels})
    probabilities = softmax(answers.logits, temperature)
    return [
        decide([Prediction(*each)], own_bins)
        for each in zip(answers.logits, probabilities, answers.embeddings, strict=True)
    ]


def judge_decisions(
    answers: Answers, classes: np.ndarray, temperature: float, rules: DecisionRules
) -> dict:
    """How the device sorts known items, and what its care for hazards costs.

    Args:
        answers: to pictures of known items.
        classes: int [pictures], the true class of each.
        temperature: the calibrated one.
        rules: the device's; bins do not matter.

    Returns the `share` of items in their own bin (`right`), in another's (`wrong`), in `manual`,
    and called `unknown`; and for each of the `hazards`:

    - `recall`: of its items, those so called, or sent to `manual` as perhaps one;
    - `safe`: of its items, those in no other label's bin, for any reason;
    - `precision`: of what lands in its bin, its own items;
    - `suspected`: of all other items, those that go to `manual` only for looking like it;
    - `curve`: `recall` and `suspected`, as shares, for each of the thresholds `CURVE`.
    """
    made = verdicts(answers, temperature, rules)
    careless = verdicts(answers, temperature, replace(rules, hazard_thresholds={}))
    bins = np.array([verdict.bin for verdict in made])
    truths = np.array(rules.labels)[classes]
    manual = bins == MANUAL
    return {
        "right": share(bins == truths),
        "wrong": share(~manual & (bins != truths)),
        "manual": share(manual),
        "unknown": share([verdict.label == UNKNOWN for verdict in made]),
        "hazards": {
            hazard: _judge_hazard(
                hazard,
                probabilities=softmax(answers.logits, temperature),
                truths=truths,
                bins=bins,
                sorted_without=np.array([verdict.bin != MANUAL for verdict in careless]),
                rules=rules,
            )
            for hazard in rules.hazard_thresholds
        },
    }


def _judge_hazard(
    hazard: str,
    *,
    probabilities: np.ndarray,
    truths: np.ndarray,
    bins: np.ndarray,
    sorted_without: np.ndarray,
    rules: DecisionRules,
) -> dict:
    """Figures of one hazard; `sorted_without`: which items no hazard_thresholds would keep from a
    bin.
    """
    place = rules.labels.index(hazard)
    of_hazard, in_its_bin, manual = truths == hazard, bins == hazard, bins == MANUAL
    called = probabilities.argmax(axis=1) == place
    suspicious = (probabilities[:, place] >= rules.hazard_thresholds[hazard]) | called
    suspected = manual & suspicious & sorted_without
    return {
        "level": rules.hazard_thresholds[hazard],
        "labeled": int((of_hazard & in_its_bin).sum()),
        "recall": share((in_its_bin | (manual & suspicious))[of_hazard]),
        "safe": share((in_its_bin | manual)[of_hazard]),
        "precision": share(of_hazard[in_its_bin]),
        "suspected": share(suspected[~of_hazard]),
        "curve": _hazard_curve(
            probabilities[:, place], called, of_hazard=of_hazard, sorted_without=sorted_without
        ),
    }


def _hazard_curve(
    likely: np.ndarray, called: np.ndarray, *, of_hazard: np.ndarray, sorted_without: np.ndarray
) -> list[dict]:
    """What each threshold of `CURVE` would find of a hazard, and send to `manual` of all others.

    Nothing if there is no item of the hazard, or no other.

    Args:
        likely: float [items], the probability of the hazard.
        called: bool [items], whether the hazard is the most likely label.
        of_hazard: bool [items], whether it is one.
        sorted_without: as of `_judge_hazard`.
    """
    if of_hazard.all() or not of_hazard.any():
        return []
    points = []
    for threshold in CURVE:
        above = likely >= threshold
        # What is called the hazard goes to its bin, not to be sorted by hand.
        suspected = above & ~called & sorted_without
        points.append(
            {
                "threshold": float(threshold),
                "recall": float((above | called)[of_hazard].mean()),
                "suspected": float(suspected[~of_hazard].mean()),
            }
        )
    return points


def share(hits: np.ndarray | Sequence[bool]) -> dict:
    """Of bools, how many hold: `share` with its Wilson 95 % interval, `count` and `of`.

    With nothing counted the share is None, the interval 0 to 1.
    """
    count, total = int(np.sum(hits)), len(hits)
    low, high = wilson(count, total)
    return {
        "share": count / total if total else None,
        "low": low,
        "high": high,
        "count": count,
        "of": total,
    }
