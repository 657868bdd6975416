"""When a proposal is due: pure rules over what was reviewed, proposed, and answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.learned.proposal import Proposal, ProposalAnswer, ProposalKind

LEAST_CROPS = 20
"""Reviewed crops of one new name that a class is proposed from; as many more after an answer."""
MORE_CROPS = 10
"""So many more crops make another proposal of a name worth it, where one is open or was refused."""
LEAST_NEW_REVIEWS = 100
"""Newly reviewed items of the random share that a recalibration is proposed from."""


@dataclass(frozen=True)
class Situation:
    """What the rules know of a device.

    Attributes:
        base: digest of the bundle in use.
        parent: digest of the generation in use; empty: none is.
        kept: the proposals that are there, open and refused.
        answers: what persons made of earlier ones.
    """

    base: str
    parent: str
    kept: Sequence[Proposal] = ()
    answers: Sequence[ProposalAnswer] = ()

    def of(self, kind: ProposalKind) -> list[Proposal]:
        """The proposals of a kind that still count.

        One beside another generation than that in use cannot be accepted any more.
        """
        return [
            each
            for each in self.kept
            if (each.kind, each.base) == (kind, self.base)
            and (not each.is_open or each.parent == self.parent)
        ]

    def answered(self, kind: ProposalKind) -> list[ProposalAnswer]:
        """The answers to proposals of a kind beside the bundle in use."""
        return [each for each in self.answers if (each.kind, each.base) == (kind, self.base)]


def class_due(situation: Situation, crops: Mapping[str, int]) -> str | None:
    """The name that a class is to be proposed of; None: none is due.

    The name of the most crops comes first. A name that is proposed, was refused, or was answered
    waits for more crops: the same crops are not asked about twice. While one is open, no other name
    is due.

    Args:
        situation: of the device.
        crops: new name -> number of reviewed items of it whose crop is kept.
    """
    needed = dict.fromkeys(crops, LEAST_CROPS)
    for proposal in situation.of(ProposalKind.NEW_CLASS):
        if proposal.label in needed:
            needed[proposal.label] = max(needed[proposal.label], proposal.items + MORE_CROPS)
    for answer in situation.answered(ProposalKind.NEW_CLASS):
        if answer.label in needed:
            needed[answer.label] = max(needed[answer.label], answer.items + LEAST_CROPS)
    waiting = {each.label for each in situation.of(ProposalKind.NEW_CLASS) if each.is_open}
    if waiting:  # one at a time: what was accepted first changes what the next would come to
        needed = {name: least for name, least in needed.items() if name in waiting}
    names = sorted(needed, key=lambda name: (-crops[name], name))
    return next((name for name in names if crops[name] >= needed[name]), None)


def looked_at_until(situation: Situation, calibrated_until: float = 0.0) -> float:
    """Until when reviews are known to the calibration in use, or were proposed; unix seconds.

    A recalibration is due once `LEAST_NEW_REVIEWS` items of the random share were reviewed later.

    Args:
        situation: of the device.
        calibrated_until: the last review that the calibration in use rests on; 0: none.
    """
    kind = ProposalKind.RECALIBRATION
    proposed = [each.created.timestamp() for each in situation.of(kind)]
    return max(calibrated_until, *proposed, *(each.at for each in situation.answered(kind)), 0.0)
