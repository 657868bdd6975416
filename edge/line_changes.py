"""What a person at the line has to know at once: that it stopped sorting, or sorts again."""

import logging

from edge.encoders.encoder import HEALTHY, EncoderHealth
from edge.operation import HELD, Mode
from edge.tally import LineStep
from edge.terminal import safe_line

log = logging.getLogger(__name__)


class LineChanges:
    """Logs each change of the camera, the belt, and the mode, once.

    Attributes:
        belt: what is known of the encoder's positions.
    """

    def __init__(self, camera: str) -> None:
        """Begin with all well; `camera`: which camera, in words."""
        self._camera, self._mode = camera, Mode.SORT
        self._fault: str | None = None
        self._fault_at = 0.0
        self.belt = HEALTHY

    def see(self, step: LineStep, mode: Mode, by: str, now: float) -> bool:
        """Log what a step changed; returns whether the line works otherwise now.

        Args:
            step: it.
            mode: how the line works.
            by: who asked for that.
            now: seconds of any steady clock.
        """
        changed = bool(step.fault) != bool(self._fault)
        if changed:
            self._see_fault(step.fault, now)
        if step.frame is not None and step.belt != self.belt:
            changed = changed or step.belt.trusted != self.belt.trusted
            self._see_belt(step.belt)
        if mode is not self._mode:
            changed = True
            self._see_mode(mode, by)
        return changed

    def _see_fault(self, fault: str | None, now: float) -> None:
        if fault:
            log.warning("%s; the gates are closed until it is back", fault)
            self._fault_at = now
        else:
            away_s = now - self._fault_at
            log.info("%s: back after %.1f s, the line goes on", self._camera, away_s)
        self._fault = fault

    def _see_belt(self, belt: EncoderHealth) -> None:
        if not belt.trusted and self.belt.trusted:
            log.warning("%s; the gates are closed until the belt is measured again", belt.message)
        elif belt.trusted and (belt.message or self.belt.message):
            log.info(belt.message or "the belt is measured as it should be again")
        self.belt = belt

    def _see_mode(self, mode: Mode, by: str) -> None:
        by = safe_line(by) or "somebody"
        held = HELD.get(mode)
        if held:
            log.warning("%s, as %s asked; the gates are closed", held.detail, by)
        else:
            log.info("the line sorts again, as %s asked", by)
        self._mode = mode
