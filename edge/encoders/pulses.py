"""Where the belt is by the pulses of a wheel or shaft that turns with it."""

import threading

from edge.encoders.encoder import HEALTHY, EncoderHealth
from edge.encoders.position_history import PositionHistory

BURST_S = 0.005
"""Pulses may come so much closer together than the fastest belt sends them: time stamps jitter."""
BURST_PULSES = 2.0


class PulseEncoder:
    """Counts pulses; between two of them the belt is taken to move evenly.

    The position is off by less than one pulse. Pulses may come from another thread than the one
    that asks.
    """

    def __init__(
        self, mm_per_pulse: float, fastest_mm_s: float = 1000.0, started_at: float = 0.0
    ) -> None:
        """Start at position 0.

        Args:
            mm_per_pulse: what the belt moves from one pulse to the next.
            fastest_mm_s: the belt is never faster, either way; pulses that say so are noise on the
                cable and are not believed. One burst of noise moves the position by no more than
                two pulses and what the fastest belt does in `BURST_S`.
            started_at: seconds of the clock that pulses are timed by.

        Raises:
            ValueError: one of the first two is not above 0.
        """
        if mm_per_pulse <= 0 or fastest_mm_s <= 0:
            raise ValueError("mm_per_pulse and fastest_mm_s must be above 0")
        self._mm_per_pulse = mm_per_pulse
        self._fastest_mm_s = fastest_mm_s
        self._burst_mm = BURST_PULSES * mm_per_pulse + BURST_S * fastest_mm_s
        self._room_mm = self._burst_mm
        self._pulses = 0
        self._history = PositionHistory(started_at)
        self._counted_at = started_at
        self._heard_at: float | None = None
        self._disbelieved = 0
        self._lock = threading.Lock()

    @property
    def heard_at(self) -> float | None:
        """When the last believed pulse came; None: none has."""
        with self._lock:
            return self._heard_at

    @property
    def disbelieved(self) -> int:
        """How many pulses were left out because no belt is so fast."""
        with self._lock:
            return self._disbelieved

    def pulse(self, at: float, count: int = 1) -> bool:
        """Take in a pulse; False: it is not believed.

        Args:
            at: when it came, in seconds; what is older than the pulse before counts as now.
            count: -1 for one that runs backwards. A counter that is read now and then gives all
                pulses since it was last read, 0 too.
        """
        with self._lock:
            at = max(at, self._counted_at)
            way_mm = abs(count) * self._mm_per_pulse
            room_mm = self._room_mm + (at - self._counted_at) * self._fastest_mm_s
            self._counted_at = at
            believed = way_mm <= room_mm * (1 + 1e-9)
            # Silence saves up no room for a burst.
            self._room_mm = min(self._burst_mm, room_mm - way_mm if believed else room_mm)
            if not believed:
                self._disbelieved += abs(count)
                return False
            if count:
                self._heard_at = at
            self._pulses += count
            self._history.append(at, self._pulses * self._mm_per_pulse)
            return True

    def position_mm(self, at_seconds: float) -> float:
        """The position at a time; those of the last seconds are known
        (`edge.encoders.position_history`).

        After the newest pulse the belt goes on as between the last two, to the next pulse at most.
        """
        with self._lock:
            since_s = at_seconds - self._history.at
            took_s, step_mm = self._history.last_step
            if since_s <= 0 or not step_mm:
                return self._history.known(at_seconds)
            took_s = max(took_s, abs(step_mm) / self._fastest_mm_s)
            return self._history.position_mm + step_mm * min(1.0, since_s / took_s)

    def health(self) -> EncoderHealth:
        """It knows of no fault: a cut cable looks like a belt that stands (`checked_encoder`)."""
        return HEALTHY
