"""Where the belt is: its position in millimeters at a moment."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class EncoderHealth:
    """What is known of an encoder's positions.

    Attributes:
        trusted: they may be sorted by.
        message: what is wrong, in words for the person at the line; empty when nothing is. Also
            for what is made good: then the positions are still trusted.
    """

    trusted: bool = True
    message: str = ""


HEALTHY = EncoderHealth()


class Encoder(Protocol):
    """A source of belt positions."""

    def position_mm(self, at_seconds: float) -> float:
        """The belt's position at a time of the clock the line runs on; grows downstream."""

    def health(self) -> EncoderHealth:
        """Whether its positions can be relied on, as far as is known by now."""


class TimedEncoder:
    """Position = speed x time, for a belt without a pulse input. It cannot see the belt stop."""

    def __init__(self, speed_mm_s: float, started_at: float) -> None:
        self._speed_mm_s = speed_mm_s
        self._started_at = started_at

    def position_mm(self, at_seconds: float) -> float:
        """Millimeters since `started_at`."""
        return (at_seconds - self._started_at) * self._speed_mm_s

    def health(self) -> EncoderHealth:
        """It knows of no fault."""
        return HEALTHY
