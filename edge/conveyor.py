"""The main job: frames in, each item seen once, classified, decided, sorted, and recorded.

Four parts do the work and know nothing of each other: the observer (frame -> sightings), the
dispatcher (sightings -> predictions), the concluder (predictions -> records), and the gate mover
(now -> commands). This loop carries their values from one to the next.
"""

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from edge.belt.geometry import Geometry
from edge.belt.observer import Observer
from edge.belt.sighting import DetectionPass
from edge.belt.view import encoded
from edge.cameras.camera import Camera, Frame, NoFrame
from edge.clock import Clock
from edge.decision.concluder import Circumstances, Concluder, ItemEvidence, Unsafe
from edge.decision.decide import DecisionRules
from edge.decision.voting import Voting
from edge.encoders.encoder import HEALTHY, Encoder
from edge.gates.mover import GateMover, Passed
from edge.gates.output import GateOutput
from edge.gates.schedule import GateSchedule
from edge.inference.dispatcher import Dispatcher, ModelAnswer
from edge.inference.worker import Inference
from edge.labels import MANUAL
from edge.records.recall import Recall, ViewAtStart
from edge.records.store import ItemRecord
from edge.tally import LineStep, Tally
from edge.verdict import Reason, Verdict

LINE_ENDED = Unsafe(Reason.LINE_ENDED, "the line ended")
CAMERA_FAILED = Unsafe(Reason.CAMERA_FAULT, "the camera failed")


