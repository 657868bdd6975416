"""Whether a live camera's pictures can be relied on: their size, light and life."""

import math
import zlib
from dataclasses import dataclass

import numpy as np

STEP = 8
"""The distance of the rows and columns that are checked."""
BLACK_LEVEL = 16  # of 255: black in limited-range video (ITU-R BT.601)
BLACK_SHARE = 0.995  # so much of the picture is black; a hot pixel or a lamp is no light


@dataclass(frozen=True)
class Fault:
    """What is wrong with a camera.

    Attributes:
        reason: in words, with what to do.
        reopen: opening the camera again may help; darkness would be the same.
        frozen_picture: checksum of the picture that does not change; None: it is something else.
    """

    reason: str
    reopen: bool = True
    frozen_picture: int | None = None


class PictureCheck:
    """Judges one picture after the other."""

    def __init__(
        self, width: int, height: int, frozen_s: float, frozen_picture: int | None = None
    ) -> None:
        """Set up.

        Args:
            width: that the pictures should have, px.
            height: of the pictures, px.
            frozen_s: two alike are fine for so long, s; 0: for ever.
            frozen_picture: checksum of the picture that froze an earlier process; while it is the
                same, the camera is still frozen.
        """
        self._width, self._height, self._frozen_s = width, height, frozen_s
        self._last = frozen_picture
        self._changed_at = -math.inf

    def fault(self, pixels: np.ndarray, now: float) -> Fault | None:
        """What is wrong with uint8 RGB [h, w, 3] that came at `now` (seconds); None: nothing."""
        height, width = pixels.shape[:2]
        if (width, height) != (self._width, self._height):
            reason = (
                f"the camera gives {width}x{height} px instead of {self._width}x{self._height}; "
                "set width and height in [camera] to what it gives"
            )
            return Fault(reason)
        some = np.ascontiguousarray(pixels[::STEP, ::STEP])
        checksum = zlib.crc32(some.tobytes())
        if checksum != self._last:
            self._last, self._changed_at = checksum, now
        if np.mean(some.max(axis=2) <= BLACK_LEVEL) >= BLACK_SHARE:
            return Fault("the picture is black; check the light and the lens cap", reopen=False)
        if self._frozen_s and now - self._changed_at >= self._frozen_s:
            reason = f"the picture is frozen: not one point changed in {self._frozen_s:g} s"
            return Fault(reason, frozen_picture=checksum)
        return None
