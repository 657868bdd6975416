"""Pulses, checked against what the camera sees of the belt."""

from collections import deque
from dataclasses import dataclass

from edge.cameras.camera import Frame
from edge.encoders.encoder import HEALTHY, EncoderHealth
from edge.encoders.pulses import PulseEncoder
from edge.encoders.visual_odometer import Odometer

MOST_DRIFT_MM = 30.0
"""The most that the two may drift apart within `DRIFT_WINDOW_MM`; less than the gates' lead, so
that what is sorted before the drift is noticed is still sorted right."""
DRIFT_WINDOW_MM = 1000.0
AGREEMENT_MM = 500.0
"""The way over which they must agree, to `MOST_AGREEING_DRIFT_MM`, before the pulses are used
again."""
MOST_AGREEING_DRIFT_MM = 15.0
LEAST_STEP_MM = 5.0
SILENT_SHARE = 0.2
"""An encoder that measures less than this share of the way counts as silent; a belt that moves less
counts as standing."""


@dataclass(frozen=True)
class Comparison:
    """Both positions at one frame, and the way traveled until then, mm."""

    pulses_mm: float
    camera_mm: float
    way_mm: float


class CheckedEncoder:
    """The pulses' position; the camera's, from where they part to where they agree again.

    The position never jumps at such a change: the motion since the frame before is replaced, and
    earlier positions stay. It gets each frame before it is asked for the position there.
    """

    def __init__(self, pulses: PulseEncoder, odometer: Odometer) -> None:
        """Begin by the pulses."""
        self._pulses, self._odometer = pulses, odometer
        self._by_camera = False
        self._ahead_mm = 0.0  # of the source in use
        self._given: tuple[float, float] | None = (
            None  # given out, and the camera's, at the last frame
        )
        self._compared: deque[Comparison] = deque()
        self._fault = ""

    def see(self, frame: Frame) -> None:
        """Compare the two where the frame was taken, and change over if it is time."""
        self._odometer.see(frame)
        at = frame.captured_at
        now_mm = self._pulses.position_mm(at), self._odometer.position_mm(at)
        if self._odometer.sure:
            self._compare(*now_mm)
            self._change_over(*now_mm)
        else:
            self._compared.clear()  # a guessed motion accuses nobody
        self._given = self.position_mm(at), now_mm[1]

    def position_mm(self, at_seconds: float) -> float:
        """The position at a time since the last change of source, by the better source."""
        source = self._odometer if self._by_camera else self._pulses
        return source.position_mm(at_seconds) + self._ahead_mm

    def health(self) -> EncoderHealth:
        """Not trusted while the pulses are wrong and the camera cannot see."""
        if not self._by_camera:
            return HEALTHY
        camera = self._odometer.health()
        if camera.trusted:
            return EncoderHealth(True, f"{self._fault}; the camera measures the belt instead")
        return EncoderHealth(False, f"{self._fault}; {camera.message}")

    def _compare(self, pulses_mm: float, camera_mm: float) -> None:
        way_mm = 0.0
        if self._compared:
            last = self._compared[-1]
            moved_mm = abs(pulses_mm - last.pulses_mm), abs(camera_mm - last.camera_mm)
            way_mm = last.way_mm + max(moved_mm)
            if len(self._compared) > 1 and way_mm - self._compared[-2].way_mm < LEAST_STEP_MM:
                self._compared.pop()  # a belt that stands fills no memory
        self._compared.append(Comparison(pulses_mm, camera_mm, way_mm))
        while self._compared[0].way_mm < way_mm - DRIFT_WINDOW_MM:
            self._compared.popleft()

    def _change_over(self, pulses_mm: float, camera_mm: float) -> None:
        now = self._compared[-1]
        limit_mm = MOST_AGREEING_DRIFT_MM if self._by_camera else MOST_DRIFT_MM
        parted = next(
            (then for then in reversed(self._compared) if apart(then, now) > limit_mm), None
        )
        if parted is not None:
            if not self._by_camera:
                self._fault = in_words(parted, now, self._pulses.disbelieved)
                given_mm, seen_mm = self._given or (pulses_mm, camera_mm)
                self._by_camera, self._ahead_mm = True, given_mm - seen_mm
            self._begin_anew()
        elif self._by_camera and now.way_mm - self._compared[0].way_mm >= AGREEMENT_MM:
            self._by_camera, self._ahead_mm = False, self._ahead_mm + camera_mm - pulses_mm
            self._begin_anew()

    def _begin_anew(self) -> None:
        last = self._compared[-1]
        self._compared.clear()
        self._compared.append(last)


def apart(then: Comparison, now: Comparison) -> float:
    """How far the two have drifted apart between two comparisons, mm."""
    return abs((now.pulses_mm - then.pulses_mm) - (now.camera_mm - then.camera_mm))


def in_words(then: Comparison, now: Comparison, disbelieved: int) -> str:
    """What is wrong with the pulses between two comparisons."""
    pulses_mm, seen_mm = now.pulses_mm - then.pulses_mm, now.camera_mm - then.camera_mm
    noise = f" ({disbelieved} pulses came faster than any belt)" if disbelieved else ""
    if abs(pulses_mm) < SILENT_SHARE * abs(seen_mm):
        return "the encoder is silent while the belt moves: check its cable"
    if abs(seen_mm) < SILENT_SHARE * abs(pulses_mm):
        return f"the encoder counts while the belt stands{noise}: check its cable and its wheel"
    return (
        f"the encoder measured {pulses_mm:.0f} mm while the camera saw {seen_mm:.0f} mm{noise}: "
        "check its wheel, mm_per_pulse and mm_per_px"
    )
