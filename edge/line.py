"""A line put together from its configuration: camera, belt, model, gates, records and page."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge.belt.checked_encoder import CheckedEncoder
from edge.belt.encoder import HEALTHY, Encoder, EncoderHealth, TimedEncoder
from edge.belt.gates import GateSchedule
from edge.belt.odometer import Odometer
from edge.belt.pulses import PulseEncoder
from edge.bundle import Bundle
from edge.cameras.camera import Camera
from edge.cameras.device import is_live, shown_source
from edge.cameras.source import open_camera
from edge.cameras.watched import WatchedCamera
from edge.classifier import Classifier
from edge.clock import Clock, SystemClock, VirtualClock
from edge.config import Config, decision_rules, name_notes, page_content, proved_bundle
from edge.conveyor import Conveyor, Step, Tally
from edge.decision import MANUAL, UNKNOWN
from edge.errors import BadInput, EwasteError
from edge.files import PRIVATE, make_private_folder, write_whole
from edge.inference import Inference, InlineInference, ThreadedInference
from edge.inputs.gpio_encoder import GpioEncoder
from edge.memory import return_freed_memory
from edge.outputs.gate_output import GateOutput
from edge.outputs.wiring import Outputs
from edge.panel.listener import listen
from edge.panel.live import STATUS_NAME, LivePublisher, Overlay, Percentiles, Status
from edge.recall import LATELY, Recall
from edge.review import reviewer
from edge.store import RECORDS_NAME, ItemRecord, Store
from edge.store_writer import Retention, StoreWriter, WriterStatus

PATIENCE = 0.6
"""A frame waits for the model for so much of the time until the next one."""
STATUS_SECONDS = 0.5
NO_PICTURE, NO_POSITION = "no picture", "belt not measured"
EFFECTIVE = "config.json"
"""What the page needs of the configuration that a line runs with."""
STATE_FILES = (RECORDS_NAME, STATUS_NAME, EFFECTIVE, "bundles")
"""A folder that holds one of these is the state of a line."""


@dataclass(frozen=True)
class Source:
    """Where a line gets its frames: the camera, the belt under it, and their time.

    `gates` are those of a simulated belt; None: the configured ones.
    """

    camera: Camera
    encoder: Encoder
    clock: Clock
    gates: GateOutput | None


def open_source(config: Config, said: Callable[[str], None] = lambda line: None) -> Source:
    """Open the configured camera, live, file or folder, and the belt's encoder.

    Raises:
        BadInput: one does not open.
    """
    # A recorded belt is worked through as fast as it can be, but in its own time.
    clock = SystemClock() if is_live(config.camera.source) else VirtualClock()
    camera = open_camera(config.camera, clock, said)
    try:
        camera, encoder = with_encoder(config, camera, clock, said)
    except BaseException:
        camera.close()
        raise
    return Source(camera, encoder, clock, None)


def with_encoder(
    config: Config, camera: Camera, clock: Clock, said: Callable[[str], None]
) -> tuple[Camera, Encoder]:
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
    pulses = PulseEncoder(belt.mm_per_pulse, belt.limit_mm_s, clock.now())
    wires = GpioEncoder(belt.pulse_pin, belt.pulse_pin_b, pulses, clock, said)
    checked = CheckedEncoder(pulses, odometer)
    return WatchedCamera(camera, checked.see, wires.release), checked


def build_conveyor(
    config: Config,
    source: Source,
    gates: GateOutput,
    proved: tuple[Bundle, Classifier],
    record: Callable[[ItemRecord], object],
    recall: Recall | None = None,
    inference: Callable[[Classifier], Inference] | None = None,
    moved: Callable[[ItemRecord], object] = lambda record: None,
) -> Conveyor:
    """Build the loop around the bundle and the model that `proved_bundle` returned.

    `inference` sets the model to work; None: beside the loop, or in it when time is virtual.
    `record` and `moved` are as for `Conveyor`.

    Raises:
        BadInput: the bundle does not fit the configuration.
    """
    cv2.setNumThreads(1)  # pictures this small are done sooner without
    bundle, classifier = proved
    rules = decision_rules(config, bundle)
    return Conveyor(
        source.camera,
        source.encoder,
        source.clock,
        config.geometry,
        (inference or _inference(config, source.clock))(classifier),
        rules,
        config.classifier.voting,
        GateSchedule(config.gate_specs, config.gate_lead_mm, config.gate_open_s),
        gates,
        bundle.digest,
        record,
        recall,
        moved,
    )


def _inference(config: Config, clock: Clock) -> Callable[[Classifier], Inference]:
    if isinstance(clock, VirtualClock):
        return InlineInference
    return lambda classifier: ThreadedInference(classifier, PATIENCE / config.camera.fps)


def run_line(
    config: Config,
    opened: Callable[[Config], Source],
    panel: bool,
    stopped: Callable[[], bool],
    decided: Callable[[ItemRecord], None],
    said: Callable[[str], None],
) -> Tally:
    """Run a line with its records and, if wanted, its page, until it is stopped.

    Args:
        config: the configuration.
        opened: opens the source of frames.
        panel: whether to serve the page, in a process of its own.
        stopped: asked before every frame.
        decided: gets each item's record, and once more if it went to manual after all.
        said: gets what the person at the line should know, one line at a time.

    Raises:
        Refused: the bundle cannot be proved.
        BadInput: something configured cannot be used.
        CameraLost: the camera did not come back.
        EwasteError: a gate or the page failed.
    """
    return_freed_memory()
    state = config.state.expanduser()
    try:
        make_private_folder(state, STATE_FILES)
    except OSError as error:
        raise BadInput(f"{state}: cannot be made ({error.strerror}); set another --state") from None
    with ExitStack() as ending:
        outputs = Outputs(config, said)  # first: it closes the gates
        ending.callback(outputs.close)
        bundle, _ = proved = proved_bundle(config)
        for note in name_notes(config, bundle):
            said(note)
        kept = Retention(config.records.days, config.records.megabytes)
        writer = StoreWriter(state / RECORDS_NAME, on_error=said, retention=kept)
        ending.callback(_flush, writer, said)

        review = reviewer(
            decision_rules(config, bundle).thresholds,
            config.records.review_margin,
            config.records.review_share,
        )

        def told(item: ItemRecord) -> None:
            writer.put(item)
            outputs.item(item)
            decided(item)

        def record(item: ItemRecord) -> None:
            told(replace(item, review=review(item)))

        source = opened(config)
        ending.callback(source.camera.close)
        gates = source.gates or outputs.gates
        recall = _lately(state / RECORDS_NAME)
        conveyor = build_conveyor(config, source, gates, proved, record, recall, moved=told)
        publisher = LivePublisher(state)
        ending.callback(publisher.close)
        page = start_panel(config, state, said) if panel else None
        if page is not None:
            ending.callback(_stop_process, page)
        show = _Shown(config, bundle, conveyor, publisher, writer, outputs, page, said)
        return conveyor.run(stopped, show)


def _lately(path: Path) -> Recall | None:
    """What was recorded before this start; None when the records cannot be read."""
    try:
        with Store(path, read_only=True) as store:
            return Recall(store.recent(LATELY), time.time())
    except EwasteError:
        return None


def start_panel(config: Config, state: Path, said: Callable[[str], None]) -> subprocess.Popen:
    """Start the page in a process of its own, which Ctrl-C at the terminal does not reach.

    Raises:
        BadInput: the port is in use.
    """
    host, port = config.panel.host, config.panel.port
    listen(host, port).close()
    write_whole(state / EFFECTIVE, page_content(config), mode=PRIVATE)
    command = [sys.executable, "-m", "edge.panel", "--state", str(state)]
    command += ["--config", str(state / EFFECTIVE)]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    said(f"page: http://{host}:{port}")
    return process


def _stop_process(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _flush(writer: StoreWriter, said: Callable[[str], None]) -> None:
    whole = writer.close()
    status = writer.status
    if not whole or status.dropped:
        said(f"records lost: {status.pending + status.dropped} ({status.error})")


class _Shown:
    """Offers each step to the page, with figures that are worked out twice a second."""

    def __init__(
        self,
        config: Config,
        bundle: Bundle,
        conveyor: Conveyor,
        publisher: LivePublisher,
        writer: StoreWriter,
        outputs: Outputs,
        page: subprocess.Popen | None,
        said: Callable[[str], None],
    ) -> None:
        self._camera = shown_source(config.camera.source)
        self._bundle, self._conveyor = bundle, conveyor
        self._publisher, self._writer, self._outputs = publisher, writer, outputs
        self._page, self._said = page, said
        self._status: Status | None = None
        self._fault, self._fault_at = "", 0.0
        self._belt = HEALTHY
        self._due_at = 0.0
        self._since, self._frames, self._belt_mm = time.monotonic(), 0, 0.0

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        changed = bool(step.fault) != bool(self._fault)
        if changed:
            self._tell_fault(step.fault, now)
        if step.frame is not None and step.belt != self._belt:
            changed = changed or step.belt.trusted != self._belt.trusted
            self._tell_belt(step.belt)
        if self._status is None or changed or now >= self._due_at:
            self._status = self._measure(step, now)
            self._outputs.show(self._status)
            self._due_at = now + STATUS_SECONDS
            self._look_after_page()
        pixels = step.frame.pixels if step.frame is not None else None
        self._publisher.offer(pixels, overlays(step, self._bundle), self._status)

    def _tell_fault(self, fault: str, now: float) -> None:
        if fault:
            self._said(f"{fault}; the gates are closed until it is back")
            self._fault_at = now
        else:
            away_s = now - self._fault_at
            self._said(f"{self._camera}: back after {away_s:.1f} s, the line goes on")
        self._fault = fault

    def _tell_belt(self, belt: EncoderHealth) -> None:
        if not belt.trusted and self._belt.trusted:
            self._said(f"{belt.message}; the gates are closed until the belt is measured again")
        elif belt.trusted and (belt.message or self._belt.message):
            self._said(belt.message or "the belt is measured as it should be again")
        self._belt = belt

    def _look_after_page(self) -> None:
        if self._page is not None and self._page.poll() is not None:
            self._said(f"the page has ended (exit code {self._page.returncode}); the line goes on")
            self._page = None

    def _measure(self, step: Step, now: float) -> Status:
        tally, elapsed = self._conveyor.tally, max(1e-6, now - self._since)
        written: WriterStatus = self._writer.status
        outputs = self._outputs.statuses
        errors = [step.fault, self._belt.message, written.error]
        errors += [output.error for output in outputs]
        state = "running" if self._belt.trusted else NO_POSITION
        status = Status(
            updated_at=time.time(),
            state=NO_PICTURE if step.fault else state,
            camera=self._camera,
            bundle=self._bundle.manifest.name,
            digest=self._bundle.digest,
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
            message="; ".join(error for error in errors if error),
        )
        self._since, self._frames, self._belt_mm = now, tally.frames, step.encoder_mm
        return status


def overlays(step: Step, bundle: Bundle) -> list[Overlay]:
    """The boxes and texts to draw on a step's frame."""
    drawn = []
    for item, detection, verdict in step.seen:
        box = detection.box
        edges = (box.left + step.moved_px, box.top, box.right + step.moved_px, box.bottom)
        if verdict is None:
            drawn.append(Overlay(edges, f"#{item.number}", "item"))
            continue
        kind = verdict.bin if verdict.bin == MANUAL else "sorted"
        if verdict.label in bundle.manifest.hazards:
            kind = "hazard"
        text = f"#{item.number} {verdict.label} {verdict.confidence:.0%} > {verdict.bin}"
        drawn.append(Overlay(edges, text, kind))
    return drawn
