"""A video file as a camera: every frame, in the film's own time."""

import logging
from pathlib import Path

import cv2

from edge.cameras.camera import Frame
from edge.cameras.device import shown_source
from edge.cameras.opencv import open_film
from edge.cameras.shape import stretched
from edge.clock import Clock
from edge.errors import BadInput

log = logging.getLogger(__name__)

WHOLE = 0.9
"""Share of the pictures that a film says it has; some formats only estimate how many."""

MOST_FRAMES = 1e9
"""A greater count is none: formats without one give the greatest number there is."""


class VideoFile:
    """Frames of a film, each when it is due."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        size: tuple[int, int] | None = None,
        fps: float = 30.0,
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
        self._shown = shown_source(str(path))
        if not path.is_file():
            why = (
                "no regular file" if path.exists() else "no such video file, folder, URL or camera"
            )
            raise BadInput(f"{self._shown}: {why}")
        try:
            self._capture = open_film(path)
        except OSError as error:
            raise BadInput(f"{self._shown}: cannot be opened ({error.strerror})") from None
        if self._capture is None:
            raise BadInput(f"{self._shown}: cannot be opened as a video; check the path")
        stated = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._frames = stated if 0 < stated < MOST_FRAMES else 0
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        self._frame_s = 1 / (stated if 0 < stated < 1000 else fps)
        self._size, self._clock, self._started_at = size, clock, clock.now()
        self._sequence = 0

    def read(self) -> Frame | None:
        """The next frame, or None at the end.

        Raises:
            BadInput: there is none at all.
        """
        if self._capture is None:
            return None
        found, pixels = self._capture.read()
        if not found:
            self._end()
            return None
        if self._sequence == 0 and self._size is not None:
            note = stretched(pixels.shape[1::-1], self._size)
            if note:
                log.warning("%s: %s", self._shown, note)
        due_at = self._started_at + self._sequence * self._frame_s
        self._clock.sleep(max(0.0, due_at - self._clock.now()))
        self._sequence += 1
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        if self._size is not None and pixels.shape[1::-1] != self._size:
            pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        return Frame(pixels, due_at, self._sequence - 1)

    def _end(self) -> None:
        """See whether the film has ended where it should."""
        self.close()
        if not self._sequence:
            raise BadInput(f"{self._shown}: none of its pictures could be read; is it whole?")
        if self._sequence < WHOLE * self._frames:
            log.warning(
                "%s: broke off after %d of %.0f pictures; the file is damaged or not whole",
                self._shown,
                self._sequence,
                self._frames,
            )

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None
