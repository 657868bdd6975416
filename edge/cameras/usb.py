"""USB and other V4L2 cameras, through OpenCV."""

import time

import cv2
import numpy as np

from edge.cameras.device import SETTLE_S, DeviceSettings, v4l2_name
from edge.cameras.opencv import open_v4l2
from edge.errors import BadInput, EwasteError

DEFAULT_FORMAT = "MJPG"
"""Uncompressed, 1280x720 does not fit through USB 2 at 30 frames per second."""
MANUAL_EXPOSURE = 1  # V4L2_EXPOSURE_MANUAL, <linux/v4l2-controls.h>
EXPOSURE_UNIT_US = 100  # of V4L2_CID_EXPOSURE_ABSOLUTE, <linux/v4l2-controls.h>


class UsbDevice:
    """A camera at /dev/videoN, whatever its name."""

    def __init__(self, settings: DeviceSettings) -> None:
        """Open the camera and ask for the size, rate and format.

        Raises:
            BadInput: a setting that V4L2 does not have, or a format that is no FOURCC.
            EwasteError: it does not open.
        """
        source, code = settings.source, settings.format or DEFAULT_FORMAT
        if settings.gain is not None or settings.white_balance is not None:
            raise BadInput(f"{source}: a USB camera has no gain and white_balance; use lock")
        if len(code) != 4:
            raise BadInput(f"{source}: format {code!r} is no code of four letters such as MJPG")
        capture = open_v4l2(v4l2_name(source))
        if capture is None:
            raise EwasteError(
                f"{source}: cannot be opened as a video; check the path or the camera"
            )
        self._capture, self._latency_s = capture, settings.latency_s
        # The format first: which sizes and rates there are depends on it.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*code))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
        capture.set(cv2.CAP_PROP_FPS, settings.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        if settings.exposure_us is not None:
            self._fix_exposure(settings.exposure_us / EXPOSURE_UNIT_US)
        self._lock_at = time.monotonic() + SETTLE_S if settings.lock else None

    def read(self) -> tuple[np.ndarray, float] | None:
        """The next picture, uint8 RGB [h, w, 3]; None when the camera gives none."""
        found, pixels = self._capture.read()
        if not found:
            return None
        now = time.monotonic()
        if self._lock_at is not None and now >= self._lock_at:
            self._lock()
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), now - self._latency_s

    def close(self) -> None:
        """Release the camera."""
        self._capture.release()

    def _lock(self) -> None:
        """Keep the exposure and white balance that the camera has found."""
        self._lock_at = None
        self._fix_exposure(self._capture.get(cv2.CAP_PROP_EXPOSURE))
        temperature = self._capture.get(cv2.CAP_PROP_WB_TEMPERATURE)
        self._capture.set(cv2.CAP_PROP_AUTO_WB, 0)
        self._capture.set(cv2.CAP_PROP_WB_TEMPERATURE, temperature)

    def _fix_exposure(self, units: float) -> None:
        self._capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL_EXPOSURE)
        self._capture.set(cv2.CAP_PROP_EXPOSURE, units)
