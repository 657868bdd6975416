"""Where the belt is: its position in millimetres at a moment."""

from collections.abc import Sequence
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
        """Millimetres since `started_at`."""
        return (at_seconds - self._started_at) * self._speed_mm_s

    def health(self) -> EncoderHealth:
        """It knows of no fault."""
        return HEALTHY


@dataclass(frozen=True)
class Segment:
    """A stretch of time at one speed, mm/s: 0 is a stop, negative a jog back."""

    seconds: float
    speed_mm_s: float


class ProfileEncoder:
    """A belt that follows a given profile of speeds; the last one goes on for ever."""

    def __init__(self, segments: Sequence[Segment], started_at: float = 0.0) -> None:
        if not segments:
            raise ValueError("a profile needs at least one segment")
        self._segments = tuple(segments)
        self._started_at = started_at

    def position_mm(self, at_seconds: float) -> float:
        """Millimetres since `started_at`."""
        left_s, position = at_seconds - self._started_at, 0.0
        for segment in self._segments[:-1]:
            if left_s <= segment.seconds:
                return position + left_s * segment.speed_mm_s
            position += segment.seconds * segment.speed_mm_s
            left_s -= segment.seconds
        return position + left_s * self._segments[-1].speed_mm_s

    def health(self) -> EncoderHealth:
        """It knows of no fault."""
        return HEALTHY
