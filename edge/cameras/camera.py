"""What every camera is: a source of frames that never blocks for ever."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Frame:
    """One camera image.

    Attributes:
        pixels: uint8 RGB [height, width, 3].
        captured_at: monotonic seconds of the clock the camera was given.
        sequence: counts up by one per captured frame, from 0; a gap means dropped frames.
    """

    pixels: np.ndarray
    captured_at: float
    sequence: int


class Camera(Protocol):
    """A source of frames."""

    def read(self) -> Frame | None:
        """The next frame, or None when the source has ended.

        Raises:
            EwasteError: the camera failed.
        """

    def close(self) -> None:
        """Release the device; safe to call twice."""
