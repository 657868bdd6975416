"""The views of an item: crops of it, taken while it travels through the picture."""

from dataclasses import dataclass

import numpy as np

from edge.belt.geometry import Box

MARGIN = 0.08
"""Belt shown around an item, as a share of its longer side."""


@dataclass(frozen=True)
class View:
    """One crop of an item, the classifier's input before resizing.

    Attributes:
        pixels: uint8 RGB [side, side, 3], less where the frame ends.
        captured_at: seconds of the clock the line runs on.
        encoder_mm: where the belt was.
    """

    pixels: np.ndarray
    captured_at: float
    encoder_mm: float


def crop(pixels: np.ndarray, box: Box) -> np.ndarray:
    """Cut a square around `box` out of uint8 RGB [H, W, 3], with some belt around it.

    Returns a copy, smaller than square where the frame ends.
    """
    half = max(box.width, box.height) * (0.5 + MARGIN)
    x, y = box.center
    top, bottom = max(0, round(y - half)), round(y + half)
    left, right = max(0, round(x - half)), round(x + half)
    return pixels[top:bottom, left:right].copy()
