"""What a monitoring system asks of a line: `/metrics`, `/healthz`, and `/readyz`.

Everything comes from the status, from the newest record, and from the system: nothing is counted
that grows with the number of records.
"""

import math
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edge import __version__
from edge.alarms.alarm import Alarms, AlarmState
from edge.alarms.catalog import CATALOG
from edge.board import resident_bytes
from edge.errors import EwasteError
from edge.operation import Mode
from edge.panel.fragments import line_state
from edge.records.store import Store
from edge.status import (
    NO_PICTURE,
    NO_POSITION,
    NOT_STARTED,
    RUNNING,
    STALLED,
    STOPPED,
    Status,
    read_status,
)

MOST_SERIES = 200
"""The maximum number of series of one metric: a status names a few classes, bins, and stages."""
STATES = (RUNNING, STOPPED, NO_PICTURE, NO_POSITION, STALLED, NOT_STARTED)
OTHER = "other"
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
"""What every version of Prometheus reads."""
REMEDY = "run: pip install prometheus-client"
NOT_READY = {
    NOT_STARTED: "absent",
    STALLED: "stalled",
    STOPPED: "stopped",
    NO_PICTURE: "blind",
    NO_POSITION: "unmeasured",
}
"""State of a line that cannot sort -> the word that `/readyz` answers."""


class Metric(NamedTuple):
    """What is known of a metric before it is measured.

    Attributes:
        kind: `gauge` or `counter`; the name of a counter ends in `_total`.
        help: what it tells, for people.
        labels: the names of its labels.
    """

    kind: str
    help: str
    labels: tuple[str, ...] = ()


METRICS = {
    "ewaste_line_ready": Metric("gauge", "1 if the line runs and can sort, else 0"),
    "ewaste_line_state": Metric("gauge", "1 for the state that the line is in", ("state",)),
    "ewaste_line_mode": Metric("gauge", "1 for the mode that the line works in", ("mode",)),
    "ewaste_line_message": Metric("gauge", "1 if the line has a message for a person, else 0"),
    "ewaste_status_timestamp_seconds": Metric("gauge", "when the line wrote its status, Unix time"),
    "ewaste_bundle_info": Metric("gauge", "always 1; names the bundle", ("name", "digest")),
    "ewaste_items_total": Metric("counter", "items since the start of the line"),
    "ewaste_class_items_total": Metric("counter", "items of a class, or `unknown`", ("class",)),
    "ewaste_bin_items": Metric(
        "gauge", "items of a bin; falls when an item ends in another bin", ("bin",)
    ),
    "ewaste_unknown_items_total": Metric("counter", "items without a label"),
    "ewaste_late_items_total": Metric("counter", "items decided after the gate's moment"),
    "ewaste_dropped_frames_total": Metric("counter", "frames that camera or loop skipped"),
    "ewaste_dropped_records_total": Metric("counter", "records that the disk could not take"),
    "ewaste_dropped_messages_total": Metric(
        "counter", "gate openings and messages that an output could not take in time"
    ),
    "ewaste_frame_rate_hertz": Metric("gauge", "frames a second"),
    "ewaste_belt_speed_meters_per_second": Metric("gauge", "speed of the belt"),
    "ewaste_stage_latency_seconds": Metric(
        "gauge", "latency of a stage over the last items", ("stage", "percentile")
    ),
    "ewaste_gate_open": Metric("gauge", "1 if the gate of a bin is open, else 0", ("bin",)),
    "ewaste_records_readable": Metric("gauge", "1 if the page can read the records, else 0"),
    "ewaste_newest_record_timestamp_seconds": Metric(
        "gauge", "when the newest record was decided, Unix time"
    ),
    "ewaste_records_size_bytes": Metric("gauge", "size of the file of records"),
    "ewaste_disk_free_bytes": Metric("gauge", "free space on the disk of the state folder"),
    "ewaste_disk_free_ratio": Metric("gauge", "the same as a share of the disk, 0 to 1"),
    "ewaste_alarms": Metric("gauge", "1 for the state that an alarm is in", ("name", "state")),
    "ewaste_page_info": Metric("gauge", "always 1; names the version of the page", ("version",)),
    "ewaste_page_start_time_seconds": Metric("gauge", "when the page was started, Unix time"),
    "ewaste_page_cpu_seconds_total": Metric("counter", "CPU time of the page's process"),
    "ewaste_page_resident_memory_bytes": Metric("gauge", "memory of the page's process"),
}
"""Every metric that is served. `docs/monitoring.md` has the same table."""


