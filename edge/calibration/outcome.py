"""What decisions come to: right, wrong, by hand, hazards in a wrong bin, and what that costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.bundle.manifest import DecisionParameters
from edge.calibration.answers import Answers, LabeledAnswers, pool
from edge.calibration.costs import Costs
from edge.calibration.decisions import verdicts
from edge.calibration.reliability import calibration_error, reliability
from edge.decision.decide import rules_for
from edge.inference.classifier import softmax
from edge.inference.ood import OodDetector
from edge.labels import MANUAL
from edge.verdict import Reason


@dataclass(frozen=True)
class HazardOutcome:
    """What became of the items of one hazard.

    Attributes:
        items: how many there were.
        found: of these, those so called, or sent to `manual` as perhaps one.
        leaked: of these, those in another label's bin.
    """

    items: int
    found: int
    leaked: int


@dataclass(frozen=True)
class SiteOutcome:
    """What decisions come to, if every label had a bin of its own.

    Attributes:
        items: number of items of a known class.
        right: of these, those in their own bin.
        wrong: of these, those in another one's.
        by_hand: of these, those in `manual`.
        others: number of items of no known class.
        others_sorted: of these, those in any bin.
        hazards: hazard -> what became of its items.
        calibration_error: of the known items, 0 to 1.
    """

    items: int
    right: int
    wrong: int
    by_hand: int
    others: int
    others_sorted: int
    hazards: Mapping[str, HazardOutcome]
    calibration_error: float

    def cost(self, costs: Costs) -> float:
        """The cost of all items, in items sorted by hand."""
        leaked = sum(each.leaked for each in self.hazards.values())
        by_hand = self.by_hand + self.others - self.others_sorted
        wrong = self.wrong - leaked + self.others_sorted
        return by_hand + costs.wrong * wrong + costs.hazard * leaked


@dataclass(frozen=True)
class SitePart:
    """Some items, and what is to decide on them."""

    parameters: DecisionParameters
    known: LabeledAnswers
    others: Answers


def outcome_of(parts: Sequence[SitePart], detector: OodDetector | None) -> SiteOutcome:
    """What the device's own decisions on all parts come to.

    Args:
        parts: at least one, all with the same labels and hazards.
        detector: of out-of-distribution things; its threshold is that of the parameters.
    """
    labels = np.array(parts[0].parameters.labels)
    known = pool([part.known for part in parts])
    truths = labels[known.classes]
    made = [verdict for part in parts for verdict in _verdicts(part, part.known.answers, detector)]
    bins = np.array([verdict.bin for verdict in made], dtype=object)
    by_hand = bins == MANUAL
    suspected = [verdict.reason is Reason.HAZARD_SUSPECTED for verdict in made]
    probabilities = np.concatenate(
        [softmax(part.known.answers.logits, part.parameters.temperature) for part in parts]
    )
    called = labels[probabilities.argmax(axis=1)]
    others = [
        verdict.bin != MANUAL
        for part in parts
        if len(part.others.logits)
        for verdict in _verdicts(part, part.others, detector)
    ]
    return SiteOutcome(
        items=len(truths),
        right=int((bins == truths).sum()),
        wrong=int((~by_hand & (bins != truths)).sum()),
        by_hand=int(by_hand.sum()),
        others=len(others),
        others_sorted=sum(others),
        hazards={
            hazard: HazardOutcome(
                items=int(own.sum()),
                found=int((own & ~leaked & (~by_hand | suspected | (called == hazard))).sum()),
                leaked=int(leaked.sum()),
            )
            for hazard in parts[0].parameters.hazards
            for own in [truths == hazard]
            for leaked in [own & ~by_hand & (bins != hazard)]
        },
        calibration_error=calibration_error(reliability(known.classes, probabilities)),
    )


def _verdicts(part: SitePart, answers: Answers, detector: OodDetector | None) -> list:
    rule = part.parameters.unknown
    fitted = None if detector is None or rule is None else OodDetector(rule, detector.arrays)
    return verdicts(answers, part.parameters.temperature, rules_for(part.parameters, {}, fitted))


def no_answers(like: Answers) -> Answers:
    """Answers to no picture at all, as wide as others."""
    return like.chosen(np.zeros(0, int))
