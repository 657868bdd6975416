"""A folder of pictures as a camera: one frame each, in the order of their names."""

import logging
import re
from pathlib import Path

import cv2

from edge.cameras.camera import Frame, NoFrame
from edge.cameras.shape import stretched
from edge.clock import Clock
from edge.errors import BadInput
from edge.photos.reading import PHOTO_SUFFIXES, count_unreadable, read_photo

log = logging.getLogger(__name__)


class PictureFolder:
    """Pictures of the belt, taken `fps` to the second."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        fps: float,
        size: tuple[int, int] | None = None,
    ) -> None:
        """List the pictures.

        Args:
            path: the folder that they lie in, not deeper and not hidden, or a single picture.
            clock: time; with a virtual one they come as fast as they are read.
            fps: pictures per second.
            size: (width, height) to scale them to, px; None: as they are.

        Raises:
            BadInput: there is no picture.
        """
        try:
            found = list(path.iterdir()) if path.is_dir() else [path]
        except OSError as error:
            raise BadInput(f"{path}: cannot be listed ({error.strerror})") from None
        self._paths = sorted(filter(_is_picture, found), key=_by_number)
        if not self._paths:
            raise BadInput(f"{path}: holds no pictures ({', '.join(sorted(PHOTO_SUFFIXES))})")
        self._path, self._clock = path, clock
        self._started_at = clock.now()
        self._frame_s, self._size = 1 / fps, size
        self._sequence = self._unreadable = 0
        self._shape_reported = False

    def read(self) -> Frame | NoFrame | None:
        """The next picture, or None after the last; one that cannot be read is a dropped frame.

        Raises:
            BadInput: not one could be read.
        """
        while self._sequence < len(self._paths):
            sequence, self._sequence = self._sequence, self._sequence + 1
            try:
                pixels = read_photo(self._paths[sequence])
            except BadInput as error:
                self._unreadable += 1
                log.warning("skipped %s", error)
                if self._sequence == len(self._paths) > self._unreadable:
                    return NoFrame(passed=self._sequence)
                continue
            due_at = self._started_at + sequence * self._frame_s
            self._clock.sleep(max(0.0, due_at - self._clock.now()))
            if self._size is not None and pixels.shape[1::-1] != self._size:
                self._report_shape(self._paths[sequence], pixels.shape[1::-1], self._size)
                pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
            return Frame(pixels, due_at, sequence)
        self._end()
        return None

    def _report_shape(self, path: Path, size: tuple[int, int], frame_size: tuple[int, int]) -> None:
        if not self._shape_reported and (note := stretched(size, frame_size)):
            log.warning("%s: %s", path, note)
            self._shape_reported = True

    def _end(self) -> None:
        """Count what could not be read, once."""
        unreadable, self._unreadable = self._unreadable, 0
        if unreadable and unreadable == len(self._paths):
            raise BadInput(f"{self._path}: none of the pictures could be read")
        if unreadable:
            log.warning(count_unreadable(unreadable, len(self._paths)))

    def close(self) -> None:
        """End: no picture is given any more."""
        self._paths, self._unreadable = [], 0


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sorts 2.jpg before 10.jpg."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
