"""Raspberry Pi cameras, through picamera2."""

import re
import time
from typing import Any

import numpy as np

from edge.cameras.device import SETTLE_S, DeviceSettings
from edge.errors import BadInput, EwasteError

WAIT_S = 3.0
"""For one picture. Without a bound, picamera2 waits for ever (its issues 794 and 962)."""
SWAPPED = {"BGR888": False, "RGB888": True}
"""Format -> whether its bytes lie as B, G, R in memory: picamera2 names them the other way round
(its manual, section 4.2.2.2)."""
DEFAULT_FORMAT = "BGR888"
LOCKS = frozenset({"AeEnable", "AwbEnable"})
"""The controls that stop the automatics."""


class PicameraDevice:
    """A camera at the CSI port. After a failure, open a new one."""

    def __init__(self, settings: DeviceSettings) -> None:
        """Open, configure and start the camera.

        Raises:
            BadInput: picamera2 is not installed, it has no such format, or the camera cannot do
                what is configured.
            EwasteError: the camera does not start.
        """
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise BadInput(
                f"{settings.source}: picamera2 is not available ({error}); on a Raspberry Pi: apt "
                "install python3-picamera2, and a venv with --system-site-packages"
            ) from None
        pixel_format = settings.format or DEFAULT_FORMAT
        number = settings.source.partition(":")[2] or "0"
        if pixel_format not in SWAPPED or not re.fullmatch("[0-9]{1,3}", number):
            raise BadInput(
                f"{settings.source}: give picamera2 or picamera2:NUMBER, and as format one of "
                f"{', '.join(SWAPPED)}"
            )
        self._camera: Any = None
        try:
            self._camera = Picamera2(int(number))
            self._offered = set(self._camera.camera_controls)
            controls = self._desired_controls(settings)
            main = {"size": (settings.width, settings.height), "format": pixel_format}
            configuration = self._camera.create_video_configuration(main=main, controls=controls)
            self._camera.configure(configuration)
            # picamera2 takes what is nearest to a format that the camera does not give.
            given = self._camera.stream_configuration("main")["format"]
            if given not in SWAPPED:
                raise BadInput(f"{settings.source}: the camera gives {given} for {pixel_format}")
            self._swapped = SWAPPED[given]
            self._camera.start()
        except BadInput:
            self.close()
            raise
        except (RuntimeError, IndexError, OSError, TimeoutError) as error:
            self.close()
            raise EwasteError(f"{settings.source}: the camera does not start ({error})") from None
        self._lock_at = time.monotonic() + SETTLE_S if settings.lock else None

    def _desired_controls(self, settings: DeviceSettings) -> dict[str, object]:
        """The controls to start with; picamera2 refuses those that a camera does not offer.

        Raises:
            BadInput: the camera cannot do what is configured.
        """
        fixed = fixed_controls(settings)
        lacking = sorted(fixed.keys() - self._offered)
        if settings.lock and not self._offered & LOCKS:
            lacking += sorted(LOCKS)
        if lacking:
            raise BadInput(
                f"{settings.source}: the camera has no {' nor '.join(lacking)}: leave its exposure "
                "and white balance as they are (no lock, no fixed values)"
            )
        # FrameRate is picamera2's own name for it; a camera without keeps its own rate.
        rate = {"FrameRate": settings.fps} if "FrameDurationLimits" in self._offered else {}
        return rate | fixed

    def read(self) -> tuple[np.ndarray, float] | None:
        """The next picture, uint8 RGB [h, w, 3]; None when none came within `WAIT_S`."""
        try:
            request = self._camera.capture_request(wait=WAIT_S)
            try:
                pixels, metadata = request.make_array("main"), request.get_metadata()
            finally:
                request.release()  # gives its memory back to the camera, which may be gone
        except (TimeoutError, RuntimeError):
            return None
        if self._lock_at is not None and time.monotonic() >= self._lock_at:
            self._lock_at = None
            locked = locked_controls(metadata).items()
            self._camera.set_controls({name: to for name, to in locked if name in self._offered})
        return (pixels[..., ::-1] if self._swapped else pixels), taken_at(metadata)

    def close(self) -> None:
        """Stop and release the camera."""
        if self._camera is not None:
            self._camera.close()


def fixed_controls(settings: DeviceSettings) -> dict[str, object]:
    """The libcamera controls for what is configured by hand; empty when all is automatic."""
    controls: dict[str, object] = {}
    if settings.exposure_us is not None:
        controls["ExposureTime"] = settings.exposure_us
    if settings.gain is not None:
        controls["AnalogueGain"] = settings.gain
    if len(controls) == 2:  # one of them alone leaves the other to the automatic
        controls["AeEnable"] = False
    if settings.white_balance is not None:
        controls |= {"AwbEnable": False, "ColourGains": settings.white_balance}
    return controls


def locked_controls(metadata: dict[str, Any]) -> dict[str, object]:
    """The libcamera controls that keep the exposure, gain and colors of a picture."""
    kept = ("ExposureTime", "AnalogueGain", "ColourGains")
    return {
        "AeEnable": False,
        "AwbEnable": False,
        **{name: metadata[name] for name in kept if name in metadata},
    }


def taken_at(metadata: dict[str, Any]) -> float:
    """When a picture's exposure began, as `time.monotonic`.

    libcamera's SensorTimestamp counts nanoseconds since the machine was started, asleep or not.
    """
    now = time.monotonic()
    stamped = metadata.get("SensorTimestamp")
    if stamped is None:
        return now
    return now - max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - float(stamped) / 1e9)
