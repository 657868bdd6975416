"""Prepare what is due as proposals, from the reviews of a line. Nothing is put into use here."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edge.bundle.bundle import Bundle
from edge.errors import BadInput, Refused, one_line
from edge.labels import label_problem, names_a_hazard
from edge.learned.crops import crops_of_reviews, to_ask_again
from edge.learned.due import LEAST_NEW_REVIEWS, Situation, class_due, looked_at_until
from edge.learned.proposal import LONGEST_REASON, MOST_SHOWN, Proposal, ProposalKind
from edge.learned.proposals import (
    MOST_REFUSED,
    answers,
    created_at,
    place_proposal,
    proposals,
    remove_outdated,
)
from edge.learned.recalibrating import figures, manifest_of, recalibrate_site
from edge.learned.store import Generation, current_generation, decided_beside, digest_in_use
from edge.learned.teaching import Base, NewClass, teach
from edge.records.drawn import drawn_items
from edge.records.named import count_reviewed_draw, names_given
from edge.records.period import Period
from edge.records.store import RECORDS_NAME, Store

BY = "ewaste-edge learn"
"""Who prepares; who accepts is named by the generation."""


class LearnOutcome(str, Enum):
    """What became of something that was due."""

    PROPOSED = "proposed"
    REFUSED = "refused"
    WAITS = "waits"


@dataclass(frozen=True)
class Note:
    """What was prepared, refused, or could not be prepared yet.

    Attributes:
        kind: what it would change.
        label: the new class; empty: it is a recalibration.
        outcome: what became of it.
        number: of the proposal; 0: there is none.
        text: what it comes to, or why not, one line.
    """

    kind: ProposalKind
    label: str
    outcome: LearnOutcome
    number: int
    text: str


@dataclass(frozen=True)
class LearningBoard:
    """What a line learns from, and what is in use there.

    Attributes:
        state: the state folder of the line.
        learned: its store of generations.
        bundle: the bundle in use, not necessarily proved.
        load: proves it and loads its model, with the generation in use; takes seconds.
    """

    state: Path
    learned: Path
    bundle: Bundle
    load: Callable[[Generation | None], Base]

    @property
    def records(self) -> Path:
        """The file of records."""
        return self.state / RECORDS_NAME


@dataclass(frozen=True)
class Due:
    """What is due.

    Attributes:
        label: the name of a new class; None: none is due.
        items: number of its reviewed items.
        reviews: number of items drawn at random that were reviewed since the last look.
    """

    label: str | None
    items: int
    reviews: int


def prepare(board: LearningBoard, now: float) -> list[Note]:
    """Prepare what is due, and remove what cannot be accepted any more.

    Args:
        board: where.
        now: unix seconds.

    Raises:
        BadInput: there are no records, or another process works with the proposals.
        Refused: the bundle or the generation in use cannot be proved.
        EwasteError: something cannot be read or written.
    """
    remove_outdated(board.learned, board.bundle.digest)
    current = current_generation(board.learned, with_crops=True)
    if current is not None and current.manifest.base != board.bundle.digest:
        current = None
    found = due(board, current)
    if found.label is None and found.reviews < LEAST_NEW_REVIEWS:
        return []
    notes = []
    taught = current is not None and bool(current.manifest.classes)
    if found.reviews >= LEAST_NEW_REVIEWS and taught:
        text = "classes are taught, which a recalibration does not know; remove them first"
        notes.append(Note(ProposalKind.RECALIBRATION, "", LearnOutcome.WAITS, 0, text))
        if found.label is None:
            return notes
    base = board.load(current)
    if base.bundle.digest != board.bundle.digest:
        raise BadInput(f"{board.bundle.path}: another bundle came into use meanwhile; try again")
    parent = digest_in_use(board.learned)
    if found.reviews >= LEAST_NEW_REVIEWS and not taught:
        notes.append(_recalibration(board, base, parent, found.reviews, now))
    for _ in range(MOST_REFUSED):  # one that is refused leaves room for the next
        if found.label is None:
            break
        notes.append(_new_class(board, base, parent, found, now))
        if notes[-1].outcome is LearnOutcome.PROPOSED:
            break
        found = due(board, current)
    return notes


def due(board: LearningBoard, current: Generation | None) -> Due:
    """What is due on a board beside the generation in use, by the rules of `edge.learned.due`.

    Raises:
        BadInput: there are no records.
        EwasteError: they cannot be read now.
    """
    base = board.bundle.digest
    kept = [each.proposal for each in proposals(board.learned) if each.proposal is not None]
    situation = Situation(base, digest_in_use(board.learned), kept, answers(board.learned))
    manifest = None if current is None else current.manifest
    known = {*board.bundle.labels, *(() if manifest is None else manifest.labels)}
    site = None if manifest is None else manifest.calibration
    since = looked_at_until(situation, 0.0 if site is None else site.until)
    with Store(board.records, read_only=True) as store:
        names = {
            name: count
            for name, count in names_given(store, known).items()
            if label_problem(name) is None
        }
        reviews = count_reviewed_draw(store, decided_beside(board.learned, base), since)
    label = class_due(situation, names)
    return Due(label, 0 if label is None else names[label], reviews)


def _new_class(board: LearningBoard, base: Base, parent: str, found: Due, now: float) -> Note:
    """Propose a class, or keep why the guard refuses it."""
    label, kind = found.label or "", ProposalKind.NEW_CLASS
    crops, _problems = crops_of_reviews(board.records, label)
    new = NewClass(label, None, names_a_hazard(label), crops, BY)
    proposal = Proposal(
        kind=kind,
        label=label,
        base=base.bundle.digest,
        parent=parent,
        created=created_at(now),
        items=found.items,
        shown=tuple(each.name for each in crops[:MOST_SHOWN]),
        refused="not prepared",
    )
    try:
        taught = teach(new, base, to_ask_again(board.records, base.bundle.labels), now)
    except (BadInput, Refused) as error:
        return _refuse(board, proposal, str(error))
    made = taught.manifest.classes[-1]
    after = {"recall": made.figures.recall, "known_taken": made.figures.known_taken}
    old = taught.recalls.items()
    changes = {
        "before": {f"recall {name}": shares[0] for name, shares in old},
        "after": after | {f"recall {name}": shares[1] for name, shares in old},
        "refused": "",
        "learned": taught.manifest,
    }
    number = place_proposal(board.learned, proposal.model_copy(update=changes), taught.contents)
    text = (
        f"from {len(made.crops)} crops, of which {after['recall']:.0%} are recognized by what the "
        f"others teach; {after['known_taken']:.1%} of the known items are taken for it"
    )
    return Note(kind, label, LearnOutcome.PROPOSED, number, text)


def _recalibration(board: LearningBoard, base: Base, parent: str, reviews: int, now: float) -> Note:
    """Propose a recalibration, or keep why the guard refuses it."""
    kind, period = ProposalKind.RECALIBRATION, Period(0.0, now)
    try:
        result = recalibrate_site(board.state, board.learned, base.bundle, base.classifier, period)
    except BadInput as error:  # too few items, or too many that wait: more reviews will do
        return Note(kind, "", LearnOutcome.WAITS, 0, one_line(error, LONGEST_REASON))
    found = result.found
    proposal = Proposal(
        kind=kind,
        base=base.bundle.digest,
        parent=parent,
        created=created_at(now),
        items=reviews,
        shown=_newest_drawn(board, period),
        before=figures(found.before, found.costs),
        after=figures(found.after, found.costs),
        refused="not prepared",
    )
    if found.problem:
        return _refuse(board, proposal, found.problem)
    changes = {"refused": "", "learned": manifest_of(base.bundle, result, by=BY, now=now)}
    number = place_proposal(board.learned, proposal.model_copy(update=changes), {})
    before, after = (each.cost(found.costs) for each in (found.before, found.after))
    text = f"would cost as much as {after:.0f} items sorted by hand, {before:.0f} now"
    return Note(kind, "", LearnOutcome.PROPOSED, number, text)


def _refuse(board: LearningBoard, proposal: Proposal, why: str) -> Note:
    reason = one_line(why, LONGEST_REASON)
    refused = proposal.model_copy(update={"refused": reason})
    number = place_proposal(board.learned, refused, {})
    return Note(proposal.kind, proposal.label, LearnOutcome.REFUSED, number, reason)


def _newest_drawn(board: LearningBoard, period: Period) -> tuple[str, ...]:
    with Store(board.records, read_only=True) as store:
        answered = drawn_items(store, period).answered
    return tuple(each.item_id for each in answered[: -MOST_SHOWN - 1 : -1])
