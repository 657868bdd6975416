"""A line put together from its configuration: camera, belt, model, gates, records and page."""

import errno
import importlib.util
import logging
import os
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from edge.board import resident_bytes
from edge.bundle.bundle import Bundle
from edge.bundle.install import identity
from edge.bundle.window import parse_window
from edge.bundle_watch import BundleWatch
from edge.cameras.camera import Camera
from edge.cameras.device import is_live, shown_source
from edge.cameras.source import open_camera
from edge.cameras.watched import WatchedCamera
from edge.clock import Clock, SystemClock, VirtualClock
from edge.config import (
    Config,
    decision_rules,
    device_settings,
    longest_item_mm,
    name_notes,
    patience,
)
from edge.conveyor import Conveyor, assemble
from edge.decision.decider import Decider
from edge.decision.sensing import NoSensing, Sensing
from edge.encoders.checked_encoder import CheckedEncoder
from edge.encoders.encoder import HEALTHY, Encoder, EncoderHealth, TimedEncoder
from edge.encoders.gpio_encoder import GpioEncoder
from edge.encoders.pulses import PulseEncoder
from edge.encoders.visual_odometer import Odometer
from edge.errors import BadInput
from edge.faults import FAULTS_NAME, FaultLog
from edge.files import leads_nowhere, make_private_folder
from edge.folder_lock import folder_lock
from edge.gates.output import GateOutput
from edge.gates.schedule import GateSchedule
from edge.handover import Handover
from edge.inference.classifier import Classifier
from edge.inference.dispatcher import ModelFails
from edge.inference.memory import return_freed_memory
from edge.inference.worker import Inference, InlineInference, Predicting, ThreadedInference
from edge.labels import MANUAL, UNKNOWN
from edge.loading import bundle_at_start, loaded
from edge.operation import HELD, ORDER_NAME, Mode, OrderWatch
from edge.outputs.wiring import Outputs
from edge.panel.accounts import require_account
from edge.panel.beside import EFFECTIVE, PageBeside, await_port
from edge.panel.live import LivePublisher, Overlay
from edge.records.recall import RECORDS_COMPARED, Recall
from edge.records.record import ItemRecord
from edge.records.store import RECORDS_NAME, Store
from edge.records.writer import Retention, StoreWriter, WriterStatus
from edge.sensors.watch import SensorWatch
from edge.sensors.wiring import open_sensors
from edge.service_notify import ServiceNotifier
from edge.standstill import BeltRest
from edge.status import (
    NO_PICTURE,
    NO_POSITION,
    RUNNING,
    STATUS_NAME,
    OutputHealth,
    Percentiles,
    Status,
)
from edge.stills import StillTaker
from edge.tally import LineStep, Tally
from edge.terminal import err, out, safe_line
from edge.verdict import Reason

log = logging.getLogger(__name__)

