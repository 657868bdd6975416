"""Where the belt is by the pulses of a wheel or shaft that turns with it."""

import threading
from bisect import bisect_right

from edge.belt.encoder import HEALTHY, EncoderHealth

REMEMBERED_S = 10.0
"""How far back positions are known: frames are asked for later than they were captured."""
TRIMMED_AT = 4096
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
        self._times = [started_at]
        self._pulses = [0]
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
            self._times.append(at)
            self._pulses.append(self._pulses[-1] + count)
            if len(self._times) > TRIMMED_AT and self._times[TRIMMED_AT // 2] < at - REMEMBERED_S:
                del self._times[: TRIMMED_AT // 2], self._pulses[: TRIMMED_AT // 2]
            return True

    def position_mm(self, at_seconds: float) -> float:
        """The position at a time since about `REMEMBERED_S` ago.

        After the newest pulse the belt goes on as between the last two, to the next pulse at most.
        """
        with self._lock:
            after = bisect_right(self._times, at_seconds)
            if after == 0:
                return self._pulses[0] * self._mm_per_pulse
            if after == len(self._times):
                return (self._pulses[-1] + self._going_on(at_seconds)) * self._mm_per_pulse
            before = after - 1
            share = (at_seconds - self._times[before]) / (self._times[after] - self._times[before])
            step = self._pulses[after] - self._pulses[before]
            return (self._pulses[before] + share * step) * self._mm_per_pulse

    def health(self) -> EncoderHealth:
        """It knows of no fault: a cut cable looks like a belt that stands (`checked_encoder`)."""
        return HEALTHY

    def _going_on(self, at_seconds: float) -> float:
        """Pulses, or a part of one, that the belt has moved since the newest."""
        if len(self._times) < 2:
            return 0.0
        step = self._pulses[-1] - self._pulses[-2]
        least_s = abs(step) * self._mm_per_pulse / self._fastest_mm_s
        took_s = max(least_s, self._times[-1] - self._times[-2])
        return step * min(1.0, (at_seconds - self._times[-1]) / took_s) if step else 0.0
