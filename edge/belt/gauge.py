"""How the empty belt looks: its level, its texture, and what does not move on with it.

It works on the reduced frame that the detector has made anyway, once a second at most, and costs
well under a millisecond then.
"""

import cv2
import numpy as np

from edge.status import BeltLook

EVERY_S = 1.0
FREE_SHARE = 0.2
"""At least so much of the view must be empty belt, or the frame tells nothing."""
NEAR_CELLS = 9
"""What lies nearer to an item than half of this is left out: its shadow and its soft edge."""
AROUND_CELLS = 15
"""A cell is compared with the mean of so many cells around it, of a picture halved once more."""
MOVED_MM = 20.0
"""The belt must have moved so far for another look at what does not move with it."""
WEIGHT = 1 / 30
"""Weight of one look in what stays in its place; the belt's texture averages out."""
LOOKS_NEEDED = 30
SPOT = 0.08
"""A cell is a spot if it stays darker or brighter than what is around it by this share."""


class PictureGauge:
    """Measures the empty belt in one view.

    Attributes:
        look: the last figures; None: the belt was not seen for long enough.
    """

    def __init__(self) -> None:
        """Begin without figures."""
        self.look: BeltLook | None = None
        self._near = np.ones((NEAR_CELLS, NEAR_CELLS), np.uint8)
        self._stays: np.ndarray | None = None
        self._looks: np.ndarray | None = None
        self._at_mm = -np.inf
        self._due_at = -np.inf

    def see(self, small: np.ndarray, foreground: np.ndarray, belt_mm: float, now: float) -> None:
        """Take in a frame when it is time to.

        Args:
            small: the reduced frame, uint8 [h, w, 3].
            foreground: what of it is not belt, uint8 [h, w], 0 or 1.
            belt_mm: where the belt is.
            now: when the frame was captured, s.
        """
        if now < self._due_at:
            return
        self._due_at = now + EVERY_S
        size = (small.shape[1] // 2, small.shape[0] // 2)
        taken = cv2.resize(cv2.dilate(foreground, self._near), size, interpolation=cv2.INTER_AREA)
        free = cv2.compare(taken, 0, cv2.CMP_EQ)  # type: ignore[call-overload]
        if cv2.countNonZero(free) < FREE_SHARE * free.size:
            return
        half = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
        red, green, blue = cv2.mean(half, mask=free)[:3]
        off = _off_surroundings(half, free)
        spots = self._follow(off, free, belt_mm)
        assert self._stays is not None  # made by the line before
        contrast = cv2.mean(cv2.absdiff(off, self._stays), mask=free)[0]
        if spots is not None:
            self.look = BeltLook(red=red, green=green, blue=blue, contrast=contrast, spots=spots)

    def _follow(self, off: np.ndarray, free: np.ndarray, belt_mm: float) -> float | None:
        """Follow what stays in its place; the share of spots, or None as long as it is not known.

        While the belt stands, nothing tells dirt from belt.
        """
        if self._stays is None or self._looks is None or self._stays.shape != off.shape:
            self._stays, self._looks = np.zeros_like(off), np.zeros(off.shape, np.float32)
        if abs(belt_mm - self._at_mm) >= MOVED_MM:
            self._at_mm = belt_mm
            cv2.add(self._looks, 1.0, self._looks, mask=free)  # type: ignore[call-overload]
            # The first looks count alike, as in a mean.
            weight = cv2.max(1 / cv2.max(self._looks, 1.0), WEIGHT)  # type: ignore[call-overload]
            moved = self._stays + weight * (off - self._stays)
            cv2.copyTo(moved, free, self._stays)
        known = self._looks >= LOOKS_NEEDED
        count = int(np.count_nonzero(known))
        if count < FREE_SHARE * known.size:
            return None
        return float(np.count_nonzero(known & (np.abs(self._stays) > SPOT))) / count


def _off_surroundings(half: np.ndarray, free: np.ndarray) -> np.ndarray:
    """By what share each cell differs from the empty belt around it, float32 [h, w].

    Light that varies smoothly drops out, and so do items: they are no part of the surroundings.
    """
    weight = free.astype(np.float32) / 255
    gray = cv2.cvtColor(half, cv2.COLOR_RGB2GRAY).astype(np.float32) * weight
    around = (AROUND_CELLS, AROUND_CELLS)
    share = cv2.max(cv2.blur(weight, around), 1e-3)  # type: ignore[call-overload]
    mean = cv2.max(cv2.blur(gray, around) / share, 1.0)  # type: ignore[call-overload]
    return np.asarray((gray / mean - 1) * weight, np.float32)
