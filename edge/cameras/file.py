"""A video file as a camera: every frame, in the film's own time."""

from pathlib import Path

import cv2

from edge.cameras.camera import Frame
from edge.cameras.opencv import open_video
from edge.clock import Clock
from edge.errors import BadInput


class VideoFile:
    """Frames of a film, each when it is due."""

    def __init__(
        self, path: Path, clock: Clock, size: tuple[int, int] | None = None, fps: float = 30.0
    ) -> None:
        """Open the film.

        Args:
            path: the file.
            clock: time; with a virtual one the film runs as fast as it is read.
            size: (width, height) to scale the frames to, px; None: as they are.
            fps: frames per second of a film that does not say.

        Raises:
            BadInput: there is no such file, or it is no video.
        """
        if not path.is_file():
            raise BadInput(f"{path}: no such video file, folder, URL or camera")
        self._capture = open_video(str(path))
        if self._capture is None:
            raise BadInput(f"{path}: cannot be opened as a video; check the path")
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        self._frame_s = 1 / (stated if 0 < stated < 1000 else fps)
        self._size, self._clock, self._started_at = size, clock, clock.now()
        self._sequence = 0

    def read(self) -> Frame | None:
        """The next frame, or None at the end."""
        found, pixels = self._capture.read() if self._capture is not None else (False, None)
        if not found:
            return None
        due_at = self._started_at + self._sequence * self._frame_s
        self._clock.sleep(max(0.0, due_at - self._clock.now()))
        self._sequence += 1
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        if self._size is not None and pixels.shape[1::-1] != self._size:
            pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        return Frame(pixels, due_at, self._sequence - 1)

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None
