"""Opening a video through OpenCV, quietly and with bounded waits."""

import os

# Failures are told in one line of our own. OpenCV's FFmpeg reads this once, when it is first used.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# By default a V4L2 read that gets nothing returns after 10 s.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")

import cv2

TIMEOUT_S = 3.0


def open_video(source: str | int) -> cv2.VideoCapture | None:
    """Open a file or URL (FFmpeg), or a camera's number or device file (V4L2).

    Opening and reading a URL give up after `TIMEOUT_S`. None: it does not open.
    """
    set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    set_log_level(0)
    timeout_ms = int(TIMEOUT_S * 1000)
    options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms]
    options += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
    # A thread each for decoding costs memory on a small device, and the model wants the cores.
    options += [cv2.CAP_PROP_N_THREADS, 1]
    try:
        if isinstance(source, int) or source.startswith("/dev/video"):
            capture = cv2.VideoCapture(source, cv2.CAP_V4L2)
        else:
            capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, options)
    except cv2.error:
        return None
    if capture.isOpened():
        return capture
    capture.release()
    return None
