"""What a proposal is: a prepared generation that waits for a person, and the answer to it."""

from enum import Enum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from edge.bundle.manifest import LONGEST_NAME, Count, Finite
from edge.labels import label_problem
from edge.learned.manifest import LONGEST_WHO, LearnedManifest

MOST_ANSWERS = 200
MOST_FIGURES = 300
LONGEST_REASON = 500
MOST_SHOWN = 50
"""Items that a proposal names, the newest."""

Digest = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
ItemId = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
FigureName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class ProposalKind(str, Enum):
    """What a proposal would change."""

    NEW_CLASS = "new_class"
    RECALIBRATION = "recalibration"


class Decision(str, Enum):
    """What a person made of a proposal."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Proposal(_Part):
    """What would be learned, and from what.

    Attributes:
        kind: what it would change.
        label: the new class; empty: it is a recalibration.
        base: digest of the bundle that it belongs to.
        parent: digest of the generation that it is derived from; empty: of none.
        created: when it was prepared.
        items: number of reviewed items that it rests on.
        shown: ids of some of them, the newest first.
        before, after: figures as the device decides now, and as it would.
        refused: why the guard refuses it, one line; empty: it does not.
        learned: the generation; None: it is refused.
    """

    format: Literal[1] = 1
    kind: ProposalKind
    label: str = ""
    base: Digest
    parent: Digest = ""
    created: AwareDatetime
    items: Count
    shown: Annotated[tuple[ItemId, ...], Field(max_length=MOST_SHOWN)] = ()
    before: Annotated[dict[FigureName, Finite], Field(max_length=MOST_FIGURES)] = {}
    after: Annotated[dict[FigureName, Finite], Field(max_length=MOST_FIGURES)] = {}
    refused: Annotated[str, Field(max_length=LONGEST_REASON)] = ""
    learned: LearnedManifest | None = None

    @model_validator(mode="after")
    def _check_whole(self) -> "Proposal":
        if bool(self.refused) != (self.learned is None):
            raise ValueError("expected a generation, or why there is none")
        if self.kind is ProposalKind.RECALIBRATION and self.label:
            raise ValueError("a recalibration has no label")
        if self.kind is ProposalKind.NEW_CLASS and (problem := label_problem(self.label)):
            raise ValueError(problem)
        if self.learned is not None and self.learned.base != self.base:
            raise ValueError("the generation belongs to another bundle")
        return self

    @property
    def is_open(self) -> bool:
        """Whether a person may accept it."""
        return self.learned is not None

    @property
    def what(self) -> str:
        """What it would do, in a few words, such as `teach Phone`."""
        return f"teach {self.label}" if self.kind is ProposalKind.NEW_CLASS else "recalibrate"


class ProposalAnswer(_Part):
    """What a person made of a proposal.

    Attributes:
        number: of the proposal.
        kind, label, base, items: as of the proposal.
        decision: accepted or rejected.
        by: who decided.
        at: when, unix seconds.
    """

    number: Annotated[int, Field(ge=1, le=10**9)]
    kind: ProposalKind
    label: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    base: Digest
    items: Count
    decision: Decision
    by: Annotated[str, Field(max_length=LONGEST_WHO)]
    at: Annotated[float, Field(ge=0, le=1e11)]


class ProposalAnswers(_Part):
    """All answers that are remembered, the oldest first."""

    entries: Annotated[tuple[ProposalAnswer, ...], Field(max_length=MOST_ANSWERS)] = ()
