"""The main job: frames in, each item seen once, classified, decided, sorted, and recorded.

Four parts do the work and know nothing of each other: the observer (frame -> sightings), the
dispatcher (sightings -> predictions), the concluder (predictions -> records), and the gate mover
(now -> commands). This loop carries their values from one to the next; the item recorder joins what
they know of one item into its record.
"""

import os
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress

from edge.belt.geometry import Geometry
from edge.belt.observer import Observer
from edge.belt.sighting import DetectionPass
from edge.belt.touching import LONGEST_ITEM_MM
from edge.cameras.camera import Camera, Frame, NoFrame
from edge.clock import Clock
from edge.decision.concluder import Concluder
from edge.decision.decide import DecisionRules
from edge.decision.decider import Decider
from edge.decision.item_recorder import ItemRecorder
from edge.decision.sensing import NoSensing, Sensing
from edge.decision.voting import Voting
from edge.delivery import Delivery
from edge.encoders.belt_position import BeltPosition, TrustChange
from edge.encoders.encoder import Encoder
from edge.gates.mover import GateMover
from edge.gates.output import GateOutput
from edge.gates.schedule import GateSchedule
from edge.inference.dispatcher import Dispatcher, ModelAnswer
from edge.inference.worker import Inference
from edge.operation import HELD, Mode
from edge.records.recall import Recall, ViewAtStart
from edge.records.record import ItemRecord
from edge.standstill import BeltRest, Standstill
from edge.status import BeltLook
from edge.takeover import Takeover
from edge.tally import LineStep, Tally
from edge.verdict import Reason, Unsafe

LINE_ENDED = Unsafe(Reason.LINE_ENDED, "the line ended")
CAMERA_FAILED = Unsafe(Reason.CAMERA_FAULT, "the camera failed")


class Conveyor:
    """The loop over one belt. It waits for nothing but the camera and the model.

    Attributes:
        mode: how it works.
        tally: what it counted.
    """

    def __init__(
        self,
        *,
        camera: Camera,
        position: BeltPosition,
        observer: Observer,
        dispatcher: Dispatcher,
        concluder: Concluder,
        mover: GateMover,
        at_start: ViewAtStart,
        recorder: ItemRecorder,
        delivery: Delivery,
        asked: Callable[[], Mode],
        takeover: Takeover,
    ) -> None:
        """Join the parts, as `assemble` makes them; nothing moves before `run`."""
        self._camera, self._position, self._observer = camera, position, observer
        self._dispatcher, self._concluder, self._mover = dispatcher, concluder, mover
        self._at_start, self._recorder, self._delivery = at_start, recorder, delivery
        self._takeover, self._standstill = takeover, Standstill()
        self._asked, self.mode, self.tally = asked, Mode.SORT, delivery.tally
        self._pass: DetectionPass | None = None
        self._sees: bool | None = None  # None: no frame and no fault yet

    @property
    def session(self) -> str:
        """The name of this run in the names of its items."""
        return self._concluder.session

    @property
    def gates_open(self) -> dict[str, bool]:
        """Bin -> whether its gate was last commanded to open."""
        return self._mover.is_open

    @property
    def look(self) -> BeltLook | None:
        """How the empty belt looks; None: not known yet."""
        return self._observer.look

    @property
    def rest(self) -> BeltRest:
        """Whether the belt stands."""
        return self._standstill.rest(bool(self._concluder.undecided()) or self._mover.awaits_items)

    def run(
        self,
        stopped: Callable[[], bool] = lambda: False,
        on_step: Callable[[LineStep], None] = lambda step: None,
        alive: Callable[[], None] = lambda: None,
    ) -> Tally:
        """Work until the camera ends or `stopped` says so; the gates are closed before and after.

        `on_step` gets every step and must return at once. So must `alive`, which is called after
        each turn of the loop, without a picture too, unless the model does not come back.

        Raises:
            CameraLost: the camera did not come back.
            EwasteError: a gate failed, or the model fails again and again.
        """
        try:
            self._close_gates()
            while not stopped() and (frame := self._camera.read()) is not None:
                self._follow(self._asked())
                self._delivery.new(self._takeover.advance(self.rest))
                if isinstance(frame, Frame):
                    on_step(self.step(frame))
                elif frame.fault:
                    on_step(self.step_blind(frame))
                else:
                    self.tally.count_passed(frame.passed)
                    self._move_gates()
                if not self._dispatcher.hangs:
                    alive()
            self._classify(self._dispatcher.drain)
            self._conclude_all(self._position.now_mm())
        except BaseException:
            # What went wrong first is what has to be known.
            with suppress(Exception):
                self._close_gates()
            with suppress(Exception):
                self._conclude_all(self._position.now_mm(), LINE_ENDED)
            raise
        else:
            self._close_gates()
        finally:
            self._dispatcher.close()
        return self.tally

    def step(self, frame: Frame) -> LineStep:
        """Take in one frame: find and follow items, classify one view, decide, move gates."""
        self.tally.count_frame(frame.sequence)
        encoder_mm = self._position.at_mm(frame.captured_at)
        self._at_start.begin(encoder_mm, frame.captured_at)
        records = self._check_position(encoder_mm)
        self._standstill.see(frame.captured_at, self._measured_mm(encoder_mm))
        self._move_gates()
        seen = self._observer.observe(frame, encoder_mm)
        if seen is not self._pass:
            self._pass = seen
            self.tally.latencies["detect"].append(seen.took_ms)
            self._recorder.sighted(seen)
        self._classify(lambda: self._dispatcher.dispatch(frame.captured_at))
        self._concluder.left(self._observer.left(encoder_mm))
        records += self._delivery.new(self._recorder.due(encoder_mm, frame.captured_at))
        self.tally.recalled = self._recorder.recalled
        self._move_gates()
        return LineStep(
            frame=frame,
            encoder_mm=encoder_mm,
            seen=self._concluder.with_verdicts(seen.sightings),
            records=records,
            belt=self._position.health,
            moved_px=self._position.moved_px(seen.encoder_mm, encoder_mm),
        )

    def step_blind(self, none: NoFrame) -> LineStep:
        """The camera is at fault: the gates are closed, and what is on the belt goes to manual."""
        self._mover.alive()
        encoder_mm = self._position.now_mm()
        self._standstill.see(self._position.now(), None)
        records: tuple[ItemRecord, ...] = ()
        if self._sees is not False:
            self.tally.camera_faults += 1
            self._close_gates()
            records = self._conclude_all(encoder_mm, CAMERA_FAILED)
        self._sees, self._pass = False, None
        self._observer.interrupt()
        return LineStep(None, encoder_mm, (), records, none.fault)

    def _follow(self, mode: Mode) -> None:
        """Work as the operator asks. Unless it sorts, the gates are closed."""
        if mode is self.mode:
            return
        paused, self.mode = self.mode is Mode.PAUSE, mode
        self._recorder.hold(HELD.get(mode))
        if mode is not Mode.SORT:
            self._close_gates()
        if paused:
            # Somebody may have reached into the belt past the view.
            self._mover.unseen_before(self._position.border_mm(self._position.now_mm()))

    def _check_position(self, encoder_mm: float) -> tuple[ItemRecord, ...]:
        """Close the gates once no position can be trusted: what is on the belt goes to manual.

        So does what comes until one can be again. Nobody saw what is past the view then, nor at
        the first frame, nor at the first after a camera fault.
        """
        trust = self._position.check()
        if not self._sees or trust is TrustChange.REGAINED:
            self._mover.unseen_before(self._position.border_mm(encoder_mm))
        self._sees = True
        if trust is not TrustChange.LOST:
            return ()
        self.tally.encoder_faults += 1
        self._close_gates()
        return self._conclude_all(encoder_mm)

    def _measured_mm(self, encoder_mm: float) -> float | None:
        return encoder_mm if self._position.is_measured else None

    def _classify(self, work: Callable[[], list[ModelAnswer]]) -> None:
        """Let the dispatcher work, and take in what the model answered."""
        try:
            answers = work()
        finally:
            self.tally.model_faults = self._dispatcher.faults
        self.tally.count_answers(answers)
        self._concluder.answered(answers)

    def _conclude_all(self, encoder_mm: float, why: Unsafe | None = None) -> tuple[ItemRecord, ...]:
        """Decide on every item that has no verdict yet."""
        records = self._delivery.new(self._recorder.undecided(encoder_mm, why))
        self.tally.recalled = self._recorder.recalled
        return records

    def _move_gates(self) -> None:
        now = self._position.now()
        self._mover.move(self._position.at_mm(now), now)
        self._delivery.rerouted(self._concluder.rerouted(self._mover.passed()))

    def _close_gates(self) -> None:
        try:
            self._mover.close_all()
        finally:
            self._delivery.rerouted(self._concluder.rerouted(self._mover.passed()))


