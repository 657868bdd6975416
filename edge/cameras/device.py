"""What a live camera is read through, in the capture process: a device that may block and fail."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

FILM = "film://"
"""Of a film of a simulated belt, for measurements in real time; its folder follows."""
SETTLE_S = 2.0
"""How long automatic exposure and white balance run before they are locked."""


@dataclass(frozen=True)
class DeviceSettings:
    """Which live camera, and what is asked of it.

    Attributes:
        source: `picamera2`, `picamera2:1`, a USB camera's number or /dev/videoN, or a URL.
        width, height: of a frame, px; a frame of another size is a fault.
        fps: frames per second, as far as the camera lets itself be told.
        format: pixel format asked of the camera; None: what suits it best.
        exposure_us: exposure time, µs; None: automatic.
        gain: analogue gain; None: automatic. picamera2 only.
        white_balance: gains of red and blue; None: automatic. picamera2 only.
        lock: keep what automatic exposure and white balance found after `SETTLE_S`.
        latency_s: how old a picture is when it arrives, where the camera does not tell.
        frozen_s: identical pictures for so long mean a frozen camera, s; 0: not checked.
        frozen_picture: checksum of the picture that the camera froze at before; None: it did not.
    """

    source: str
    width: int
    height: int
    fps: float = 30.0
    format: str | None = None
    exposure_us: int | None = None
    gain: float | None = None
    white_balance: tuple[float, float] | None = None
    lock: bool = False
    latency_s: float = 0.0
    frozen_s: float = 0.0
    frozen_picture: int | None = None


class Device(Protocol):
    """An open camera."""

    def read(self) -> tuple[np.ndarray, float] | None:
        """Wait for the next picture: uint8 RGB [h, w, 3] and the `time.monotonic` it was taken at.

        None: the camera gives no more; it has to be opened again.
        """

    def close(self) -> None:
        """Release the camera."""


def is_picamera(source: str) -> bool:
    """Whether a source is a Raspberry Pi camera: `picamera2` or `picamera2:NUMBER`."""
    return source == "picamera2" or source.startswith("picamera2:")


def is_usb(source: str) -> bool:
    """Whether a source is a V4L2 camera: its number or its device file."""
    return source.isdigit() or source.startswith("/dev/video")


def is_live(source: str) -> bool:
    """Whether a source is a camera or a stream rather than a file or a folder."""
    return is_picamera(source) or is_usb(source) or "://" in source


def shown_source(source: str) -> str:
    """The source for messages: without the user and password that a URL may hold."""
    scheme, found, rest = source.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{found}{authority.rpartition('@')[2]}{slash}{path}" if found else source


def open_device(settings: DeviceSettings) -> Device:
    """Open a live camera, waiting as long as that takes.

    Raises:
        EwasteError: it does not open.
        BadInput: it cannot do what is asked of it, or its driver is not installed.
    """
    if is_picamera(settings.source):
        from edge.cameras.picamera import PicameraDevice

        return PicameraDevice(settings)
    if is_usb(settings.source):
        from edge.cameras.usb import UsbDevice

        return UsbDevice(settings)
    if settings.source.startswith(FILM):
        from edge.simulator.film import FilmDevice

        return FilmDevice(settings.source)
    from edge.cameras.stream import StreamDevice

    return StreamDevice(settings)
