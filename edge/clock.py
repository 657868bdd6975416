"""Time as an argument, so that a simulated hour runs in seconds and tests are deterministic."""

import time
from typing import Protocol


class Clock(Protocol):
    """A source of monotonic time."""

    def now(self) -> float:
        """Monotonic seconds; the zero is arbitrary."""

    def sleep(self, seconds: float) -> None:
        """Let `seconds` (>= 0) pass."""


class SystemClock:
    """The machine's monotonic clock, untouched by changes of the wall clock."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`."""
        time.sleep(max(0.0, seconds))


class VirtualClock:
    """A clock that moves only on request: sleeping advances it at once."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds since `start`."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Advance the clock by `seconds` without waiting."""
        self._now += max(0.0, seconds)
