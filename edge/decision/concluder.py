"""From predictions to records: when an item gets its verdict, and what is recorded of it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from edge.belt.detector import Detection
from edge.belt.sighting import Sighting
from edge.belt.tracker import TrackedItem
from edge.decision.decide import DecisionRules, decide, likeness, vote
from edge.decision.sensing import SensorAnswer, written
from edge.decision.voting import Voting, verdict_if_sure
from edge.gates.mover import Passed
from edge.gates.schedule import Opening
from edge.inference.classifier import Prediction
from edge.inference.dispatcher import ModelAnswer
from edge.inference.embedding_code import embedding_code
from edge.labels import MANUAL, UNKNOWN
from edge.records.record import ItemRecord
from edge.verdict import Reason, Unsafe, Verdict

ITEMS_REMEMBERED = 200
"""More than can be between the forgetting distances of the tracker at once."""
TOUCHING = Verdict(
    UNKNOWN, 0.0, MANUAL, Reason.TOUCHING, "touches another item; may be more than one"
)
MODEL_FAILED = Verdict(UNKNOWN, 0.0, MANUAL, Reason.MODEL_FAULT, "the model failed at it")
RECALLED = Verdict(UNKNOWN, 0.0, MANUAL, Reason.COUNTED_BEFORE, "counted before the restart")
NO_OPENING = {
    Opening.LATE: Reason.TOO_LATE,
    Opening.BESIDE: Reason.NEIGHBOR_TOO_NEAR,
    Opening.UNSEEN: Reason.NOT_SEEN_WHOLE,
    Opening.NO_GATE: Reason.NO_GATE,
}


@dataclass
class ItemEvidence:
    """What is known of one item on its way to a verdict.

    Attributes:
        item: where the item is.
        touching: it touches another item, by its length or its outlines alone.
        outline_score: how much its outlines look like more than one item; None: none was whole.
        longer_mm: its longer side; None: not measured.
        area_mm2: its area, mm²; None: not measured.
        failed: the model failed at a view of it.
        left: its leading end has left the view: there are no more whole views, as long as the belt
            does not jog back.
        predictions: the model's answers.
        classify_ms: what its predictions took.
        likeness: of its predictions to the known classes; None: nobody asked since the last one.
        settled: what its predictions say, once they are enough for a verdict.
        answers: of the other sensors; None: they were not asked.
        verdict: None while it is undecided.
    """

    item: TrackedItem
    touching: bool = False
    outline_score: float | None = None
    longer_mm: float | None = None
    area_mm2: float | None = None
    failed: bool = False
    left: bool = False
    predictions: list[Prediction] = field(default_factory=list)
    classify_ms: float = 0.0
    likeness: float | None = None
    settled: Verdict | None = None
    answers: tuple[SensorAnswer, ...] | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Circumstances:
    """What else a record holds of the moment an item was decided on.

    Attributes:
        decided_at: unix seconds.
        opening: what the gates made of it.
        unsafe: why it went to `manual` whatever it is; None: it did not have to.
        unanswered: a view of it waits for the model, or is at it.
        detect_ms: time of the last detection pass.
        verdict_ms: from the capture of the frame that brought the verdict, to the verdict.
        crop: its best view as JPEG; empty when there is none.
    """

    decided_at: float
    opening: Opening
    unsafe: Unsafe | None
    unanswered: bool
    detect_ms: float
    verdict_ms: float
    crop: bytes


class Concluder:
    """Collects the evidence of each item and concludes once, when it is enough or cannot wait.

    Attributes:
        session: the name of this run in the names of its items.
    """

    def __init__(self, *, rules: DecisionRules, voting: Voting, bundle: str, session: str) -> None:
        """Start with no items.

        Args:
            rules: how predictions become a verdict.
            voting: how many views an item gets.
            bundle: digest of the model's bundle.
            session: names this run in the names of its items.
        """
        self._rules, self._voting = rules, voting
        self._bundle, self.session = bundle, session
        self._items: dict[int, ItemEvidence] = {}
        self._pending: dict[str, ItemRecord] = {}  # on their way to a gate that is to open for them

    def sighted(self, sightings: Iterable[Sighting]) -> None:
        """Take in what a detection pass showed."""
        for sighting in sightings:
            evidence = self._evidence(sighting.item)
            evidence.item, evidence.touching = sighting.item, sighting.touching
            evidence.outline_score = sighting.outline_score
            evidence.longer_mm, evidence.area_mm2 = sighting.longer_mm, sighting.area_mm2

    def left(self, items: Iterable[TrackedItem]) -> None:
        """Take in which items have left the view."""
        for item in items:
            self._evidence(item).left = True

    def answered(self, answers: Iterable[ModelAnswer]) -> None:
        """Take in the model's answers; one for an item that has enough of them changes nothing."""
        for answer in answers:
            evidence = self._items.get(answer.number)
            if evidence is None or evidence.verdict is not None or evidence.settled:
                continue
            if answer.prediction is None:
                evidence.failed = True
                continue
            evidence.predictions.append(answer.prediction)
            evidence.classify_ms += answer.took_ms
            evidence.likeness = None
            evidence.settled = verdict_if_sure(
                evidence.predictions,
                self._rules,
                self._voting,
                evidence.longer_mm,
                partial(self._likeness, evidence),
            )

    def exchange(self, rules: DecisionRules, bundle: str) -> None:
        """Decide by the rules of another bundle from now on, once no prediction is pending."""
        self._rules, self._bundle = rules, bundle

    def undecided(self) -> list[ItemEvidence]:
        """The items without a verdict, in the order they were first seen."""
        return [evidence for evidence in self._items.values() if evidence.verdict is None]

    def due(
        self,
        *,
        by_mm: float,
        deadline_mm: Callable[[TrackedItem], float],
        unanswered: Callable[[int], bool],
        heard_of: Callable[[TrackedItem], bool] = lambda item: True,
    ) -> list[ItemEvidence]:
        """The items whose vote is sure, that give no more views, or that cannot wait.

        The first two also wait for the other sensors, if the rules ask them.

        Args:
            by_mm: where the belt will be when there is the next chance to decide.
            deadline_mm: the reading by which an item's verdict must have fallen.
            unanswered: whether a view of the item of this number waits for the model.
            heard_of: whether the other sensors have had their time to answer for an item.
        """

        def is_seen(evidence: ItemEvidence) -> bool:
            number = evidence.item.number
            given_up = evidence.left and (evidence.touching or not unanswered(number))
            return bool(evidence.settled or given_up)

        def is_heard(evidence: ItemEvidence) -> bool:
            asked = self._rules.sensors and not evidence.touching
            return not asked or heard_of(evidence.item)

        return [
            evidence
            for evidence in self.undecided()
            if (is_seen(evidence) and is_heard(evidence))
            or ((evidence.left or evidence.predictions) and by_mm >= deadline_mm(evidence.item))
        ]

    def verdict(self, evidence: ItemEvidence) -> Verdict:
        """The verdict by the evidence, as long as nothing else rules it out."""
        if evidence.touching or self._shows_several(evidence):
            return TOUCHING
        if evidence.failed and not evidence.predictions:
            return MODEL_FAILED
        if evidence.settled and not self._rules.sensors:
            return evidence.settled
        # Asked for rules with sensors only: a line without any asks nobody.
        answers = (evidence.answers or ()) if self._rules.sensors else None
        score = partial(self._likeness, evidence)
        return decide(evidence.predictions, self._rules, evidence.longer_mm, answers, score)

    def verdict_of(self, number: int) -> Verdict | None:
        """The verdict that an item has got; None when it has none."""
        evidence = self._items.get(number)
        return evidence.verdict if evidence else None

    def with_verdicts(
        self, sightings: Iterable[Sighting]
    ) -> tuple[tuple[TrackedItem, Detection, Verdict | None], ...]:
        """Each sighting's item, what was detected of it, and its verdict, if it has one."""
        return tuple(
            (each.item, each.detection, self.verdict_of(each.item.number)) for each in sightings
        )

    def name_of(self, item: TrackedItem) -> str:
        """The name of an item, unique over all runs."""
        return f"{self.session}-{item.number:06d}"

    def record(
        self, evidence: ItemEvidence, verdict: Verdict, circumstances: Circumstances
    ) -> ItemRecord:
        """Give an item its verdict, as far as its gate can follow it, and return its record."""
        item, opening = evidence.item, circumstances.opening
        late = opening is Opening.LATE
        unclassified = not evidence.predictions and circumstances.unanswered
        if unclassified and not (circumstances.unsafe or evidence.touching):
            late = True
            verdict = replace(
                verdict, reason=Reason.NOT_CLASSIFIED, detail="too late to be classified"
            )
        elif verdict.bin != MANUAL and opening is not Opening.PLANNED:
            detail = f"{opening.value} for {verdict.bin}; {verdict.detail}"
            verdict = replace(verdict, bin=MANUAL, reason=NO_OPENING[opening], detail=detail)
        record = ItemRecord(
            item_id=self.name_of(item),
            decided_at=circumstances.decided_at,
            label=verdict.label,
            confidence=verdict.confidence,
            bin=verdict.bin,
            reason=verdict.reason,
            detail=verdict.detail,
            position_mm=item.position_mm,
            offset_mm=item.offset_mm,
            views=len(evidence.predictions),
            detect_ms=circumstances.detect_ms,
            classify_ms=evidence.classify_ms,
            verdict_ms=circumstances.verdict_ms,
            late=late,
            bundle=self._bundle,
            crop=circumstances.crop,
            length_mm=item.length_mm,
            top_label=self._top_label(evidence.predictions),
            longer_mm=math.nan if evidence.longer_mm is None else evidence.longer_mm,
            area_mm2=math.nan if evidence.area_mm2 is None else evidence.area_mm2,
            likeness=self._likeness(evidence),
            code=_code(evidence.predictions),
            sensors=written(evidence.answers or ()),
        )
        if opening is Opening.PLANNED:
            self._pending[record.item_id] = replace(record, crop=b"")
        self._decided(evidence, verdict)
        return record

    def recalled(self, evidence: ItemEvidence) -> None:
        """Close an item that the run before has recorded."""
        self._decided(evidence, RECALLED)

    def rerouted(self, passed: Iterable[Passed]) -> list[tuple[str, ItemRecord]]:
        """The bin and the record, changed to `manual`, of each item that found its gate closed."""
        changed = []
        for each in passed:
            record = self._pending.pop(each.name, None)
            if record is not None and not each.was_open:
                detail = f"the gate of {record.bin} was closed; {record.detail}"
                reason = Reason.GATE_CLOSED
                manual = replace(record, bin=MANUAL, reason=reason, detail=detail)
                changed.append((record.bin, manual))
        return changed

    def items(self) -> list[TrackedItem]:
        """The items that are remembered, in the order they were first seen."""
        return [evidence.item for evidence in self._items.values()]

    def forget(self) -> None:
        """Drop the oldest items; one that has left may come back with the belt for some time."""
        for number in sorted(self._items)[:-ITEMS_REMEMBERED]:
            del self._items[number]

    def _evidence(self, item: TrackedItem) -> ItemEvidence:
        return self._items.setdefault(item.number, ItemEvidence(item))

    def _decided(self, evidence: ItemEvidence, verdict: Verdict) -> None:
        evidence.verdict = verdict
        evidence.predictions.clear()

    def _shows_several(self, evidence: ItemEvidence) -> bool:
        """Whether its outlines, or its views and its outlines together, look like several items.

        The outlines are asked again: those of an item that was in view as the rules were exchanged
        were judged by the rules before.
        """
        rule, outline_score = self._rules.touching, evidence.outline_score
        if outline_score is None:
            return False
        if outline_score > self._rules.certainly_several:
            return True
        if rule is None or not evidence.predictions:
            return False
        embeddings = np.stack([each.embedding for each in evidence.predictions])
        return rule.shows_several(embeddings, outline_score)

    def _likeness(self, evidence: ItemEvidence) -> float:
        """How much it is like the known classes, worked out once; NaN: the bundle cannot say."""
        if evidence.likeness is None:
            evidence.likeness = likeness(evidence.predictions, self._rules)
        return evidence.likeness

    def _top_label(self, predictions: Sequence[Prediction]) -> str:
        """The class that the views speak for most; empty when there was none."""
        return self._rules.labels[int(vote(predictions).argmax())] if predictions else ""


def _code(predictions: Sequence[Prediction]) -> bytes:
    """The code of the mean embedding of the views; empty when there was none."""
    if not predictions:
        return b""
    return embedding_code(np.mean([each.embedding for each in predictions], axis=0))
