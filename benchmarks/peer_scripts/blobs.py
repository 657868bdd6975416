"""What moves before a background that OpenCV learns, for the peers that count.

Follows docs.opencv.org, tutorial "Background Subtraction": MOG2 with its defaults, whose shadows
are left out; morphology and a smallest area as usual. The sizes were chosen on the steady belt
`even-30`, so that the peers count well there.
"""

import cv2
import numpy as np

SHRINK = 2
"""Pictures are used at half of their size, which halves noise and saves three quarters of time."""
OPENING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
CLOSING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
SMALLEST_PX = 150
SHADOW = 127
"""What MOG2 marks shadows with; 255 is foreground."""


class Blobs:
    """Finds what moves, frame by frame."""

    def __init__(self) -> None:
        """Begin without a background."""
        self._subtractor = cv2.createBackgroundSubtractorMOG2()

    def find(self, pixels: np.ndarray) -> list[tuple[int, int, int, int]]:
        """Boxes around what moves in uint8 RGB [H, W, 3]: left, top, right, bottom, px."""
        small = cv2.resize(pixels, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA)
        mask = self._subtractor.apply(small)
        _, mask = cv2.threshold(mask, SHADOW, 255, cv2.THRESH_BINARY)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, OPENING)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, CLOSING)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = []
        for outline in outlines:
            if cv2.contourArea(outline) >= SMALLEST_PX:
                left, top, width, height = cv2.boundingRect(outline)
                box = (left, top, left + width, top + height)
                boxes.append(tuple(SHRINK * side for side in box))
        return boxes