class Conveyor:
    """The loop over one belt. It waits for nothing but the camera and the model."""

    def __init__(
        self,
        *,
        camera: Camera,
        encoder: Encoder,
        clock: Clock,
        geometry: Geometry,
        inference: Inference,
        rules: DecisionRules,
        voting: Voting,
        schedule: GateSchedule,
        gates: GateOutput,
        bundle: str,
        record: Callable[[ItemRecord], object],
        recall: Recall | None = None,
        on_rerouted: Callable[[ItemRecord], object] = lambda record: None,
    ) -> None:
        """Join the parts; nothing moves before `run`.

        Args:
            camera: frames, timed by `clock`.
            encoder: where the belt is at a time of `clock`.
            clock: of the line.
            geometry: what the camera shows.
            inference: the model at work.
            rules: how predictions become a verdict.
            voting: how many views an item gets.
            schedule: which gate opens when.
            gates: the actuators.
            bundle: digest of the model's bundle, for the records.
            record: takes each item's record; must return at once.
            recall: what the run before has recorded, which is not counted again.
            on_rerouted: takes, likewise, the record of an item that went to manual after all,
                since its gate was closed as it passed; without its picture.
        """
        self._camera, self._encoder, self._clock, self._geometry = camera, encoder, clock, geometry
        self._record, self._on_rerouted = record, on_rerouted
        self._at_start = ViewAtStart(recall, geometry)
        self.session = uuid.uuid4().hex[:12]
        self._observer = Observer(geometry)
        self._mover = GateMover(schedule, gates)
        self._dispatcher = Dispatcher(
            inference=inference,
            spacing_mm=voting.spacing_mm,
            now_mm=self._now_mm,
            deadline_mm=self._mover.deadline_mm,
        )
        self._concluder = Concluder(rules=rules, voting=voting, bundle=bundle, session=self.session)
        self._next_frame = 0
        self._pass: DetectionPass | None = None
        self._stepped_to_mm: float | None = None
        self._step_mm = 0.0  # what the belt moves during a step
        self._sees, self._faulty = False, False
        self._belt = HEALTHY
        self.tally = Tally()

    @property
    def gates_open(self) -> dict[str, bool]:
        """Bin -> whether its gate was last told to open."""
        return self._mover.is_open

    def run(
        self,
        stopped: Callable[[], bool] = lambda: False,
        on_step: Callable[[LineStep], None] = lambda step: None,
    ) -> Tally:
        """Work until the camera ends or `stopped` says so; the gates are closed before and after.

        `on_step` gets every step and must return at once.

        Raises:
            CameraLost: the camera did not come back.
            EwasteError: a gate failed, or the model fails again and again.
        """
        try:
            self._close_gates()
            while not stopped():
                frame = self._camera.read()
                if frame is None:
                    break
                if isinstance(frame, Frame):
                    on_step(self.step(frame))
                elif frame.fault:
                    on_step(self.step_blind(frame))
                else:
                    self._count_passed(frame.passed)
                    self._move_gates()
            self._classify(self._dispatcher.drain)
            self._conclude_all(self._now_mm())
        except BaseException:
            # What went wrong first is what has to be known.
            with suppress(Exception):
                self._close_gates()
            with suppress(Exception):
                self._conclude_all(self._now_mm(), LINE_ENDED)
            raise
        else:
            self._close_gates()
        finally:
            self._dispatcher.close()
        return self.tally

    def step(self, frame: Frame) -> LineStep:
        """Take in one frame: find and follow items, classify one view, decide, move gates."""
        self.tally.frames += 1
        self._count_passed(frame.sequence)
        self._next_frame = frame.sequence + 1
        encoder_mm = self._encoder.position_mm(frame.captured_at)
        self._begin(frame, encoder_mm)
        records = self._check_encoder(encoder_mm)
        self._move_gates()
        seen = self._observer.observe(frame, encoder_mm)
        if seen is not self._pass:
            self._pass = seen
            self.tally.latencies["detect"].append(seen.took_ms)
            self._dispatcher.offer((*seen.earlier, *seen.sightings))
            self._concluder.sighted(seen.sightings)
        self._classify(lambda: self._dispatcher.dispatch(frame.captured_at))
        records += self._conclude_due(frame, encoder_mm)
        self._move_gates()
        return LineStep(
            frame=frame,
            encoder_mm=encoder_mm,
            seen=tuple(
                (each.item, each.detection, self._concluder.verdict_of(each.item.number))
                for each in seen.sightings
            ),
            records=records,
            belt=self._belt,
            moved_px=round((encoder_mm - seen.encoder_mm) / self._geometry.mm_per_px),
        )

    def step_blind(self, none: NoFrame) -> LineStep:
        """The camera is at fault: the gates are closed, and what is on the belt goes to manual."""
        self._mover.alive()
        encoder_mm = self._now_mm()
        records: tuple[ItemRecord, ...] = ()
        if not self._faulty:
            self.tally.camera_faults += 1
            self._close_gates()
            records = self._conclude_all(encoder_mm, CAMERA_FAILED)
        self._sees, self._faulty, self._pass = False, True, None
        self._observer.interrupt()
        return LineStep(None, encoder_mm, (), records, none.fault)

    def _begin(self, frame: Frame, encoder_mm: float) -> None:
        """At the first frame, and the first after a fault: nobody saw what is past the view."""
        self._at_start.begin(encoder_mm, frame.captured_at)
        if not self._sees:
            self._sees, self._faulty = True, False
            self._mover.unseen_before(self._border_mm(encoder_mm))

    def _check_encoder(self, encoder_mm: float) -> tuple[ItemRecord, ...]:
        """Once no position can be trusted the gates are closed and what is on the belt is manual.

        So is what comes until one can be again, and then what is past the view.
        """
        before, self._belt = self._belt, self._encoder.health()
        if before.trusted and not self._belt.trusted:
            self.tally.encoder_faults += 1
            self._close_gates()
            return self._conclude_all(encoder_mm)
        if self._belt.trusted and not before.trusted:
            self._mover.unseen_before(self._border_mm(encoder_mm))
        return ()

    def _count_passed(self, sequence: int) -> None:
        """Count the frames before number `sequence` that never came."""
        self.tally.frames_dropped += max(0, sequence - self._next_frame)
        self._next_frame = max(self._next_frame, sequence)

    def _classify(self, work: Callable[[], list[ModelAnswer]]) -> None:
        """Let the dispatcher work, and take in what the model answered."""
        try:
            answers = work()
        finally:
            self.tally.model_faults = self._dispatcher.faults
        for answer in answers:
            if answer.prediction is not None:
                self.tally.latencies["classify"].append(answer.took_ms)
        self._concluder.answered(answers)

    def _conclude_due(self, frame: Frame, encoder_mm: float) -> tuple[ItemRecord, ...]:
        """Decide on each item whose vote is sure, that gives no more views or cannot wait."""
        self._concluder.left(self._observer.left(encoder_mm))
        now_mm = self._now_mm()
        if self._stepped_to_mm is not None:
            self._step_mm = abs(now_mm - self._stepped_to_mm)
        self._stepped_to_mm = now_mm
        due = self._concluder.due(
            by_mm=now_mm + 2 * self._step_mm,
            deadline_mm=self._mover.deadline_mm,
            unanswered=self._unanswered,
        )
        records = [self._conclude(evidence, encoder_mm, frame.captured_at) for evidence in due]
        self._concluder.forget()
        return tuple(record for record in records if record is not None)

    def _conclude_all(
        self, encoder_mm: float, unsafe: Unsafe | None = None
    ) -> tuple[ItemRecord, ...]:
        """Decide on every item that has no verdict yet."""
        records = [
            self._conclude(evidence, encoder_mm, evidence.item.last_seen_at, unsafe)
            for evidence in self._concluder.undecided()
        ]
        return tuple(record for record in records if record is not None)

    def _conclude(
        self,
        evidence: ItemEvidence,
        encoder_mm: float,
        captured_at: float,
        unsafe: Unsafe | None = None,
    ) -> ItemRecord | None:
        """Decide on an item, plan its gate and hand over its record; None: it has one already.

        `captured_at` is when the frame that brought the verdict was captured, but for an item whose
        views settled it. `unsafe` says why the item goes to manual, whatever it is.
        """
        item, number = evidence.item, evidence.item.number
        views = self._dispatcher.views_of(number)
        if evidence.settled and views and views.last:
            captured_at = views.last.captured_at
        jpeg = self._jpeg(number)
        unanswered = self._unanswered(number)
        if self._at_start.recognize(item, jpeg, self._concluder.items(), self._jpeg):
            # Its gate may be past, so none opens for it, nor for another one on it.
            self._concluder.recalled(evidence)
            self._dispatcher.conclude(number)
            self._mover.plan(item, MANUAL, encoder_mm)
            self.tally.recalled += 1
            return None
        verdict = self._concluder.verdict(evidence)
        unsafe = self._unsafe(verdict, unsafe)
        if unsafe is not None:
            detail = f"{unsafe.detail}; {verdict.detail}"
            verdict = replace(verdict, bin=MANUAL, reason=unsafe.reason, detail=detail)
        now_mm = max(encoder_mm, self._now_mm())
        opening = self._mover.plan(item, verdict.bin, now_mm, self._concluder.name_of(item))
        record = self._concluder.record(
            evidence,
            verdict,
            Circumstances(
                decided_at=time.time(),
                opening=opening,
                unsafe=unsafe,
                unanswered=unanswered,
                detect_ms=self._pass.took_ms if self._pass else 0.0,
                verdict_ms=max(0.0, self._clock.now() - captured_at) * 1000,
                crop=jpeg,
            ),
        )
        self._dispatcher.conclude(number)
        self.tally.count(record)
        self._record(record)
        return record

    def _unsafe(self, verdict: Verdict, unsafe: Unsafe | None) -> Unsafe | None:
        """Why the item must go to manual whatever it is; None: it need not."""
        if not self._belt.trusted:
            return Unsafe(Reason.ENCODER_FAULT, self._belt.message)
        if unsafe is None and verdict.bin != MANUAL:
            fault = self._mover.fault()
            return Unsafe(Reason.OUTPUT_FAULT, fault) if fault else None
        return unsafe

    def _jpeg(self, number: int) -> bytes:
        """The best view of an item; empty when there is none."""
        views = self._dispatcher.views_of(number)
        return encoded(views.picture if views else None)

    def _unanswered(self, number: int) -> bool:
        views = self._dispatcher.views_of(number)
        return views is not None and views.in_work

    def _now_mm(self) -> float:
        return self._encoder.position_mm(self._clock.now())

    def _border_mm(self, encoder_mm: float) -> float:
        """The belt coordinate of the view's downstream border."""
        return self._geometry.belt_position(self._geometry.width_px, encoder_mm)

    def _move_gates(self) -> None:
        now = self._clock.now()
        self._mover.move(self._encoder.position_mm(now), now)
        self._reroute(self._mover.passed())

    def _close_gates(self) -> None:
        try:
            self._mover.close_all()
        finally:
            self._reroute(self._mover.passed())

    def _reroute(self, passed: Iterable[Passed]) -> None:
        """Say of items that found their gate closed that they went to manual."""
        for before, record in self._concluder.rerouted(passed):
            self.tally.per_bin[before] -= 1
            self.tally.per_bin[MANUAL] += 1
            self._on_rerouted(record)


if __name__ == "__main__":
    # As a program of its own: the loop itself knows nothing of the command line or the page.
    os.execv(sys.executable, [sys.executable, "-m", "edge.cli", "run", *sys.argv[1:]])
