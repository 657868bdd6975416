"""The wheel that sends pulses as the simulated belt turns: some jitter, are lost, or invented."""

from math import floor

import numpy as np

from edge.clock import Clock
from edge.encoders.pulses import PulseEncoder
from edge.simulator.motion import BeltMotion
from edge.simulator.scenario import Pulses

STEP_S = 0.01  # within it the belt's speed is taken to be even


class SimulatedWheel:
    """Sends pulses up to the present whenever it is asked to turn."""

    def __init__(
        self, motion: BeltMotion, encoder: PulseEncoder, faults: Pulses, clock: Clock, seed: int
    ) -> None:
        """Set up.

        Args:
            motion: of the belt.
            encoder: what counts the pulses.
            faults: what goes wrong with them.
            clock: of the line.
            seed: of the faults.
        """
        self._motion, self._encoder, self._faults, self._clock = motion, encoder, faults, clock
        self._rng = np.random.default_rng(seed)
        self._began_at = self._turned_at = clock.now()
        self.sent = 0
        """Pulses so far, those that were lost not among them."""

    def turn(self) -> None:
        """Send the pulses of the time since it was last asked."""
        now = self._clock.now()
        while self._turned_at < now:
            until = min(now, self._turned_at + STEP_S)
            for at, count in sorted(self._pulses(self._turned_at, until)):
                self._encoder.pulse(at, count)
                self.sent += 1
            self._turned_at = until

    def _pulses(self, since: float, until: float) -> list[tuple[float, int]]:
        """When pulses come, and which way they say the belt goes."""
        if any(first <= since - self._began_at < last for first, last in self._faults.silent_s):
            return []
        per_pulse = self._faults.mm_per_pulse
        begin, end = (self._motion.position_mm(at) / per_pulse for at in (since, until))
        way = 1 if end > begin else -1
        marks = range(floor(begin) + 1, floor(end) + 1)
        if way < 0:
            marks = range(floor(begin), floor(end), -1)
        sent = []
        for mark in marks:
            place = mark + self._faults.jitter * self._rng.uniform(-0.5, 0.5)
            share = (place - begin) / (end - begin)
            at = since + min(1.0, max(0.0, share)) * (until - since)
            if self._rng.uniform() >= self._faults.missed:
                sent.append((at, way))
            if self._rng.uniform() < self._faults.spurious:
                sent.append((at, way))
        return sent
