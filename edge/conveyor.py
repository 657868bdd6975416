"""The main job: frames in, each item seen once, classified, decided, sorted, and recorded.

Four parts do the work and know nothing of each other: the observer (frame -> sightings), the
dispatcher (sightings -> predictions), the concluder (predictions -> records), and the gate mover
(now -> commands). This loop carries their values from one to the next.
"""

import os
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from edge.belt.detector import Detection
from edge.belt.geometry import Geometry
from edge.belt.observer import Observer
from edge.belt.sighting import DetectionPass
from edge.belt.tracker import TrackedItem
from edge.belt.view import View, encoded
from edge.cameras.camera import Camera, Frame, NoFrame
from edge.clock import Clock
from edge.decision.concluder import Circumstances, Concluder, ItemEvidence, Unsafe
from edge.decision.decide import DecisionRules
from edge.decision.voting import Voting
from edge.encoders.encoder import HEALTHY, Encoder, EncoderHealth
from edge.gates.mover import GateMover, Passed
from edge.gates.output import GateOutput
from edge.gates.schedule import GateSchedule
from edge.inference.dispatcher import Dispatcher, ModelAnswer
from edge.inference.worker import Inference
from edge.labels import MANUAL
from edge.records.recall import FOUND_S, Recall
from edge.records.store import ItemRecord
from edge.verdict import Reason, Verdict

STAGES = ("detect", "classify", "verdict")
LATENCIES_KEPT = 1000
LINE_ENDED = Unsafe(Reason.LINE_ENDED, "the line ended")
CAMERA_FAILED = Unsafe(Reason.CAMERA_FAULT, "the camera failed")


@dataclass(frozen=True)
class Step:
    """What one frame, or the lack of one, brought: for the page and the tests.

    Attributes:
        frame: the frame; None while the camera is at fault.
        encoder_mm: where the belt was.
        seen: the items of the last detection pass with what was detected of each, and the verdict,
            if there is one.
        records: the verdicts that fell.
        fault: what is wrong with the camera; None when nothing is.
        belt: what is known of the encoder's positions.
        moved_px: how far the belt has brought since what was seen, columns to the right.
    """

    frame: Frame | None
    encoder_mm: float
    seen: tuple[tuple[TrackedItem, Detection, Verdict | None], ...]
    records: tuple[ItemRecord, ...]
    fault: str | None = None
    belt: EncoderHealth = HEALTHY
    moved_px: int = 0


@dataclass
class Tally:
    """Counts since the start, and the latest latencies by stage in ms.

    `recalled` are items in view at the start that the run before had counted; `recorded` is false
    when the disk took no record from the start on, which was said then.
    """

    items: int = 0
    late: int = 0
    recalled: int = 0
    frames: int = 0
    frames_dropped: int = 0
    camera_faults: int = 0
    encoder_faults: int = 0
    model_faults: int = 0
    records_lost: int = 0
    recorded: bool = True
    per_label: Counter[str] = field(default_factory=Counter)
    per_bin: Counter[str] = field(default_factory=Counter)
    latencies: dict[str, deque[float]] = field(
        default_factory=lambda: {stage: deque(maxlen=LATENCIES_KEPT) for stage in STAGES}
    )

    def count(self, record: ItemRecord) -> None:
        """Count an item."""
        self.items += 1
        self.late += record.late
        self.per_label[record.label] += 1
        self.per_bin[record.bin] += 1
        self.latencies["verdict"].append(record.verdict_ms)


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
        self._record, self._recall, self._on_rerouted = record, recall, on_rerouted
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
        self._started_at: float | None = None
        self._view_mm = (0.0, 0.0)
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
        on_step: Callable[[Step], None] = lambda step: None,
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

    def step(self, frame: Frame) -> Step:
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
        return Step(
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

    def step_blind(self, none: NoFrame) -> Step:
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
        return Step(None, encoder_mm, (), records, none.fault)

    def _begin(self, frame: Frame, encoder_mm: float) -> None:
        """At the first frame, and the first after a fault: nobody saw what is past the view."""
        if self._started_at is None:
            self._started_at = frame.captured_at
            # The belt coordinate grows upstream.
            self._view_mm = (
                self._geometry.belt_position(self._geometry.width_px, encoder_mm),
                self._geometry.belt_position(0, encoder_mm),
            )
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
        jpeg = encoded(views.picture if views else None)
        unanswered = self._unanswered(number)
        if self._counted_before(item, jpeg):
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

    def _counted_before(self, item: TrackedItem, jpeg: bytes) -> bool:
        """Whether the run before has recorded an item, seen in `jpeg`, that is in view again."""
        if self._recall is None:
            return False
        until = (self._started_at or 0.0) + FOUND_S
        lying = []
        if item.first_seen_at <= until:
            lying = [
                (other, encoded(self._picture(other.number)))
                for other in self._concluder.items()
                if other.first_seen_at <= until
            ]
        return self._recall.recognize(item, jpeg, lying, self._view_mm)

    def _picture(self, number: int) -> View | None:
        views = self._dispatcher.views_of(number)
        return views.picture if views else None

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
