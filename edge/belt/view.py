"""The views of an item: crops of it, taken while it travels through the picture."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from edge.belt.geometry import Box

MARGIN = 0.08
"""Belt shown around an item, as a share of its longer side."""
CROP_SIDE = 224
"""Longest side of a recorded crop, px."""
SHARP_SIDE = 128
"""Sharpness is measured on every n-th pixel, so that about so many are left along a side."""
AT_BORDER = 0.7
"""What a view at the picture's border is worth, of one in its middle that is as sharp: lenses draw
worse there, lamps give less light, and a thin part of the item may be cut off."""


@dataclass(frozen=True)
class View:
    """One crop of an item, the classifier's input before resizing.

    Attributes:
        pixels: uint8 RGB [side, side, 3], less where the frame ends.
        captured_at: seconds of the clock the line runs on.
        encoder_mm: where the belt was.
        off_center: distance of the item's center from the picture's middle along the belt, 0 in it
            to 1 at the border.
    """

    pixels: np.ndarray
    captured_at: float
    encoder_mm: float
    off_center: float = 0.0

    @cached_property
    def quality(self) -> float:
        """How sharp and well placed it is; to compare views of one item with."""
        return sharpness(self.pixels) * (1 - (1 - AT_BORDER) * self.off_center**2)


def sharpness(pixels: np.ndarray) -> float:
    """Variance of the Laplacian of uint8 RGB [h, w, 3], in gray levels squared, at least 0.

    Source: Pech-Pacheco, Cristobal, Chamorro-Martinez, Fernandez-Valdivia, "Diatom autofocusing in
    brightfield microscopy", ICPR 2000. Of the green channel alone, which carries most of the
    brightness.
    """
    step = max(1, round(max(pixels.shape[:2]) / SHARP_SIDE))
    green = np.ascontiguousarray(pixels[::step, ::step, 1])
    return float(cv2.meanStdDev(cv2.Laplacian(green, cv2.CV_16S))[1][0, 0] ** 2)


def crop(pixels: np.ndarray, box: Box) -> np.ndarray:
    """Cut a square around `box` out of uint8 RGB [H, W, 3], with some belt around it.

    Returns a copy, smaller than square where the frame ends.
    """
    half = max(box.width, box.height) * (0.5 + MARGIN)
    x, y = box.center
    top, bottom = max(0, round(y - half)), round(y + half)
    left, right = max(0, round(x - half)), round(x + half)
    return pixels[top:bottom, left:right].copy()


def encoded(view: View | None) -> bytes:
    """The view as a JPEG of at most `CROP_SIDE` px; empty when there is none."""
    if view is None:
        return b""
    pixels = view.pixels
    while max(pixels.shape[:2]) >= 2 * CROP_SIDE:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        even = pixels[: 2 * half[1], : 2 * half[0]]  # averaged in pairs, the quickest
        pixels = cv2.resize(even, half, interpolation=cv2.INTER_AREA)
    scale = CROP_SIDE / max(pixels.shape[:2])
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return jpeg.tobytes() if done else b""
