"""What every camera is: a source of frames that never blocks for long."""

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


@dataclass(frozen=True)
class NoFrame:
    """No image came within the short time that a live camera waits for one.

    Attributes:
        fault: what is wrong, in words; empty while the next frame is merely late.
        passed: how many frames, read or not, the source has had so far, where it knows that the
            last ones could not be read; 0: nothing is known of any.
    """

    fault: str = ""
    passed: int = 0


class Camera(Protocol):
    """A source of frames."""

    def read(self) -> Frame | NoFrame | None:
        """The next frame (of a live camera the newest), or None when the source has ended.

        Raises:
            CameraLost: a live camera did not come back; the program should end.
            BadInput: a file or folder has ended, and not one frame of it could be read.
        """

    def close(self) -> None:
        """Release the device; safe to call twice."""
