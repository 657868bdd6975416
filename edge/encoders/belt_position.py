"""Where the belt is now, what of it the camera shows, and whether that can be trusted."""

from enum import Enum, auto

from edge.belt.geometry import Geometry
from edge.clock import Clock
from edge.encoders.encoder import HEALTHY, Encoder, EncoderHealth, TimedEncoder
from edge.verdict import Reason, Unsafe


class TrustChange(Enum):
    """What has become of the trust in an encoder's positions since the last check."""

    NONE = auto()
    LOST = auto()
    REGAINED = auto()


class BeltPosition:
    """The encoder of one line, read by the line's clock.

    Attributes:
        health: what the last check found out about the encoder.
    """

    def __init__(self, encoder: Encoder, clock: Clock, geometry: Geometry) -> None:
        """Trust the encoder until a check says otherwise.

        Args:
            encoder: where the belt is at a time of `clock`.
            clock: of the line.
            geometry: what the camera shows.
        """
        self._encoder, self._clock, self._geometry = encoder, clock, geometry
        self.health: EncoderHealth = HEALTHY

    @property
    def unsafe(self) -> Unsafe | None:
        """Why no item can be sorted by the positions; None: they can be trusted."""
        trusted = self.health.trusted
        return None if trusted else Unsafe(Reason.ENCODER_FAULT, self.health.message)

    @property
    def is_measured(self) -> bool:
        """Whether the positions are measured, and not taken from a speed, and can be trusted."""
        return self.health.trusted and not isinstance(self._encoder, TimedEncoder)

    def check(self) -> TrustChange:
        """Ask the encoder for its health, and compare it with the last check."""
        before, self.health = self.health, self._encoder.health()
        if before.trusted == self.health.trusted:
            return TrustChange.NONE
        return TrustChange.REGAINED if self.health.trusted else TrustChange.LOST

    def now(self) -> float:
        """Seconds of the line's clock."""
        return self._clock.now()

    def now_mm(self) -> float:
        """Where the belt is now, mm."""
        return self.at_mm(self._clock.now())

    def at_mm(self, at_seconds: float) -> float:
        """Where the belt is at a time of the line's clock, mm."""
        return self._encoder.position_mm(at_seconds)

    def border_mm(self, encoder_mm: float) -> float:
        """The belt coordinate of the view's downstream border."""
        return self._geometry.belt_position(self._geometry.width_px, encoder_mm)

    def moved_px(self, from_mm: float, to_mm: float) -> int:
        """How far the picture of the belt moves between two readings, columns to the right."""
        return round((to_mm - from_mm) / self._geometry.mm_per_px)