class Sample(NamedTuple):
    """One value of a metric: its name, the values of its labels, and the value."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """What the system tells around a line. NaN: not known.

    Attributes:
        newest_at: when the newest record was decided, Unix seconds.
        records_bytes: size of the file of records.
        is_readable: whether the records can be read.
        disk_bytes, disk_free_bytes: the disk of the state folder.
        started_at: when the page was started, Unix seconds.
        cpu_s: CPU time of the page.
        memory_bytes: memory of the page.
    """

    newest_at: float = math.nan
    records_bytes: float = math.nan
    is_readable: bool = False
    disk_bytes: float = math.nan
    disk_free_bytes: float = math.nan
    started_at: float = math.nan
    cpu_s: float = math.nan
    memory_bytes: float = math.nan


def why_not_ready(status: Status | None, now: float) -> str:
    """Return in one word why the line cannot sort; empty: it can.

    Args:
        status: of the line; None: there is none.
        now: Unix seconds.
    """
    state = line_state(status, now)
    if status is None or state != RUNNING:
        return NOT_READY.get(state, OTHER)
    return {Mode.PAUSE: "paused", Mode.MANUAL: "manual"}.get(status.order.mode, "")


def samples(
    status: Status | None, around: Surroundings, now: float, alarms: Alarms = Alarms()
) -> list[Sample]:
    """Return all values; without a status only those that need none.

    Args:
        status: of the line; None: there is none.
        around: what the system tells.
        now: Unix seconds.
        alarms: of the line.
    """
    word = line_state(status, now)
    word = word if word in STATES else OTHER
    found = [Sample("ewaste_line_ready", not why_not_ready(status, now))]
    found += [Sample("ewaste_line_state", name == word, (name,)) for name in (*STATES, OTHER)]
    if status is not None:
        found += _of_status(status)
    found += _of_surroundings(around)
    found += [
        Sample("ewaste_alarms", alarms.of(name).state is state, (name.value, state.value))
        for name in CATALOG
        for state in AlarmState
    ]
    return [sample for sample in found if not math.isnan(sample.value)]


def _of_status(status: Status) -> Iterator[Sample]:
    for mode in Mode:
        yield Sample("ewaste_line_mode", mode is status.order.mode, (mode.value,))
    yield Sample("ewaste_line_message", status.message is not None)
    yield Sample("ewaste_status_timestamp_seconds", status.updated_at)
    yield Sample("ewaste_bundle_info", 1, (status.bundle, status.digest))
    yield Sample("ewaste_items_total", _number(status.items))
    yield from _each("ewaste_class_items_total", status.per_label)
    yield from _each("ewaste_bin_items", status.per_bin)
    yield Sample("ewaste_unknown_items_total", _number(status.unknown))
    yield Sample("ewaste_late_items_total", _number(status.late))
    yield Sample("ewaste_dropped_frames_total", _number(status.dropped_frames))
    yield Sample("ewaste_dropped_records_total", _number(status.dropped_records))
    yield Sample("ewaste_dropped_messages_total", _number(status.dropped_messages))
    yield Sample("ewaste_frame_rate_hertz", status.fps)
    yield Sample("ewaste_belt_speed_meters_per_second", status.speed_mm_s / 1000)
    for stage, found in _bounded(status.latency):
        for percentile, took_ms in (("50", found.p50), ("99", found.p99)):
            yield Sample("ewaste_stage_latency_seconds", took_ms / 1000, (stage, percentile))
    yield from _each("ewaste_gate_open", status.gates)


def _of_surroundings(around: Surroundings) -> Iterator[Sample]:
    yield Sample("ewaste_records_readable", around.is_readable)
    yield Sample("ewaste_newest_record_timestamp_seconds", around.newest_at)
    yield Sample("ewaste_records_size_bytes", around.records_bytes)
    yield Sample("ewaste_disk_free_bytes", around.disk_free_bytes)
    share = around.disk_free_bytes / around.disk_bytes if around.disk_bytes else math.nan
    yield Sample("ewaste_disk_free_ratio", share)
    yield Sample("ewaste_page_info", 1, (__version__,))
    yield Sample("ewaste_page_start_time_seconds", around.started_at)
    yield Sample("ewaste_page_cpu_seconds_total", around.cpu_s)
    yield Sample("ewaste_page_resident_memory_bytes", around.memory_bytes)


def _each(name: str, counts: Mapping[str, int]) -> Iterator[Sample]:
    for key, count in _bounded(counts):
        yield Sample(name, _number(count), (key,))


def _bounded(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(values.items())[:MOST_SERIES]


def _number(count: int) -> float:
    """A count as a float; a corrupted status may hold one that is too large."""
    try:
        return float(count)
    except OverflowError:
        return math.nan


def surroundings(state_dir: Path, store_path: Path, started_at: float) -> Surroundings:
    """Ask the system; what it does not tell is NaN."""
    newest_at, is_readable = math.nan, True
    try:
        with Store(store_path, read_only=True) as store:
            newest = store.recent(1)
            newest_at = newest[0].decided_at if newest else math.nan
    except EwasteError:
        is_readable = False
    size = _asked(lambda: float(store_path.stat().st_size))
    disk = shutil.disk_usage(state_dir) if state_dir.is_dir() else None
    return Surroundings(
        newest_at=newest_at,
        records_bytes=size,
        is_readable=is_readable,
        disk_bytes=math.nan if disk is None else disk.total,
        disk_free_bytes=math.nan if disk is None else disk.free,
        started_at=started_at,
        cpu_s=time.process_time(),
        memory_bytes=resident_bytes() or math.nan,
    )


def _asked(question: Callable[[], float]) -> float:
    try:
        return question()
    except (OSError, ValueError, IndexError):
        return math.nan


def exposition(values: Iterable[Sample]) -> bytes:
    """Write samples in the text format of Prometheus."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(values)))
    return generate_latest(registry)


