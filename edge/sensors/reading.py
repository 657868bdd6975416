"""What a sensor read, as the line takes it in."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class SensorReading:
    """One reading of one sensor.

    Attributes:
        number: counts the sensor's readings; one that comes again has the same number.
        received_at: when it arrived, seconds of the line's clock.
        found: whether it found something.
        certainty: how sure it is, 0 to 1.
        value: what it measured; None: it only says yes or no.
        at: when the item was at the sensor, seconds of the line's clock; None: not stated.
        belt_mm: where the belt was then, mm; None: not stated.
    """

    number: int
    received_at: float
    found: bool
    certainty: float = 1.0
    value: float | None = None
    at: float | None = None
    belt_mm: float | None = None

    def says_the_same(self, other: "SensorReading") -> bool:
        """Whether another reading of this number tells the same of the same place."""
        mine = self.found, self.certainty, self.value, self.belt_mm
        theirs = other.found, other.certainty, other.value, other.belt_mm
        if self.at is None or other.at is None:
            return mine == theirs and self.at is other.at
        return mine == theirs and abs(self.at - other.at) < SAME_TIME_S


SAME_TIME_S = 0.02
"""A wall clock and a monotonic one drift and are set: one time of a message, read twice."""


@dataclass(frozen=True)
class SensorState:
    """How the connection to a sensor is doing.

    Attributes:
        alive_at: when it last gave a sign of life, seconds of the line's clock; None: never.
        rejected: messages that were malformed, or of another sensor.
        dropped: readings that were lost since too many waited.
        error: why it cannot be reached; None: it can, or nothing is known yet.
    """

    alive_at: float | None = None
    rejected: int = 0
    dropped: int = 0
    error: str | None = None


class Sensor(Protocol):
    """A sensor beside the belt; no method waits."""

    def readings(self) -> tuple[SensorReading, ...]:
        """What it has read since the last call, in the order of arrival."""

    @property
    def state(self) -> SensorState:
        """How the connection to it is doing."""

    def close(self) -> None:
        """Let go of it; may be called twice."""
