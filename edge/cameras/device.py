"""What a live camera is read through, in the capture process: a device that may block and fail.

A source is a name that a person typed, and is taken for the first of these that it fits:

1. `SCHEME://...` with a scheme of `STREAMS`: an address. Any other scheme is refused, and so are
   FFmpeg's own (`file:`, `concat:`, `pipe:` and the like), which read what they name.
2. What exists: a character device is a V4L2 camera, a folder holds pictures, a file is a video or a
   picture, whatever its name. A file called `0`, `picamera2` or `a%03d.png` is that file.
3. A path in /dev, or a link there: a V4L2 camera, which may be unplugged just now.
4. `picamera2`, `picamera2:NUMBER`, or a number of up to three digits: that camera.
5. Anything else is a path at which there is nothing.
"""

import os
import re
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

import numpy as np

from edge.errors import may_hold_secret

FILM = "film://"
"""Of a film of a simulated belt, for measurements in real time; its folder follows."""
STREAMS = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "rtp", "srt", "udp")
"""The schemes of addresses that FFmpeg may be given."""
HIDDEN = "(address not shown)"
SETTLE_S = 2.0
"""How long automatic exposure and white balance run before they are locked."""


@dataclass(frozen=True)
class DeviceSettings:
    """Which live camera, and what is asked of it.

    Attributes:
        source: `picamera2`, `picamera2:1`, a V4L2 camera's number or device file, or an address.
        width, height: of a frame, px; a frame of another size is a fault.
        fps: frames per second, as far as the camera accepts them.
        format: pixel format asked of the camera; None: what suits it best.
        exposure_us: exposure time, µs; None: automatic.
        gain: analog gain; None: automatic. picamera2 only.
        white_balance: gains of red and blue; None: automatic. picamera2 only.
        lock: keep what automatic exposure and white balance found after `SETTLE_S`.
        latency_s: how old a picture is when it arrives, where the camera does not report it.
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


class Kind(Enum):
    """What a source is."""

    PICAMERA = "a Raspberry Pi camera"
    V4L2 = "a V4L2 camera, by its number or its device file"
    STREAM = "an address"
    FILM = "a film of a simulated belt, shown in real time"
    PATH = "a file or a folder"


def kind_of(source: str) -> Kind:
    """What a source is (see the module); an address of an unknown scheme is a PATH to nothing."""
    if source.startswith(FILM):
        return Kind.FILM
    if _scheme(source) in STREAMS:
        return Kind.STREAM
    try:
        mode = Path(source).stat().st_mode
        return Kind.V4L2 if stat.S_ISCHR(mode) else Kind.PATH
    except (OSError, ValueError):
        pass
    if _in_dev(source):
        return Kind.V4L2
    if source == "picamera2" or source.startswith("picamera2:"):
        return Kind.PICAMERA
    return Kind.V4L2 if re.fullmatch("[0-9]{1,3}", source) else Kind.PATH


def _scheme(source: str) -> str:
    """The scheme of `SCHEME://...`, small; empty: it has none."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", source)
    return found[1].lower() if found else ""


def _in_dev(source: str) -> bool:
    """Whether a path, or what a link there points at, lies in /dev."""
    try:
        paths = os.path.abspath(source), os.path.realpath(source)  # noqa: PTH100
    except (OSError, ValueError):
        return False
    return any(path.startswith("/dev/") and not path.startswith("/dev/shm/") for path in paths)


def is_usb(source: str) -> bool:
    """Whether a source is a V4L2 camera: its number or its device file."""
    return kind_of(source) is Kind.V4L2


def v4l2_name(source: str) -> int | str:
    """A V4L2 camera's number, or the path of its device file."""
    if "/" in source or os.path.lexists(source):
        return os.path.abspath(source)  # noqa: PTH100 (not resolved: by-id links move)
    return int(source)


def is_live(source: str) -> bool:
    """Whether a source is a camera or a stream rather than a file or a folder."""
    return kind_of(source) is not Kind.PATH


def shown_source(source: str) -> str:
    """The source for messages, status, page and records: of an address only where it leads.

    Cameras take passwords and tokens before the host, in the query and in the path, so that of an
    address scheme, host and port are shown. Where a password holds a slash even those cannot be
    separated from it, and the scheme alone is shown. A path is shown as it is, unless nothing is
    there and it looks like an address that was mistyped.
    """
    if source.startswith(FILM):
        return source
    scheme, found, rest = source.partition("://")
    if not found:
        # Such as rtsp:/user:password@host, user:password@host/1 or host/video?password=secret.
        is_path = may_hold_secret(source) and kind_of(source) is Kind.PATH
        return HIDDEN if is_path and not os.path.lexists(source) else source
    if _scheme(source) not in STREAMS:
        return HIDDEN
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    after = rest[len(authority) :]
    host = authority.rpartition("@")[2]
    if "@" in after or not re.fullmatch(r"(\[[\w:.%-]+\]|[\w.-]+)(:[0-9]{1,5})?", host):
        return f"{scheme}://{HIDDEN}"
    return f"{scheme}://{host}"