PATIENCE = 0.6
"""A frame waits for the model for so much of the time until the next one."""
STATUS_SECONDS = 0.5
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""What a disk may say that worked yesterday: no reason for the line not to start."""
PAGE_REMEDY = "run: pip install 'gradio>=6,<7' jinja2 babel prometheus-client"
UNWIRED_REMEDY = (
    "bins are decided and recorded, but nothing is sorted; give each of [[gates]] a pin or a coil"
)
STATE_FILES = (RECORDS_NAME, STATUS_NAME, EFFECTIVE, ORDER_NAME, FAULTS_NAME, "bundles", "learned")
"""A folder that holds one of these is the state of a line."""

AtEnd = Callable[[str, Callable[[], object]], None]
"""Takes the name of a part, for people, and how it is closed when the line ends."""


@dataclass(frozen=True)
class Source:
    """Where a line gets its frames: the camera, the belt under it, and their time.

    `gates` and `sensors` are those of a simulated belt; None: the configured ones.
    """

    camera: Camera
    encoder: Encoder
    clock: Clock
    gates: GateOutput | None
    sensors: SensorWatch | None = None


def sensors_of(config: Config, source: Source) -> SensorWatch:
    """The configured sensors; none for a recorded or simulated belt, which nothing is beside.

    Raises:
        BadInput: one cannot be used.
    """
    if isinstance(source.clock, SystemClock) and is_live(config.camera.source):
        return open_sensors(config, source.clock, source.encoder)
    if config.sensors:
        log.warning("a recorded belt has no other sensors; each item is decided without them")
    return SensorWatch((), source.clock.now, source.encoder.position_mm)


def open_source(config: Config) -> Source:
    """Open the configured camera, live, file or folder, and the belt's encoder.

    Raises:
        BadInput: one does not open.
    """
    # A recorded belt is worked through as fast as it can be, but in its own time.
    clock = SystemClock() if is_live(config.camera.source) else VirtualClock()
    camera = open_camera(device_settings(config.camera), patience(config.camera), clock)
    try:
        camera, encoder = with_encoder(config, camera, clock)
    except BaseException:
        camera.close()
        raise
    return Source(camera, encoder, clock, None)


def with_encoder(config: Config, camera: Camera, clock: Clock) -> tuple[Camera, Encoder]:
    """The configured encoder, and the camera, whose frames it sees first if it measures by them.

    Raises:
        BadInput: its pins cannot be used, or pulses are asked for with a recorded belt.
    """
    belt = config.belt
    if belt.encoder == "time":
        return camera, TimedEncoder(belt.speed_mm_s, clock.now())
    odometer = Odometer(config.geometry, belt.speed_mm_s)
    if belt.encoder == "camera":
        return WatchedCamera(camera, odometer.see), odometer
    if not is_live(config.camera.source):
        raise BadInput('a recorded belt sends no pulses; set [belt] encoder = "camera"')
    assert belt.mm_per_pulse is not None and belt.pulse_pin is not None, "the configuration says so"
    pulses = PulseEncoder(belt.mm_per_pulse, belt.limit_mm_s, clock.now())
    wires = GpioEncoder(belt.pulse_pin, belt.pulse_pin_b, pulses, clock, simulated=config.simulated)
    checked = CheckedEncoder(pulses, odometer)
    return WatchedCamera(camera, checked.see, wires.release), checked


def build_conveyor(
    config: Config,
    source: Source,
    gates: GateOutput,
    decider: Decider,
    record: Callable[[ItemRecord], object],
    *,
    recall: Recall | None = None,
    inference: Callable[[Predicting], Inference] | None = None,
    moved: Callable[[ItemRecord], object] = lambda record: None,
    asked: Callable[[], Mode] = lambda: Mode.SORT,
    offered: Callable[[BeltRest], Decider | None] = lambda rest: None,
    sensing: Sensing = NoSensing(),
) -> Conveyor:
    """Build the loop around what decides on the items.

    `inference` sets the model to work; None: beside the loop, or in it when time is virtual.
    `record`, `moved`, `asked`, `offered` and `sensing` are as for `assemble`.
    """
    cv2.setNumThreads(1)  # pictures this small are done sooner without
    return assemble(
        camera=source.camera,
        encoder=source.encoder,
        clock=source.clock,
        geometry=config.geometry,
        inference=(inference or _inference(config, source.clock))(decider.classifier),
        rules=decider.rules,
        voting=config.classifier.voting,
        schedule=GateSchedule(config.gate_specs, config.gate_lead_mm, config.gate_open_s),
        gates=gates,
        bundle=decider.bundle,
        record=record,
        longest_item_mm=decider.longest_item_mm,
        recall=recall,
        on_rerouted=moved,
        asked=asked,
        offered=offered,
        sensing=sensing,
    )


def decider_of(config: Config, proved: tuple[Bundle, Classifier]) -> Decider:
    """What decides by a bundle alone that `proved_bundle` returned, whatever was learned beside it.

    Raises:
        BadInput: the bundle does not fit the configuration.
    """
    bundle, classifier = proved
    rules = decision_rules(config, bundle)
    return Decider(bundle.digest, classifier, rules, longest_item_mm(config, rules))


def _inference(config: Config, clock: Clock) -> Callable[[Predicting], Inference]:
    if isinstance(clock, VirtualClock):
        return InlineInference
    return lambda classifier: ThreadedInference(classifier, PATIENCE / config.camera.fps)


def run_line(
    config: Config,
    opened: Callable[[Config], Source],
    panel: bool,
    stopped: Callable[[], bool],
    decided: Callable[[ItemRecord], None],
    *,
    config_file: Path | None = None,
) -> Tally:
    """Run a line with its records and, if asked for, its page, until it is stopped.

    Args:
        config: the configuration.
        opened: opens the source of frames.
        panel: whether to serve the page, in a process of its own.
        stopped: asked before every frame.
        decided: gets each item's record, and once more if it went to manual after all.
        config_file: that the configuration was read from, for the belt set-up on the page; None:
            from none.

    Raises:
        Refused: the bundle cannot be proved.
        BadInput: something configured cannot be used, another line has the same folder, or another
            program has the page's port.
        CameraLost: the camera did not come back.
        EwasteError: a gate failed, or the model fails again and again.
    """
    return_freed_memory()
    service = ServiceNotifier.from_environment(os.environ)
    if panel and not page_installed():
        log.warning("the page needs Gradio and Babel; %s; the line runs without it", PAGE_REMEDY)
        panel = False
    _make_state(config.state_folder)
    with ExitStack() as ending:
        ending.enter_context(folder_lock(config.state_folder))
        if panel:
            require_account(config.panel, config.panel.host, config.state_folder)
            await_port(config.panel.host, config.panel.port)
        tried = Tried()

        def at_end(what: str, close: Callable[[], object]) -> None:
            """Close it in any case, and after a failure to close another one; the first counts."""
            ending.callback(tried, f"{what} cannot be closed", close)

        outputs = Outputs(config)  # first: it closes the gates
        at_end("the outputs", outputs.close)
        service.status("proves the bundle")
        items = _prove(config, outputs, decided, tried, at_end)
        service.status("opens the camera")
        source = opened(config)
        at_end("the camera", source.camera.close)
        conveyor, orders, sensors = _wire(config, source, items, at_end)
        show = _show_beside(
            config,
            items,
            conveyor,
            orders,
            sensors,
            panel=panel,
            config_file=config_file,
            at_end=at_end,
        )
        at_end("the last words", show.end)
        at_end("the service", service.stopping)
        try:
            conveyor.run(stopped, show, lambda: service.beat(time.monotonic(), show.summary))
        except ModelFails as error:
            tried("the bundle cannot be rolled back", items.watch.model_failed, str(error))
            raise
    return conveyor.tally


def without_gates(record: ItemRecord) -> ItemRecord:
    """The record of an item on a line without gates: the bin is decided, nothing is sorted."""
    if record.reason is not Reason.SORTED:
        return record
    return replace(record, reason=Reason.NO_GATE, detail=f"{record.detail}; no gate is wired")


def page_installed() -> bool:
    """Whether the page's libraries are on this machine."""
    return all(importlib.util.find_spec(name) is not None for name in ("gradio", "babel"))