class _Collected:
    """Samples as a collector of prometheus-client."""

    def __init__(self, values: list[Sample]) -> None:
        self._values = values

    def collect(self) -> Iterator[Any]:
        """Make a family of each metric that has values."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, metric in METRICS.items():
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(name, metric.help, labels=metric.labels)
            for sample in self._values:
                if sample.name == name:
                    family.add_metric(sample.labels, sample.value)
            if family.samples:
                yield family


def add_monitoring(
    app: Any, state_dir: Path, store_path: Path, alarms: Callable[[], Alarms]
) -> None:
    """Serve `/metrics`, `/healthz`, and `/readyz` on the FastAPI `app`; `alarms` gives them."""
    from fastapi import Response
    from fastapi.responses import PlainTextResponse

    started_at, lock = time.time(), threading.Lock()

    @app.get("/healthz")
    def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    def readyz() -> Response:
        reason = why_not_ready(read_status(state_dir), time.time())
        return PlainTextResponse(f"{reason or 'ok'}\n", 503 if reason else 200)

    @app.get("/metrics")
    def metrics() -> Response:
        with lock:  # one at a time: it opens the records
            around = surroundings(state_dir, store_path, started_at)
            values = samples(read_status(state_dir), around, time.time(), alarms())
        try:
            return Response(exposition(values), media_type=TEXT_FORMAT)
        except ImportError:  # an older installation: the page itself goes on
            return PlainTextResponse(f"prometheus-client is missing; {REMEDY}\n", 501)
