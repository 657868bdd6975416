"""The encoder wheel of the simulated belt, with jitter, lost pulses, and spurious pulses."""

from math import floor

import numpy as np

from edge.clock import Clock
from edge.encoders.pulses import PulseEncoder
from edge.simulator.motion import BeltMotion
from edge.simulator.scenario import Pulses

STEP_S = 0.01  # within a step the belt speed is taken as constant


class SimulatedWheel:
    """Sends the pulses up to the present when it is turned."""

    def __init__(
        self, motion: BeltMotion, encoder: PulseEncoder, faults: Pulses, clock: Clock, seed: int
    ) -> None:
        """Set up.

        Args:
            motion: the motion of the belt.
            encoder: the encoder that counts the pulses.
            faults: the faults of the pulses.
            clock: the clock of the line.
            seed: of the faults.
        """
        self._motion, self._encoder, self._faults, self._clock = motion, encoder, faults, clock
        self._rng = np.random.default_rng(seed)
        self._began_at = self._turned_at = clock.now()
        self.sent = 0
        """The pulses so far, without the lost ones."""

    def turn(self) -> None:
        """Send the pulses since the last turn."""
        now = self._clock.now()
        while self._turned_at < now:
            until = min(now, self._turned_at + STEP_S)
            for at, count in sorted(self._pulses(self._turned_at, until)):
                self._encoder.pulse(at, count)
                self.sent += 1
            self._turned_at = until

    def _pulses(self, since: float, until: float) -> list[tuple[float, int]]:
        """List the times and directions of the pulses between two times."""
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
