"""Opening a video through OpenCV, quietly and with bounded waits."""

import os
import re
from pathlib import Path
from threading import Lock

# Failures are reported in one line of our own. OpenCV's FFmpeg reads this once, at its first use.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# By default a V4L2 read that gets nothing returns after 10 s.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")

import cv2

TIMEOUT_S = 3.0
STREAM_OPTIONS = (
    # FFmpeg analyzes 5 s of a stream before it gives the first picture, then as old as that.
    "rtsp_transport;tcp|analyzeduration;500000|fflags;nobuffer|flags;low_delay"
    # What comes over the network must not make FFmpeg read files of this machine.
    "|protocol_whitelist;rtsp,rtsps,rtmp,rtmps,rtp,srtp,srt,udp,tcp,tls,http,https,httpproxy,crypto"
)
"""For FFmpeg, by OpenCV's variable; a user's own setting of it counts instead."""
FILE_OPTIONS = "protocol_whitelist;file"
"""Ditto. A file may be a list of other files and addresses; those of the network are not asked."""
_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_OPENING = Lock()
"""Held while the variable is set: each opening has its own options."""


def open_stream(address: str) -> cv2.VideoCapture | None:
    """Open an address; opening and reading give up after `TIMEOUT_S`. None: it does not open."""
    return _opened_by_ffmpeg(address, STREAM_OPTIONS)


def open_film(path: Path) -> cv2.VideoCapture | None:
    """Open a file, whatever its name; None: it does not open.

    FFmpeg takes `concat:a` for a protocol and `a%03d.png` for many files. A path from the root on
    is none of the first; a name with a pattern in it is opened by its file descriptor's name.
    """
    whole = os.path.abspath(path)  # noqa: PTH100 (not resolved: a link may have the better name)
    if re.fullmatch(r"[\w ./,:;=@#&()\[\]+-]*", whole, re.ASCII):
        return _opened_by_ffmpeg(whole, FILE_OPTIONS)
    handle = os.open(whole, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return _opened_by_ffmpeg(f"/dev/fd/{handle}", FILE_OPTIONS)
    finally:
        os.close(handle)


def open_v4l2(camera: int | str) -> cv2.VideoCapture | None:
    """Open a camera by its number or its device file; None: it does not open."""
    _hush()
    try:
        return _if_open(cv2.VideoCapture(camera, cv2.CAP_V4L2))
    except cv2.error:
        return None


def _opened_by_ffmpeg(source: str, options: str) -> cv2.VideoCapture | None:
    _hush()
    timeout_ms = int(TIMEOUT_S * 1000)
    asked = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms]
    asked += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
    # A thread each for decoding costs memory on a small device, and the model wants the cores.
    asked += [cv2.CAP_PROP_N_THREADS, 1]
    with _OPENING:
        given = os.environ.get(_VARIABLE)
        # A process that starts while another one opens something inherits what that one set.
        ours = given in (None, STREAM_OPTIONS, FILE_OPTIONS)
        if ours:
            os.environ[_VARIABLE] = options
        try:
            return _if_open(cv2.VideoCapture(source, cv2.CAP_FFMPEG, asked))
        except cv2.error:
            return None
        finally:
            if ours:
                del os.environ[_VARIABLE]


def _hush() -> None:
    set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    set_log_level(0)


def _if_open(capture: cv2.VideoCapture) -> cv2.VideoCapture | None:
    if capture.isOpened():
        return capture
    capture.release()
    return None
