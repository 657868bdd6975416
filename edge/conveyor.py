"""The main job: frames in, each item seen once, classified, decided, sorted and recorded."""

import os
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import cv2

from edge.belt.candidate import Candidate
from edge.belt.detector import Detection, Detector
from edge.belt.geometry import Box, Geometry
from edge.belt.tracker import TrackedItem, Tracker, box_of
from edge.belt.view import View, crop
from edge.cameras.camera import Camera, Frame, NoFrame
from edge.clock import Clock
from edge.decision.decide import MANUAL, TOUCHING, UNKNOWN, DecisionRules, Verdict, decide, vote
from edge.decision.voting import Voting, verdict_if_sure
from edge.encoders.encoder import HEALTHY, Encoder, EncoderHealth
from edge.errors import EwasteError
from edge.gates.output import GateOutput
from edge.gates.schedule import GateSchedule, Opening
from edge.inference.classifier import Prediction
from edge.inference.worker import Inference
from edge.records.recall import FOUND_S, Recall
from edge.records.store import ItemRecord

STAGES = ("detect", "classify", "verdict")
LATENCIES_KEPT = 1000
CANDIDATES_KEPT = 200
"""More than can be between the forgetting distances of the tracker at once."""
CROP_SIDE = 224
MODEL_FAULTS = 5
"""A model that fails so many times in a row is of no use: the line ends, to be started anew."""
LOOK_AGAIN_S = 0.05
"""No frame is looked at for items so soon after the last one: of 30 a second every other is."""
LOOK_AGAIN_SHARE = 1 / 6
"""Of the view: a frame is looked at in any case before the belt has moved on by as much, so that
each item is seen several times however fast the belt runs."""


@dataclass(frozen=True)
class Step:
    """What one frame, or the lack of one, brought: for the page and the tests.

    Attributes:
        frame: the frame; None while the camera is at fault.
        encoder_mm: where the belt was.
        seen: the items in the last frame that was looked at with what was seen of each there, and
            the verdict, if there is one.
        records: the verdicts that fell.
        fault: what is wrong with the camera; empty when nothing is.
        belt: what is known of the encoder's positions.
        moved_px: how far the belt has brought since what was seen, columns to the right.
    """

    frame: Frame | None
    encoder_mm: float
    seen: tuple[tuple[TrackedItem, Detection, Verdict | None], ...]
    records: tuple[ItemRecord, ...]
    fault: str = ""
    belt: EncoderHealth = HEALTHY
    moved_px: int = 0


@dataclass(frozen=True)
class DetectionPass:
    """A look at a frame for the items in it.

    Attributes:
        frame: that was looked at.
        encoder_mm: where the belt was.
        seen: the items in it with what was seen of each.
        took_ms: time of the detector and the tracker.
    """

    frame: Frame
    encoder_mm: float
    seen: tuple[tuple[TrackedItem, Detection], ...]
    took_ms: float


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


