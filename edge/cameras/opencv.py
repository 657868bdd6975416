"""Video files, USB cameras and network streams, through OpenCV.

A file has its own timing and an end. A live source has neither: a thread of its own keeps only the
newest frame, opens the source again after a failure, and `read` waits for a bounded time.
"""

import os
import threading
from pathlib import Path

import cv2

from edge.cameras.camera import Frame
from edge.clock import Clock
from edge.errors import BadInput, EwasteError

# Failures are told in one line of our own. OpenCV's FFmpeg reads this once, when it is first used.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

TIMEOUT_S = 3.0
LEAST_PAUSE_S, MOST_PAUSE_S = 0.5, 8.0  # between attempts to open a lost source again


class OpenCVCamera:
    """Frames from a path, a URL, /dev/videoN or the index of a USB camera."""

    def __init__(
        self,
        source: str | int,
        clock: Clock,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
    ) -> None:
        """Open the source.

        Args:
            source: a video file, a URL (rtsp, http), "/dev/videoN", or a camera's index.
            clock: time. A file is paced by it: with a virtual clock as fast as it is read.
            width: of the frames, px. Asked of a camera; frames that come in another size are
                scaled. None: as they come.
            height: likewise; only both together count.
            fps: asked of a camera; for a file, used where the file does not say.

        Raises:
            BadInput: the source does not open, or gives no frame.
        """
        self._source = int(source) if isinstance(source, str) and source.isdigit() else source
        self._clock = clock
        self._size = (width, height) if width and height else None
        self._fps = fps
        self._sequence = 0
        self._reader: LiveReader | None = None
        if isinstance(source, str) and not is_live(self._source) and not Path(source).is_file():
            raise BadInput(f"{source}: no such video file, URL or camera")
        self._capture = open_capture(self._source, self._size, fps)
        if self._capture is None:
            raise BadInput(f"{source}: cannot be opened as a video; check the path or the camera")
        if is_live(self._source):
            self._reader = LiveReader(self._source, self._size, fps, clock, self._capture)
            return
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        self._frame_s = 1 / (stated if 0 < stated < 1000 else fps or 30.0)
        self._started_at = clock.now()

    def read(self) -> Frame | None:
        """The next frame, or None at the end of a file.

        A file's frames that the reader is too slow for are left out, as a camera's would be.

        Raises:
            EwasteError: a live source gave no frame for a few seconds. It is being opened again;
                reading on may succeed.
        """
        if self._capture is None:
            return None
        frame = self._read_file() if self._reader is None else self._reader.next_frame()
        if frame is None:
            return None
        pixels = cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2RGB)
        if self._size is not None and pixels.shape[1::-1] != self._size:
            pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        return Frame(pixels, frame.captured_at, frame.sequence)

    def close(self) -> None:
        """Release the source."""
        if self._reader is not None:
            self._reader.close()
        elif self._capture is not None:
            self._capture.release()
        self._capture = None

    def _read_file(self) -> Frame | None:
        """The file's next frame that is not over yet, as BGR."""
        late = int((self._clock.now() - self._started_at) / self._frame_s) - self._sequence
        for _ in range(max(0, late)):
            if not self._capture.grab():
                return None
            self._sequence += 1
        found, pixels = self._capture.read()
        if not found:
            return None
        due_at = self._started_at + self._sequence * self._frame_s
        self._clock.sleep(max(0.0, due_at - self._clock.now()))
        self._sequence += 1
        return Frame(pixels, due_at, self._sequence - 1)


class LiveReader:
    """Reads a live source in a thread of its own and keeps the newest frame, as BGR."""

    def __init__(
        self,
        source: str | int,
        size: tuple[int, int] | None,
        fps: float | None,
        clock: Clock,
        capture: cv2.VideoCapture,
    ) -> None:
        """Start reading from a source that has been opened as `capture`."""
        self._source, self._size, self._fps, self._clock = source, size, fps, clock
        self._capture: cv2.VideoCapture | None = capture
        self._newest: Frame | None = None
        self._arrived = threading.Condition()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def next_frame(self) -> Frame | None:
        """The newest frame not given yet, waiting for it; None when the reader was closed.

        Raises:
            EwasteError: none came in time.
        """
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._newest is not None or self._closed.is_set(), TIMEOUT_S
            )
            frame, self._newest = self._newest, None
        if frame is None and not self._closed.is_set():
            raise EwasteError(f"{self._source}: the camera gives no frames; opening it again")
        return frame

    def close(self) -> None:
        """Stop reading; waits no longer than the source may block."""
        self._closed.set()
        with self._arrived:
            self._arrived.notify_all()
        self._thread.join(2 * TIMEOUT_S)

    def _run(self) -> None:
        sequence, pause_s = 0, LEAST_PAUSE_S
        while not self._closed.is_set():
            found, pixels = self._capture.read() if self._capture is not None else (False, None)
            if found:
                self._give(Frame(pixels, self._clock.now(), sequence))
                sequence, pause_s = sequence + 1, LEAST_PAUSE_S
                continue
            # A capture whose stream broke off never recovers, though it says that it is open.
            if self._capture is not None:
                self._capture.release()
            self._closed.wait(pause_s)
            pause_s = min(MOST_PAUSE_S, 2 * pause_s)
            self._capture = open_capture(self._source, self._size, self._fps)
        if self._capture is not None:
            self._capture.release()

    def _give(self, frame: Frame) -> None:
        with self._arrived:
            self._newest = frame
            self._arrived.notify_all()


def is_live(source: str | int) -> bool:
    """Whether a source is a camera or a stream rather than a file."""
    return isinstance(source, int) or "://" in source or source.startswith("/dev/video")


def open_capture(
    source: str | int, size: tuple[int, int] | None, fps: float | None
) -> cv2.VideoCapture | None:
    """Open a source that gives up after `TIMEOUT_S`; None when it does not open."""
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
            if size is not None:
                capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
                capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
            if fps is not None:
                capture.set(cv2.CAP_PROP_FPS, fps)
        else:
            capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, options)
    except cv2.error:
        return None
    if capture.isOpened():
        return capture
    capture.release()
    return None
