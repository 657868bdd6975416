"""RTSP and MJPEG over HTTP, through OpenCV's FFmpeg."""

import time

import cv2
import numpy as np

from edge.cameras.device import DeviceSettings, shown_source
from edge.cameras.opencv import open_stream
from edge.errors import BadInput, EwasteError


class StreamDevice:
    """A network camera. Its exposure is set in the camera itself."""

    def __init__(self, settings: DeviceSettings) -> None:
        """Connect.

        Raises:
            BadInput: a setting that cannot be sent to a stream.
            EwasteError: nobody answers with a video within a few seconds.
        """
        shown = shown_source(settings.source)
        fixed = (settings.exposure_us, settings.gain, settings.white_balance, settings.format)
        if settings.lock or any(value is not None for value in fixed):
            raise BadInput(
                f"{shown}: format, exposure, gain, white balance and lock are set in a network "
                "camera itself; remove them from [camera]"
            )
        self._latency_s = settings.latency_s
        capture = open_stream(settings.source)
        if capture is None:
            raise EwasteError(
                f"{shown}: cannot be opened as a video; check address and camera (in a user's name "
                "or password write / as %2F, ? as %3F, # as %23, @ as %40)"
            )
        self._capture = capture

    def read(self) -> tuple[np.ndarray, float] | None:
        """The next picture, uint8 RGB [h, w, 3]; None when the stream broke off or timed out."""
        found, pixels = self._capture.read()
        if not found:
            # A capture whose stream broke off never recovers, though it reports that it is open.
            return None
        taken_at = time.monotonic() - self._latency_s
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), taken_at

    def close(self) -> None:
        """Disconnect."""
        self._capture.release()