class Conveyor:
    """The loop over one belt. It waits for nothing but the camera and the model."""

    def __init__(
        self,
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
        moved: Callable[[ItemRecord], object] = lambda record: None,
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
            moved: takes, likewise, the record of an item that went to manual after all, since its
                gate was closed as it passed; without its picture.
        """
        self._camera, self._encoder, self._clock = camera, encoder, clock
        self._geometry, self._rules = geometry, rules
        self._voting, self._schedule, self._gates = voting, schedule, gates
        self._bundle, self._record, self._recall, self._moved = bundle, record, recall, moved
        self._bound: dict[str, ItemRecord] = {}  # on their way to a gate that is to open for them
        self._started_at: float | None = None
        self._view_mm = (0.0, 0.0)
        self._detector, self._tracker = Detector(geometry), Tracker()
        self._candidates: dict[int, Candidate] = {}
        self._session = uuid.uuid4().hex[:12]
        self._next_frame = 0
        self._detection_pass: DetectionPass | None = None  # at the last frame that was looked at
        self._frame_mm = 0.0  # where the belt was in the last frame
        self._inference = inference
        self._at_work: Candidate | None = None
        self._begun_mm = 0.0
        self._model_faults = 0  # in a row
        self._classify_mm = self._step_mm = 0.0  # what the belt moves during a prediction, a step
        self._stepped_to_mm: float | None = None
        self._sees, self._fault = False, ""
        self._belt = HEALTHY
        self.tally = Tally()
        self.gates_open: dict[str, bool] = {}

    def run(
        self,
        stopped: Callable[[], bool] = lambda: False,
        shown: Callable[[Step], None] = lambda step: None,
    ) -> Tally:
        """Work until the camera ends or `stopped` says so; the gates are closed before and after.

        `shown` gets every step and must return at once.

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
                    shown(self.step(frame))
                elif frame.fault:
                    shown(self.step_blind(frame))
                else:
                    self._count_passed(frame.passed)
                    self._move_gates()
            self._finish()
        except BaseException:
            # What went wrong first is what has to be known.
            with suppress(Exception):
                self._close_gates()
            with suppress(Exception):
                self._conclude_all(self._now_mm(), "the line ended")
            raise
        else:
            self._close_gates()
        finally:
            self._inference.close()
        return self.tally

    def step(self, frame: Frame) -> Step:
        """Take in one frame: find and follow items, classify one view, decide, move gates."""
        self.tally.frames += 1
        self._count_passed(frame.sequence)
        self._next_frame = frame.sequence + 1
        encoder_mm = self._encoder.position_mm(frame.captured_at)
        if self._started_at is None:
            self._started_at = frame.captured_at
            low_px, high_px = self._geometry.width_px, 0  # the belt coordinate grows upstream
            self._view_mm = (
                self._geometry.belt_position(low_px, encoder_mm),
                self._geometry.belt_position(high_px, encoder_mm),
            )
        if not self._sees:
            self._sees, self._fault = True, ""
            self._schedule.unseen_before(self._border_mm(encoder_mm))
        lost = self._mind_encoder(encoder_mm)
        self._move_gates()
        detection_pass = self._detection_pass
        if detection_pass is None or self._should_look(frame, encoder_mm, detection_pass):
            detection_pass = self._detection_pass = self._look(frame, encoder_mm)
        self._frame_mm = encoder_mm
        self._classify_most_urgent(frame.captured_at)
        records = self._decide(frame, encoder_mm)
        self._move_gates()
        return Step(
            frame,
            encoder_mm,
            tuple(
                (item, detection, self._verdict(item.number))
                for item, detection in detection_pass.seen
            ),
            lost + records,
            belt=self._belt,
            moved_px=round((encoder_mm - detection_pass.encoder_mm) / self._geometry.mm_per_px),
        )

    def _count_passed(self, sequence: int) -> None:
        """Count the frames before number `sequence` that never came."""
        self.tally.frames_dropped += max(0, sequence - self._next_frame)
        self._next_frame = max(self._next_frame, sequence)

    def step_blind(self, none: NoFrame) -> Step:
        """The camera is at fault: the gates are closed, and what is on the belt goes to manual."""
        self._gates.alive()
        encoder_mm = self._now_mm()
        records: tuple[ItemRecord, ...] = ()
        if not self._fault:
            self.tally.camera_faults += 1
            self._close_gates()
            records = self._conclude_all(encoder_mm, "the camera failed")
        self._sees, self._fault, self._detection_pass = False, none.fault, None
        return Step(None, encoder_mm, (), records, none.fault)

    def _mind_encoder(self, encoder_mm: float) -> tuple[ItemRecord, ...]:
        """Once no position can be trusted the gates are closed and what is on the belt is manual.

        So is what comes until one can be again, and then what is past the view.
        """
        before, self._belt = self._belt, self._encoder.health()
        if before.trusted and not self._belt.trusted:
            self.tally.encoder_faults += 1
            self._close_gates()
            return self._conclude_all(encoder_mm, self._belt.message)
        if self._belt.trusted and not before.trusted:
            self._schedule.unseen_before(self._border_mm(encoder_mm))
        return ()

    def _border_mm(self, encoder_mm: float) -> float:
        """The belt coordinate of the view's downstream border."""
        return self._geometry.belt_position(self._geometry.width_px, encoder_mm)

    def _should_look(self, frame: Frame, encoder_mm: float, last: DetectionPass) -> bool:
        """Whether to look for items: not twice in a moment, as long as the next frame is in time.

        To find them costs more than all else but the model.
        """
        by_next_mm = abs(encoder_mm - last.encoder_mm) + abs(encoder_mm - self._frame_mm)
        too_far = by_next_mm > LOOK_AGAIN_SHARE * self._geometry.width_mm
        return too_far or frame.captured_at - last.frame.captured_at >= LOOK_AGAIN_S

    def _look(self, frame: Frame, encoder_mm: float) -> DetectionPass:
        """Find the items in a frame and follow them; take views of those that want one."""
        started = time.perf_counter()
        detections = self._detector.detect(frame.pixels, encoder_mm)
        seen = self._tracker.update(detections, self._geometry, encoder_mm, frame.captured_at)
        took_ms = self._took("detect", started)
        for item, detection in seen:
            self._sight(item, detection, frame, encoder_mm)
        return DetectionPass(frame, encoder_mm, tuple(seen), took_ms)

    def _sight(
        self, item: TrackedItem, detection: Detection, frame: Frame, encoder_mm: float
    ) -> None:
        """Offer a view of the item if it is whole and has come far enough since the last one."""
        new = item.number not in self._candidates
        candidate = self._candidates.setdefault(item.number, Candidate(item))
        candidate.item = item
        candidate.sighted(detection)
        asked = not (detection.touching or candidate.touching)
        if new and asked and not detection.whole:
            self._look_back(candidate)
        wanted = candidate.wants_view(encoder_mm, self._voting.spacing_mm)
        if not detection.whole or not wanted or (not asked and candidate.picture):
            return
        view = self._view(frame, encoder_mm, detection.box)
        if asked:
            candidate.offer(view)
        else:
            candidate.unasked = view

    def _look_back(self, candidate: Candidate) -> None:
        """Offer what the last look showed of an item that is already cut off in this one.

        It takes two sightings to make an item, and on a fast belt the first may show it whole for
        the only time: what lay at the view's end at the start, or came by while frames were lost.
        """
        if self._detection_pass is None:
            return
        frame, encoder_mm = self._detection_pass.frame, self._detection_pass.encoder_mm
        box = box_of(candidate.item, self._geometry, encoder_mm)
        width, height = self._geometry.width_px, self._geometry.height_px
        inside = min(box.left, box.top) >= 0 and box.right <= width and box.bottom <= height
        if inside and candidate.item.first_seen_at <= frame.captured_at:
            candidate.offer(self._view(frame, encoder_mm, box))

    def _view(self, frame: Frame, encoder_mm: float, box: Box) -> View:
        off_center = abs(2 * box.center[0] / self._geometry.width_px - 1)
        return View(crop(frame.pixels, box), frame.captured_at, encoder_mm, off_center)

    def _classify_most_urgent(self, captured_at: float) -> None:
        """Let the model work at the best view of the item whose verdict is needed first.

        Items that have no prediction yet come before those that want a further one.
        """
        self._collect()
        if self._at_work is not None:
            return
        ready = [
            candidate
            for candidate in self._candidates.values()
            if candidate.verdict is None and not candidate.touching and candidate.ready(captured_at)
        ]
        if ready:
            self._begin(min(ready, key=self._urgency))
            self._collect()

    def _urgency(self, candidate: Candidate) -> tuple[bool, bool, float]:
        """What comes first is classified first; who is too late for it waits for the others."""
        deadline_mm = self._deadline_mm(candidate)
        too_late = self._now_mm() + self._classify_mm > deadline_mm
        return too_late, bool(candidate.predictions), deadline_mm

    def _begin(self, candidate: Candidate) -> None:
        self._at_work, self._begun_mm = candidate, self._now_mm()
        view = candidate.take()
        try:
            self._inference.start(view.pixels)
        except Exception as error:  # of a model that works in this thread
            self._model_failed(error)

    def _collect(self, wait: bool = False) -> None:
        """Take in what the model says of the view it works at, once it has said it."""
        if self._at_work is None:
            return
        try:
            answer = self._inference.wait() if wait else self._inference.answer()
        except Exception as error:  # whatever a runtime raises
            self._model_failed(error)
            return
        if answer is None:
            return
        self._model_faults = 0
        prediction, took_ms = answer
        self.tally.latencies["classify"].append(took_ms)
        if self._at_work.verdict is None:
            self._at_work.classified(prediction, took_ms)
            seen = self._at_work.predictions
            self._at_work.settled = verdict_if_sure(seen, self._rules, self._voting)
        self._at_work = None
        self._classify_mm = max(0.0, self._now_mm() - self._begun_mm)

    def _model_failed(self, error: Exception) -> None:
        """Go on without the view that the model failed at; without another the item is manual.

        Raises:
            EwasteError: it fails again and again.
        """
        candidate, self._at_work = self._at_work, None
        if candidate is not None:
            candidate.unasked, candidate.at_work = candidate.at_work, None
            candidate.failed = True
        self.tally.model_faults += 1
        self._model_faults += 1
        reason = " ".join(str(error).split()) or type(error).__name__
        if self._model_faults >= MODEL_FAULTS:
            raise EwasteError(f"the model fails again and again ({reason})") from error

    def _deadline_mm(self, candidate: Candidate) -> float:
        """The reading by which the item's verdict must have fallen."""
        return self._schedule.deadline_mm(candidate.item.position_mm, candidate.item.length_mm)

    def _now_mm(self) -> float:
        return self._encoder.position_mm(self._clock.now())

    def _counted_before(self, candidate: Candidate, jpeg: bytes) -> bool:
        """Whether the run before has recorded an item, seen in `jpeg`, that is in view again."""
        if self._recall is None:
            return False
        until = (self._started_at or 0.0) + FOUND_S
        lying = []
        if candidate.item.first_seen_at <= until:
            lying = [
                (other.item, _encoded(other.picture))
                for other in self._candidates.values()
                if other.item.first_seen_at <= until
            ]
        return self._recall.recognize(candidate.item, jpeg, lying, self._view_mm)

    def _decide(self, frame: Frame, encoder_mm: float) -> tuple[ItemRecord, ...]:
        """The verdict of each item whose vote is sure, that gives no more views or cannot wait."""
        leaving = {item.number: item for item in self._tracker.left(encoder_mm)}
        for number, item in leaving.items():
            self._candidates.setdefault(number, Candidate(item)).left = True
        now_mm = self._now_mm()
        if self._stepped_to_mm is not None:
            self._step_mm = abs(now_mm - self._stepped_to_mm)
        self._stepped_to_mm = now_mm
        records = []
        for candidate in list(self._candidates.values()):
            if candidate.verdict is not None:
                continue
            if candidate.settled or self._cannot_wait(candidate, now_mm):
                shown_at = candidate.last.captured_at if candidate.settled else frame.captured_at
                records.append(self._conclude(candidate, encoder_mm, shown_at))
        # An item that has left may come back with the belt, and must not be decided twice.
        for number in sorted(self._candidates)[:-CANDIDATES_KEPT]:
            del self._candidates[number]
        return tuple(record for record in records if record is not None)

    def _cannot_wait(self, candidate: Candidate, now_mm: float) -> bool:
        """Whether no further view can come, or the verdict would come too late with it."""
        if candidate.left and (candidate.touching or not candidate.in_work):
            return True
        within_reach = candidate.left or bool(candidate.predictions)
        return within_reach and now_mm + 2 * self._step_mm >= self._deadline_mm(candidate)

    def _conclude(
        self,
        candidate: Candidate,
        encoder_mm: float,
        shown_at: float,
        unsafe: str = "",
    ) -> ItemRecord | None:
        """Decide on an item, plan its gate and hand over its record; None: it has one already.

        `shown_at` is when the picture that brought the verdict was taken. `unsafe` says why the
        item goes to manual, whatever it is; empty: it does not have to.
        """
        item = candidate.item
        jpeg = _encoded(candidate.picture)
        if self._counted_before(candidate, jpeg):
            # Its gate may be past, so none opens for it, nor for another one on it.
            candidate.verdict = Verdict(UNKNOWN, 0.0, MANUAL, "counted before the restart")
            candidate.forget_views()
            self._schedule.schedule(item.position_mm, item.length_mm, MANUAL, encoder_mm)
            self.tally.recalled += 1
            return None
        if candidate.touching:
            verdict = Verdict(UNKNOWN, 0.0, MANUAL, f"{TOUCHING}; may be more than one")
        else:
            verdict = candidate.settled or decide(candidate.predictions, self._rules)
            if candidate.failed and not candidate.predictions:
                verdict = replace(verdict, reason="the model failed at it")
        if not self._belt.trusted:
            unsafe = self._belt.message
        if not unsafe and verdict.bin != MANUAL:
            unsafe = self._gates.fault() or ""
        if unsafe:
            verdict = replace(verdict, bin=MANUAL, reason=f"{unsafe}; {verdict.reason}")
        now_mm = max(encoder_mm, self._now_mm())
        item_id = f"{self._session}-{item.number:06d}"
        place = item.position_mm, item.length_mm
        opening = self._schedule.schedule(*place, verdict.bin, now_mm, item_id)
        late = opening is Opening.LATE
        if candidate.unclassified and not (unsafe or candidate.touching):
            late = True
            verdict = replace(verdict, reason="too late to be classified")
        elif verdict.bin != MANUAL and opening is not Opening.PLANNED:
            why = f"{opening.value} for {verdict.bin}; {verdict.reason}"
            verdict = replace(verdict, bin=MANUAL, reason=why)
        candidate.verdict = verdict
        verdict_ms = max(0.0, self._clock.now() - shown_at) * 1000
        record = ItemRecord(
            item_id=item_id,
            decided_at=time.time(),
            label=verdict.label,
            confidence=verdict.confidence,
            bin=verdict.bin,
            reason=verdict.reason,
            position_mm=item.position_mm,
            offset_mm=item.offset_mm,
            views=len(candidate.predictions),
            detect_ms=self._detection_pass.took_ms if self._detection_pass else 0.0,
            classify_ms=candidate.classify_ms,
            verdict_ms=verdict_ms,
            late=late,
            bundle=self._bundle,
            crop=jpeg,
            length_mm=item.length_mm,
            top_label=self._top_label(candidate.predictions),
        )
        self._count(record)
        if opening is Opening.PLANNED:
            self._bound[item_id] = replace(record, crop=b"")
        candidate.forget_views()
        self._record(record)
        return record

    def _top_label(self, predictions: Sequence[Prediction]) -> str:
        """The class that the views speak for most; empty when there was none."""
        return self._rules.labels[int(vote(predictions).argmax())] if predictions else ""

    def _count(self, record: ItemRecord) -> None:
        self.tally.items += 1
        self.tally.late += record.late
        self.tally.per_label[record.label] += 1
        self.tally.per_bin[record.bin] += 1
        self.tally.latencies["verdict"].append(record.verdict_ms)

    def _finish(self) -> None:
        """Decide on what is still in view when the frames have ended, so that it is counted."""
        self._collect(wait=True)
        for candidate in self._candidates.values():
            if candidate.verdict is None and candidate.unclassified and not candidate.touching:
                self._begin(candidate)
                self._collect(wait=True)
        self._conclude_all(self._now_mm())

    def _conclude_all(self, encoder_mm: float, unsafe: str = "") -> tuple[ItemRecord, ...]:
        """Decide on every item that has no verdict yet; `unsafe` as for `_conclude`."""
        concluded = [
            self._conclude(candidate, encoder_mm, candidate.item.last_seen_at, unsafe)
            for candidate in self._candidates.values()
            if candidate.verdict is None
        ]
        return tuple(record for record in concluded if record is not None)

    def _verdict(self, number: int) -> Verdict | None:
        candidate = self._candidates.get(number)
        return candidate.verdict if candidate else None

    def _move_gates(self) -> None:
        now = self._clock.now()
        self._gates.alive()
        for command in self._schedule.due(self._encoder.position_mm(now), now):
            (self._gates.open if command.open else self._gates.close)(command.bin)
            self.gates_open[command.bin] = command.open
        self._report_misrouted()

    def _report_misrouted(self) -> None:
        """Say of items that found their gate closed that they went to manual."""
        for item_id, was_open in self._schedule.passed():
            record = self._bound.pop(item_id, None)
            if record is not None and not was_open:
                self.tally.per_bin[record.bin] -= 1
                self.tally.per_bin[MANUAL] += 1
                reason = f"the gate of {record.bin} was closed; {record.reason}"
                self._moved(replace(record, bin=MANUAL, reason=reason))

    def _close_gates(self) -> None:
        try:
            self._gates.close_all()
        finally:
            for command in self._schedule.close_all():
                self.gates_open[command.bin] = False
            self._report_misrouted()

    def _took(self, stage: str, started: float) -> float:
        milliseconds = (time.perf_counter() - started) * 1000
        self.tally.latencies[stage].append(milliseconds)
        return milliseconds


def _encoded(view: View | None) -> bytes:
    """The view as a JPEG of at most `CROP_SIDE` px; empty when there is none."""
    if view is None:
        return b""
    pixels = view.pixels
    while max(pixels.shape[:2]) >= 2 * CROP_SIDE:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        even = pixels[: 2 * half[1], : 2 * half[0]]  # averaged in pairs, the quickest
        pixels = cv2.resize(even, half, interpolation=cv2.INTER_AREA)
    scale = CROP_SIDE / max(pixels.shape[:2])
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return jpeg.tobytes() if done else b""


if __name__ == "__main__":
    # As a program of its own: the loop itself knows nothing of the command line or the page.
    os.execv(sys.executable, [sys.executable, "-m", "edge.cli", "run", *sys.argv[1:]])