def assemble(
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
    longest_item_mm: float = LONGEST_ITEM_MM,
    recall: Recall | None = None,
    on_rerouted: Callable[[ItemRecord], object] = lambda record: None,
    asked: Callable[[], Mode] = lambda: Mode.SORT,
    offered: Callable[[BeltRest], Decider | None] = lambda rest: None,
    sensing: Sensing = NoSensing(),
) -> Conveyor:
    """Make the parts of a line and join them; nothing moves before `run`.

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
        longest_item_mm: what is longer on the belt cannot be one item.
        recall: what the run before has recorded, which is not counted again.
        on_rerouted: takes, likewise, the record of an item that went to manual after all, since
            its gate was closed as it passed; without its picture.
        asked: how the operator wants the line to work; must return at once.
        offered: what is to decide from now on, asked with whether the belt stands; None: what
            decides already. Must return at once.
        sensing: what other sensors say of the items.
    """
    position = BeltPosition(encoder, clock, geometry)
    mover, at_start = GateMover(schedule, gates), ViewAtStart(recall, geometry)
    session = uuid.uuid4().hex[:12]
    concluder = Concluder(rules=rules, voting=voting, bundle=bundle, session=session)
    dispatcher = Dispatcher(
        inference=inference,
        spacing_mm=voting.spacing_mm,
        now_mm=position.now_mm,
        deadline_mm=mover.deadline_mm,
    )
    observer = Observer(geometry, longest_item_mm, rules.certainly_several)
    recorder = ItemRecorder(
        concluder=concluder,
        dispatcher=dispatcher,
        mover=mover,
        at_start=at_start,
        position=position,
        sensing=sensing,
    )
    return Conveyor(
        camera=camera,
        position=position,
        observer=observer,
        dispatcher=dispatcher,
        concluder=concluder,
        mover=mover,
        at_start=at_start,
        recorder=recorder,
        delivery=Delivery(record, on_rerouted, Tally()),
        asked=asked,
        takeover=Takeover(
            offered=offered,
            now_mm=position.now_mm,
            observer=observer,
            dispatcher=dispatcher,
            concluder=concluder,
            recorder=recorder,
        ),
    )


if __name__ == "__main__":
    # As a program of its own: the loop itself knows nothing of the command line or the page.
    os.execv(sys.executable, [sys.executable, "-m", "edge.cli", "run", *sys.argv[1:]])
