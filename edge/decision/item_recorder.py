"""The record of each item: its verdict, the gate planned for it, and its picture."""

import time
from collections.abc import Iterator
from dataclasses import replace

from edge.belt.sighting import DetectionPass
from edge.belt.view import encoded
from edge.decision.concluder import Circumstances, Concluder, ItemEvidence
from edge.decision.sensing import NoSensing, Sensing
from edge.encoders.belt_position import BeltPosition
from edge.gates.mover import GateMover
from edge.inference.dispatcher import Dispatcher
from edge.labels import MANUAL
from edge.records.recall import ViewAtStart
from edge.records.record import ItemRecord
from edge.verdict import Reason, Unsafe, Verdict


class ItemRecorder:
    """Gives each item its verdict, plans its gate, and makes its record.

    The records come one by one: the next item is decided on when the next record is asked for.

    Attributes:
        recalled: how many items got no record, since the run before had recorded them.
    """

    def __init__(
        self,
        *,
        concluder: Concluder,
        dispatcher: Dispatcher,
        mover: GateMover,
        at_start: ViewAtStart,
        position: BeltPosition,
        sensing: Sensing = NoSensing(),
    ) -> None:
        """Join the parts that know of an item.

        Args:
            concluder: its evidence.
            dispatcher: its views.
            mover: the gates.
            at_start: what lay in view when the line started.
            position: where the belt is.
            sensing: the other sensors.
        """
        self._concluder, self._dispatcher, self._mover = concluder, dispatcher, mover
        self._at_start, self._position = at_start, position
        self._sensing = sensing
        self._detect_ms = 0.0
        self._stepped_to_mm: float | None = None
        self._step_mm = 0.0  # what the belt moves during a step
        self._held: Unsafe | None = None
        self.recalled = 0

    def hold(self, held: Unsafe | None) -> None:
        """Send every item to `manual` from now on, for this reason; None: sort again."""
        self._held = held

    def sighted(self, seen: DetectionPass) -> None:
        """Take in what a detection pass showed."""
        self._detect_ms = seen.took_ms
        self._dispatcher.offer((*seen.earlier, *seen.sightings))
        self._concluder.sighted(seen.sightings)

    def due(self, encoder_mm: float, captured_at: float) -> Iterator[ItemRecord]:
        """Decide on each item whose vote is sure, that gives no more views, or that cannot wait.

        Args:
            encoder_mm: where the belt was as the newest frame was captured.
            captured_at: when that was, seconds of the line's clock.
        """
        now_mm = self._position.now_mm()
        if self._stepped_to_mm is not None:
            self._step_mm = abs(now_mm - self._stepped_to_mm)
        self._stepped_to_mm = now_mm
        self._sensing.listen()
        due = self._concluder.due(
            by_mm=now_mm + 2 * self._step_mm,
            deadline_mm=self._mover.deadline_mm,
            unanswered=self._unanswered,
            heard_of=self._sensing.heard_of,
        )
        for evidence in self._concluder.undecided():
            if evidence.settled:
                self._dispatcher.settle(evidence.item.number)
        for evidence in due:
            yield from self._conclude(evidence, encoder_mm, captured_at)
        self._concluder.forget()

    def undecided(self, encoder_mm: float, unsafe: Unsafe | None = None) -> Iterator[ItemRecord]:
        """Decide on every item that has no verdict yet.

        Args:
            encoder_mm: where the belt is.
            unsafe: why they go to `manual`, whatever they are; None: they need not.
        """
        for evidence in self._concluder.undecided():
            yield from self._conclude(evidence, encoder_mm, evidence.item.last_seen_at, unsafe)

    def answered(self, encoder_mm: float) -> Iterator[ItemRecord]:
        """Decide on every item that has no verdict yet but a prediction, by those it has."""
        for evidence in self._concluder.undecided():
            if evidence.predictions:
                yield from self._conclude(evidence, encoder_mm, evidence.item.last_seen_at)

    def _conclude(
        self,
        evidence: ItemEvidence,
        encoder_mm: float,
        captured_at: float,
        unsafe: Unsafe | None = None,
    ) -> Iterator[ItemRecord]:
        """Decide on an item and plan its gate; no record if it has one already.

        `captured_at` is when the frame that brought the verdict was captured, but for an item whose
        views settled it.
        """
        number = evidence.item.number
        views = self._dispatcher.views_of(number)
        if evidence.settled and views and views.last:
            captured_at = views.last.captured_at
        crop, unanswered = self._crop(number), self._unanswered(number)
        if self._is_recalled(evidence, crop, encoder_mm):
            return
        evidence.answers = self._sensing.answers(evidence.item, self._concluder.items())
        verdict = self._concluder.verdict(evidence)
        unsafe = self._unsafe(verdict, unsafe)
        if unsafe is not None:
            detail = f"{unsafe.detail}; {verdict.detail}"
            verdict = replace(verdict, bin=MANUAL, reason=unsafe.reason, detail=detail)
        now_mm = max(encoder_mm, self._position.now_mm())
        name = self._concluder.name_of(evidence.item)
        opening = self._mover.plan(evidence.item, verdict.bin, now_mm, name)
        circumstances = Circumstances(
            decided_at=time.time(),
            opening=opening,
            unsafe=unsafe,
            unanswered=unanswered,
            detect_ms=self._detect_ms,
            verdict_ms=max(0.0, self._position.now() - captured_at) * 1000,
            crop=crop,
        )
        record = self._concluder.record(evidence, verdict, circumstances)
        self._dispatcher.conclude(number)
        yield record

    def _is_recalled(self, evidence: ItemEvidence, crop: bytes, encoder_mm: float) -> bool:
        """Close an item that the run before has recorded; False: it has not."""
        item = evidence.item
        if not self._at_start.recognize(item, crop, self._concluder.items(), self._crop):
            return False
        # Its gate may be past, so none opens for it, nor for another one on it.
        self._concluder.recalled(evidence)
        self._dispatcher.conclude(item.number)
        self._mover.plan(item, MANUAL, encoder_mm)
        self.recalled += 1
        return True

    def _unsafe(self, verdict: Verdict, unsafe: Unsafe | None) -> Unsafe | None:
        """Why the item must go to manual whatever it is; None: it need not."""
        if self._position.unsafe is not None:
            return self._position.unsafe
        if unsafe is None and self._held is not None:
            return self._held
        if unsafe is None and verdict.bin != MANUAL:
            fault = self._mover.fault()
            return Unsafe(Reason.OUTPUT_FAULT, fault) if fault else None
        return unsafe

    def _crop(self, number: int) -> bytes:
        """The best view of an item as JPEG; empty when there is none."""
        views = self._dispatcher.views_of(number)
        return encoded(views.picture if views else None)

    def _unanswered(self, number: int) -> bool:
        """Whether a view of the item waits for the model, or is at it."""
        views = self._dispatcher.views_of(number)
        return views is not None and views.in_work
