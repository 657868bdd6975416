"""A running line as its page, its outputs, and the history of faults show it."""

import logging
import time
from collections.abc import Collection

from edge.labels import MANUAL
from edge.line_changes import LineChanges
from edge.line_status import LineParts, LineRates, faults_of, last_status, line_status
from edge.panel.live import Overlay
from edge.status import Status
from edge.tally import LineStep

log = logging.getLogger(__name__)

STATUS_SECONDS = 0.5


class ShownLine:
    """Offers each step to the page, with figures that are worked out twice a second."""

    def __init__(self, parts: LineParts) -> None:
        """Show nothing yet of a line of these parts."""
        self._parts = parts
        self._changes = LineChanges(parts.camera)
        self._rates = LineRates(time.monotonic())
        self._status: Status | None = None
        self._model_faults = 0
        self._due_at = 0.0

    def __call__(self, step: LineStep) -> None:
        """Tell of a step; what fails is given up."""
        self._parts.tried("the state cannot be published", self._show, step)

    def summary(self) -> str:
        """How the line is doing, in a few words."""
        if self._status is None:
            return "waits for the first picture"
        words = f"{self._status.state}, {self._status.items} items"
        return f"{words}; {self._status.message}" if self._status.message else words

    def end(self) -> None:
        """Write what waits, and say what was lost: to the person, the page and the outputs."""
        writer, tally = self._parts.writer, self._parts.conveyor.tally
        whole = writer.close()
        written = writer.status
        tally.records_lost = written.dropped + (0 if whole else written.pending)
        tally.recorded = written.usable
        lost = ""
        if tally.records_lost:
            lost = f"records lost: {tally.records_lost} ({written.error})"
            log.error(lost)
        if self._status is None:
            return
        self._status = last_status(self._parts, self._status, lost)
        self._parts.outputs.show(self._status)
        self._parts.publisher.offer(None, [], self._status)

    def _show(self, step: LineStep) -> None:
        parts, now = self._parts, time.monotonic()
        changed = self._changes.see(step, parts.conveyor.mode, parts.orders.order.by, now)
        if self._status is None or changed or now >= self._due_at:
            self._status = self._measure(step, now)
            parts.outputs.show(self._status)
            self._due_at = now + STATUS_SECONDS
            self._note_faults(step)
        if step.frame is not None:
            parts.stills.offer(step.frame, step.encoder_mm)
        pixels = step.frame.pixels if step.frame is not None else None
        drawn = overlays(step, parts.handover.in_use.hazards)
        parts.publisher.offer(pixels, drawn, self._status)

    def _measure(self, step: LineStep, now: float) -> Status:
        frames = self._parts.conveyor.tally.frames
        rates = self._rates.measure(frames, step.encoder_mm, now)
        return line_status(self._parts, step, self._changes.belt, rates)

    def _note_faults(self, step: LineStep) -> None:
        before, self._model_faults = self._model_faults, self._parts.conveyor.tally.model_faults
        failed = self._model_faults > before
        found = faults_of(self._parts, step, self._changes.belt, model_failed=failed)
        self._parts.faults.see(found, time.time())


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
