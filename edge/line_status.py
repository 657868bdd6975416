"""How a line is doing, asked of its parts: its status, and what is at fault."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.board import resident_bytes
from edge.bundle_watch import BundleWatch
from edge.conveyor import Conveyor
from edge.encoders.encoder import EncoderHealth
from edge.faults import FaultLog
from edge.handover import Handover
from edge.labels import UNKNOWN
from edge.operation import OrderWatch
from edge.output_thread import OutputStatus
from edge.outputs.wiring import Outputs
from edge.panel.beside import PageBeside
from edge.panel.live import LivePublisher
from edge.records.writer import StoreWriter
from edge.sensors.watch import SensorWatch
from edge.status import NO_PICTURE, NO_POSITION, RUNNING, OutputHealth, Percentiles, Status
from edge.stills import StillTaker
from edge.tally import LineStep, Tally
from edge.terminal import err, out, safe_line
from edge.tried import Tried


@dataclass(frozen=True)
class LineParts:
    """The parts of a running line that are asked how it is doing.

    Attributes:
        camera: which, in words.
        window: when the bundle may be exchanged while the belt moves, as configured.
        handover: what decides.
        watch: on what is installed and learned.
        conveyor: the loop.
        writer: of the records.
        outputs: gates, PLC, broker.
        orders: of the operator.
        sensors: beside the camera.
        faults: their history.
        publisher: of the live view.
        stills: pictures to measure by.
        page: the process of the page; None: none is served.
        tried: what failed that the line does without.
    """

    camera: str
    window: str
    handover: Handover
    watch: BundleWatch
    conveyor: Conveyor
    writer: StoreWriter
    outputs: Outputs
    orders: OrderWatch
    sensors: SensorWatch
    faults: FaultLog
    publisher: LivePublisher
    stills: StillTaker
    page: PageBeside | None
    tried: Tried


class LineRates:
    """How many frames come, and how fast the belt is, between two measurements."""

    def __init__(self, now: float) -> None:
        """Begin at seconds `now` of any steady clock."""
        self._since, self._frames, self._belt_mm = now, 0, 0.0

    def measure(self, frames: int, belt_mm: float, now: float) -> tuple[float, float]:
        """Frames per second and mm/s since the last time.

        Args:
            frames: that came since the start.
            belt_mm: where the belt is.
            now: seconds of the clock.
        """
        elapsed = max(1e-6, now - self._since)
        rates = (frames - self._frames) / elapsed, (belt_mm - self._belt_mm) / elapsed
        self._since, self._frames, self._belt_mm = now, frames, belt_mm
        return rates


def line_status(
    parts: LineParts, step: LineStep, belt: EncoderHealth, rates: tuple[float, float]
) -> Status:
    """The status of a line.

    Args:
        parts: of the line.
        step: the last one.
        belt: what is known of the encoder's positions.
        rates: frames per second, and the speed of the belt, mm/s.
    """
    tally, conveyor, written = parts.conveyor.tally, parts.conveyor, parts.writer.status
    outputs, in_use = parts.outputs.statuses, parts.handover.in_use
    manifest, learned = in_use.bundle.manifest, in_use.generation
    errors = [step.fault, belt.message, written.error, *(output.error for output in outputs)]
    errors += parts.sensors.faults().values()
    state = RUNNING if belt.trusted else NO_POSITION
    fps, speed_mm_s = rates
    return Status(
        updated_at=time.time(),
        state=NO_PICTURE if step.fault else state,
        camera=parts.camera,
        bundle=safe_line(manifest.name),
        digest=in_use.bundle.digest,
        bundle_created=manifest.created.timestamp(),
        fps=fps,
        speed_mm_s=speed_mm_s,
        belt_mm=step.encoder_mm,
        items=tally.items,
        per_label=dict(tally.per_label),
        per_bin=dict(tally.per_bin),
        unknown=tally.per_label[UNKNOWN],
        late=tally.late,
        dropped_frames=tally.frames_dropped,
        dropped_records=written.dropped,
        dropped_messages=sum(output.dropped for output in outputs),
        latency=_latency(tally),
        gates=conveyor.gates_open,
        frames=tally.frames,
        waiting_records=written.pending,
        memory_bytes=resident_bytes(),
        encoder=belt.message,
        outputs=_health(outputs),
        faults_dropped=parts.faults.dropped,
        look=conveyor.look,
        order=parts.orders.order.model_copy(update={"mode": conveyor.mode}),
        update_window=parts.window,
        belt=conveyor.rest,
        waiting=parts.handover.waiting,
        learned=0 if learned is None else learned.number,
        taught=() if learned is None else learned.manifest.labels,
        message=joined([*errors, *troubles(parts)]),
    )


def last_status(parts: LineParts, before: Status, lost: str) -> Status:
    """The status of a line that has ended.

    Args:
        parts: of the line.
        before: its last status while it ran.
        lost: what was lost of its records, in words; empty: nothing.
    """
    tally = parts.conveyor.tally
    changes = {"updated_at": time.time(), "items": tally.items, "per_bin": dict(tally.per_bin)}
    changes |= {"per_label": dict(tally.per_label), "unknown": tally.per_label[UNKNOWN]}
    changes |= {"dropped_records": tally.records_lost, "gates": parts.conveyor.gates_open}
    if message := joined([lost, *troubles(parts)]):
        changes["message"] = message
    return before.model_copy(update=changes)


def faults_of(
    parts: LineParts, step: LineStep, belt: EncoderHealth, *, model_failed: bool
) -> Mapping[str, str]:
    """What is at fault, for the history: a word, or the name of an output -> why.

    Args:
        parts: of the line.
        step: the last one.
        belt: what is known of the encoder's positions.
        model_failed: whether the model has failed since the last time.
    """
    publisher = parts.publisher
    found = {
        "camera": step.fault,
        "belt": belt.message,
        "records": parts.writer.status.error,
        "model": "the model has failed" if model_failed else None,
        "bundle": parts.watch.error,
        "page": parts.page.error if parts.page is not None else None,
        "live view": publisher.error if publisher.failing else None,
    }
    found |= {output.name: output.error for output in parts.outputs.statuses}
    found |= parts.sensors.faults()
    return {kind: safe_line(reason) for kind, reason in found.items() if reason}


def troubles(parts: LineParts) -> list[str | None]:
    """What goes wrong beside the line."""
    faults, publisher = parts.conveyor.tally.model_faults, parts.publisher
    return [
        f"the model has failed {faults} times" if faults else None,
        publisher.error if publisher.failing else None,
        None if publisher.alive else "the live view has ended",
        parts.page.error if parts.page is not None else None,
        parts.orders.error,
        parts.watch.error,
        parts.handover.in_use.unused or None,
        parts.tried.error,
        out.trouble,
        err.trouble,
    ]


def joined(errors: Iterable[str | None]) -> str | None:
    """One line of those that there are; None: there are none."""
    return safe_line("; ".join(error for error in errors if error)) or None


def _latency(tally: Tally) -> dict[str, Percentiles]:
    return {
        stage: Percentiles(p50=p50, p99=p99)
        for stage, values in tally.latencies.items()
        if values
        for p50, p99 in [np.percentile(values, (50, 99)).tolist()]
    }


def _health(outputs: Sequence[OutputStatus]) -> tuple[OutputHealth, ...]:
    return tuple(
        OutputHealth(
            name=safe_line(output.name),
            connected=output.connected,
            sent=output.sent,
            dropped=output.dropped,
            outages=output.outages,
        )
        for output in outputs
    )