def _make_state(state: Path) -> None:
    """Make the folder of the records; on a disk that takes nothing the line does without.

    Raises:
        BadInput: it can never be one.
    """
    try:
        make_private_folder(state, STATE_FILES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if leads_nowhere(state):
            target = state.readlink()
            log.warning(
                "%s: leads to %s, which is not there; the line goes on without", state, target
            )
            return
        if getattr(error, "errno", None) in DISK_FAULTS:
            log.warning("%s: cannot be made (%s); the line goes on without", state, reason)
            return
        raise BadInput(f"{state}: cannot be made ({reason}); set another --state") from None


def _recall_from(path: Path) -> Recall | None:
    """What was recorded before this start; None when the records cannot be read."""
    try:
        with Store(path, read_only=True) as store:
            return Recall(store.recent(RECORDS_COMPARED), time.time())
    except Exception:  # whatever a damaged file makes of it: the line starts
        return None


class Tried:
    """Does what the line can do without; what fails is counted, and reported once of each kind.

    Attributes:
        failures: how many times something failed.
        error: the last failure, one line; None: there was none.
    """

    def __init__(self) -> None:
        """Begin without failures."""
        self._known = set[str]()
        self.failures = 0
        self.error: str | None = None

    def __call__(self, what: str, action: Callable[..., object], *given: object) -> None:
        """Do it; `what` says for people that it failed."""
        try:
            action(*given)
        except Exception as error:
            self.failures += 1
            self.error = f"{what} ({' '.join(str(error).split()) or type(error).__name__})"
            if what not in self._known:
                self._known.add(what)
                with suppress(Exception):
                    log.warning("%s; it is done without", self.error)


class _Shown:
    """Offers each step to the page, with figures that are worked out twice a second."""

    def __init__(
        self,
        *,
        config: Config,
        handover: Handover,
        watch: BundleWatch,
        conveyor: Conveyor,
        publisher: LivePublisher,
        stills: StillTaker,
        writer: StoreWriter,
        outputs: Outputs,
        orders: OrderWatch,
        sensors: SensorWatch,
        page: PageBeside | None,
        faults: FaultLog,
        tried: Tried,
    ) -> None:
        self._camera = safe_line(shown_source(config.camera.source))
        self._handover, self._watch, self._conveyor = handover, watch, conveyor
        self._window = config.update.window
        self._publisher, self._writer, self._outputs = publisher, writer, outputs
        self._orders, self._page, self._tried = orders, page, tried
        self._faults, self._model_faults = faults, 0
        self._stills, self._sensors = stills, sensors
        self._mode = Mode.SORT
        self._status: Status | None = None
        self._fault: str | None = None
        self._fault_at = 0.0
        self._belt = HEALTHY
        self._due_at = 0.0
        self._since, self._frames, self._belt_mm = time.monotonic(), 0, 0.0

    def __call__(self, step: LineStep) -> None:
        """Tell of a step; what fails is given up."""
        self._tried("the state cannot be published", self._show, step)

    def summary(self) -> str:
        """How the line is doing, in a few words."""
        if self._status is None:
            return "waits for the first picture"
        words = f"{self._status.state}, {self._status.items} items"
        return f"{words}; {self._status.message}" if self._status.message else words

    def end(self) -> None:
        """Write what waits, and say what was lost: to the person, the page and the outputs."""
        whole = self._writer.close()
        written, tally = self._writer.status, self._conveyor.tally
        tally.records_lost = written.dropped + (0 if whole else written.pending)
        tally.recorded = written.usable
        lost = ""
        if tally.records_lost:
            lost = f"records lost: {tally.records_lost} ({written.error})"
            log.error(lost)
        if self._status is None:
            return
        changes = {"updated_at": time.time(), "items": tally.items, "per_bin": dict(tally.per_bin)}
        changes |= {"per_label": dict(tally.per_label), "unknown": tally.per_label[UNKNOWN]}
        changes |= {"dropped_records": tally.records_lost, "gates": self._conveyor.gates_open}
        if message := _joined([lost, *self._troubles()]):
            changes["message"] = message
        self._status = self._status.model_copy(update=changes)
        self._outputs.show(self._status)
        self._publisher.offer(None, [], self._status)

    def _show(self, step: LineStep) -> None:
        now = time.monotonic()
        changed = bool(step.fault) != bool(self._fault)
        if changed:
            self._tell_fault(step.fault, now)
        if step.frame is not None and step.belt != self._belt:
            changed = changed or step.belt.trusted != self._belt.trusted
            self._tell_belt(step.belt)
        if self._conveyor.mode is not self._mode:
            changed = True
            self._tell_mode(self._conveyor.mode)
        if self._status is None or changed or now >= self._due_at:
            self._status = self._measure(step, now)
            self._outputs.show(self._status)
            self._due_at = now + STATUS_SECONDS
            self._faults.see(self._found_faults(step), time.time())
        if step.frame is not None:
            self._stills.offer(step.frame, step.encoder_mm)
        pixels = step.frame.pixels if step.frame is not None else None
        self._publisher.offer(pixels, overlays(step, self._handover.in_use.hazards), self._status)

    def _tell_fault(self, fault: str | None, now: float) -> None:
        if fault:
            log.warning("%s; the gates are closed until it is back", fault)
            self._fault_at = now
        else:
            away_s = now - self._fault_at
            log.info("%s: back after %.1f s, the line goes on", self._camera, away_s)
        self._fault = fault

    def _tell_mode(self, mode: Mode) -> None:
        by = safe_line(self._orders.order.by) or "somebody"
        held = HELD.get(mode)
        if held:
            log.warning("%s, as %s asked; the gates are closed", held.detail, by)
        else:
            log.info("the line sorts again, as %s asked", by)
        self._mode = mode

    def _tell_belt(self, belt: EncoderHealth) -> None:
        if not belt.trusted and self._belt.trusted:
            log.warning("%s; the gates are closed until the belt is measured again", belt.message)
        elif belt.trusted and (belt.message or self._belt.message):
            log.info(belt.message or "the belt is measured as it should be again")
        self._belt = belt

    def _found_faults(self, step: LineStep) -> dict[str, str]:
        """What is at fault, for the history: a word, or the name of an output -> why."""
        failed, self._model_faults = self._model_faults, self._conveyor.tally.model_faults
        found = {
            "camera": step.fault,
            "belt": self._belt.message,
            "records": self._writer.status.error,
            "model": "the model has failed" if self._model_faults > failed else None,
            "bundle": self._watch.error,
            "page": self._page.error if self._page is not None else None,
            "live view": self._publisher.error if self._publisher.failing else None,
        }
        found |= {output.name: output.error for output in self._outputs.statuses}
        found |= self._sensors.faults()
        return {kind: safe_line(reason) for kind, reason in found.items() if reason}

    def _troubles(self) -> list[str | None]:
        """What goes wrong beside the line."""
        faults, publisher = self._conveyor.tally.model_faults, self._publisher
        return [
            f"the model has failed {faults} times" if faults else None,
            publisher.error if publisher.failing else None,
            None if publisher.alive else "the live view has ended",
            self._page.error if self._page is not None else None,
            self._orders.error,
            self._watch.error,
            self._handover.in_use.unused or None,
            self._tried.error,
            out.trouble,
            err.trouble,
        ]

    def _measure(self, step: LineStep, now: float) -> Status:
        tally, elapsed = self._conveyor.tally, max(1e-6, now - self._since)
        written: WriterStatus = self._writer.status
        outputs, learned = self._outputs.statuses, self._handover.in_use.generation
        errors = [step.fault, self._belt.message, written.error]
        errors += [output.error for output in outputs]
        errors += self._sensors.faults().values()
        state = RUNNING if self._belt.trusted else NO_POSITION
        status = Status(
            updated_at=time.time(),
            state=NO_PICTURE if step.fault else state,
            camera=self._camera,
            bundle=safe_line(self._handover.in_use.bundle.manifest.name),
            digest=self._handover.in_use.bundle.digest,
            bundle_created=self._handover.in_use.bundle.manifest.created.timestamp(),
            fps=(tally.frames - self._frames) / elapsed,
            speed_mm_s=(step.encoder_mm - self._belt_mm) / elapsed,
            belt_mm=step.encoder_mm,
            items=tally.items,
            per_label=dict(tally.per_label),
            per_bin=dict(tally.per_bin),
            unknown=tally.per_label[UNKNOWN],
            late=tally.late,
            dropped_frames=tally.frames_dropped,
            dropped_records=written.dropped,
            dropped_messages=sum(output.dropped for output in outputs),
            latency={
                stage: Percentiles(p50=p50, p99=p99)
                for stage, values in tally.latencies.items()
                if values
                for p50, p99 in [np.percentile(values, (50, 99)).tolist()]
            },
            gates=self._conveyor.gates_open,
            frames=tally.frames,
            waiting_records=written.pending,
            memory_bytes=resident_bytes(),
            encoder=self._belt.message,
            outputs=tuple(
                OutputHealth(
                    name=safe_line(output.name),
                    connected=output.connected,
                    sent=output.sent,
                    dropped=output.dropped,
                    outages=output.outages,
                )
                for output in outputs
            ),
            faults_dropped=self._faults.dropped,
            look=self._conveyor.look,
            order=self._orders.order.model_copy(update={"mode": self._conveyor.mode}),
            update_window=self._window,
            belt=self._conveyor.rest,
            waiting=self._handover.waiting,
            learned=0 if learned is None else learned.number,
            taught=() if learned is None else learned.manifest.labels,
            message=_joined([*errors, *self._troubles()]),
        )
        self._since, self._frames, self._belt_mm = now, tally.frames, step.encoder_mm
        return status


@dataclass(frozen=True)
class _Items:
    """Where the record of each item goes: to the store, to the outputs, to who runs the line."""

    writer: StoreWriter
    outputs: Outputs
    handover: Handover
    watch: BundleWatch
    decided: Callable[[ItemRecord], None]
    tried: Tried

    def hand_over(self, item: ItemRecord) -> None:
        """Hand a record to all of them."""
        self.writer.put(item)
        self.tried("an item cannot be published", self.outputs.item, item)
        self.tried("an item cannot be printed", self.decided, item)

    def record(self, item: ItemRecord, *, wired: bool) -> None:
        """Hand over the record of an item that was just decided; `wired`: there are gates."""
        item = replace(item, review=self.handover.in_use.review(item))
        self.hand_over(item if wired else without_gates(item))


def _prove(
    config: Config,
    outputs: Outputs,
    decided: Callable[[ItemRecord], None],
    tried: Tried,
    at_end: AtEnd,
) -> _Items:
    """Prove the bundle to begin with; open the records, and the watch on later bundles.

    The handover alone holds what decides, and lets go of it.
    """
    installed = identity(config.bundles)  # first: what comes after it is seen as another
    bundle, _ = proved = bundle_at_start(config)
    for note in name_notes(config, bundle):
        log.warning(note)
    kept = Retention(config.records.days, config.records.megabytes)
    writer = StoreWriter(config.state_folder / RECORDS_NAME, retention=kept)
    at_end("the records", writer.close)
    handover = Handover(loaded(config, proved), parse_window(config.update.window))
    watch = BundleWatch(config, handover, installed)
    at_end("the watch on the bundles", watch.close)
    return _Items(writer, outputs, handover, watch, decided, tried)


def _wire(
    config: Config, source: Source, items: _Items, at_end: AtEnd
) -> tuple[Conveyor, OrderWatch, SensorWatch]:
    """Build the loop between source, gates, sensors, and records; and the watch on orders."""
    outputs = items.outputs
    gates, wired = source.gates or outputs.gates, outputs.wired or source.gates is not None
    if not wired:
        log.warning("no gate is wired: %s", UNWIRED_REMEDY)
    sensors = source.sensors or sensors_of(config, source)
    at_end("the other sensors", sensors.close)
    state = config.state_folder
    # A film that is played again is not a line that starts again: its items are counted anew.
    recall = _recall_from(state / RECORDS_NAME) if is_live(config.camera.source) else None
    orders = OrderWatch(state)
    at_end("the orders", orders.close)
    conveyor = build_conveyor(
        config,
        source,
        gates,
        items.handover.in_use.decider,
        partial(items.record, wired=wired),
        recall=recall,
        moved=items.hand_over,
        asked=lambda: orders.mode,
        offered=items.handover.take,
        sensing=sensors,
    )
    return conveyor, orders, sensors


def _show_beside(
    config: Config,
    items: _Items,
    conveyor: Conveyor,
    orders: OrderWatch,
    sensors: SensorWatch,
    *,
    panel: bool,
    config_file: Path | None,
    at_end: AtEnd,
) -> _Shown:
    """Open what shows the line: the history of faults, the live view, pictures, the page."""
    state = config.state_folder
    faults = FaultLog(state, time.time())
    at_end("the history of faults", lambda: faults.end(time.time()))
    publisher = LivePublisher(state)
    at_end("the live view", publisher.close)
    stills = StillTaker(state)
    at_end("the pictures to measure by", stills.close)
    page = PageBeside(config, state, config_file=config_file) if panel else None
    if page is not None:
        at_end("the page", page.close)
    return _Shown(
        config=config,
        handover=items.handover,
        watch=items.watch,
        conveyor=conveyor,
        publisher=publisher,
        stills=stills,
        writer=items.writer,
        outputs=items.outputs,
        orders=orders,
        sensors=sensors,
        page=page,
        faults=faults,
        tried=items.tried,
    )


def _joined(errors: Iterable[str | None]) -> str | None:
    return safe_line("; ".join(error for error in errors if error)) or None


def overlays(step: LineStep, hazards: Collection[str]) -> list[Overlay]:
    """The boxes and texts to draw on a step's frame; `hazards` are the labels of hazards."""
    drawn = []
    for item, detection, verdict in step.seen:
        box = detection.box
        edges = (box.left + step.moved_px, box.top, box.right + step.moved_px, box.bottom)
        if verdict is None:
            drawn.append(Overlay(edges, f"#{item.number}", "item"))
            continue
        kind = verdict.bin if verdict.bin == MANUAL else "sorted"
        if verdict.label in hazards:
            kind = "hazard"
        text = f"#{item.number} {verdict.label} {verdict.confidence:.0%} > {verdict.bin}"
        drawn.append(Overlay(edges, text, kind))
    return drawn
