"""A folder of pictures as a camera: one frame each, in the order of their names."""

import re
from pathlib import Path

import cv2

from edge.cameras.camera import Frame
from edge.clock import Clock
from edge.errors import BadInput
from edge.photos import PHOTO_SUFFIXES, read_photo


class PictureFolder:
    """Pictures of the belt, taken `fps` to the second."""

    def __init__(
        self, folder: Path, clock: Clock, fps: float, size: tuple[int, int] | None = None
    ) -> None:
        """List the pictures.

        Args:
            folder: that they lie in, not deeper.
            clock: time; with a virtual one they come as fast as they are read.
            fps: pictures per second.
            size: (width, height) to scale them to, px; None: as they are.

        Raises:
            BadInput: there is no picture.
        """
        found = [path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES]
        self._paths = sorted(found, key=_by_number)
        if not self._paths:
            raise BadInput(f"{folder}: holds no pictures ({', '.join(sorted(PHOTO_SUFFIXES))})")
        self._clock, self._started_at = clock, clock.now()
        self._frame_s, self._size = 1 / fps, size
        self._sequence = 0

    def read(self) -> Frame | None:
        """The next picture, or None after the last; one that cannot be read is a dropped frame."""
        while self._sequence < len(self._paths):
            sequence, self._sequence = self._sequence, self._sequence + 1
            try:
                pixels = read_photo(self._paths[sequence])
            except BadInput:
                continue
            due_at = self._started_at + sequence * self._frame_s
            self._clock.sleep(max(0.0, due_at - self._clock.now()))
            if self._size is not None and pixels.shape[1::-1] != self._size:
                pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
            return Frame(pixels, due_at, sequence)
        return None

    def close(self) -> None:
        """End: no picture is given any more."""
        self._paths = []


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sorts 2.jpg before 10.jpg."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
