"""Pixels times light, with the same result on every processor."""

import cv2
import numpy as np


def shaded(
    pixels: np.ndarray, light: np.ndarray, scale: float, dst: np.ndarray | None = None
) -> np.ndarray:
    """The product of two uint8 pictures of one shape, times `scale`, rounded: uint8.

    `cv2.multiply` with a scale rounds on x86-64 and cuts off on aarch64, where half of all pixels
    come out one level darker (OpenCV 4.11 and 5.0). The product in 16 bits is exact. NumPy's takes
    an eighth of the time of OpenCV's, which has no fast way from 8 to 16 bits.

    Args:
        pixels: uint8 [h, w, channels].
        light: uint8 of the same shape.
        scale: above 0.
        dst: where to write the result, instead of new memory.
    """
    product = np.multiply(pixels, light, dtype=np.uint16)
    return cv2.convertScaleAbs(product, dst=dst, alpha=scale)
