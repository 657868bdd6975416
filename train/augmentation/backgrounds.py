"""Backgrounds to lay cut-out items on, each uint8 RGB [S, S, 3]."""

from functools import lru_cache

import cv2
import numpy as np

from edge.synthetic.drawings.rubber import draw_rubber
from edge.synthetic.segmentation import fit_background

STRIP_PX, STRIP_HEIGHT_PX, STRIP_VIEW_PX = 2000, 720, 1280
"""The belt that pieces of belt are cut from: its loop, its width, and the repeated part, px."""

INPAINTED_PX = 64
"""Side at which the place of an item is painted over."""

MOST_DONOR_AREA = 0.5
"""A photo lends its background only if its item covers no more of it."""


def white(rng: np.random.Generator, size: int) -> np.ndarray:
    """An even background as in a shop's pictures."""
    return np.full((size, size, 3), rng.integers(245, 256), np.uint8)


def black(rng: np.random.Generator, size: int) -> np.ndarray:
    """An even, nearly black background."""
    return np.full((size, size, 3), rng.integers(0, 20), np.uint8)


def gray(rng: np.random.Generator, size: int) -> np.ndarray:
    """An even gray background, as of a studio or a sheet of metal, brighter on one side."""
    return _sloped(rng, np.full(3, rng.uniform(60, 235)) + rng.uniform(-6, 6, 3), size)


def brown(rng: np.random.Generator, size: int) -> np.ndarray:
    """Cardboard, wood, or earth: brown, with some texture."""
    color = np.array([150, 110, 75]) * rng.uniform(0.4, 1.45) + rng.normal(0, 8, 3)
    return _roughened(rng, _sloped(rng, color, size))


def textured(rng: np.random.Generator, size: int) -> np.ndarray:
    """Concrete, carpet, or fabric: any muted color with coarse and fine texture."""
    color = np.full(3, rng.uniform(30, 220)) + rng.normal(0, 18, 3)
    return _roughened(rng, _sloped(rng, color, size))


def _sloped(rng: np.random.Generator, color: np.ndarray, size: int) -> np.ndarray:
    """An even color, brighter on one side: uint8 RGB [size, size, 3]."""
    slope = np.linspace(-1, 1, size, dtype=np.float32)[..., np.newaxis]
    shade = slope[:, np.newaxis] * rng.uniform(-30, 30) + slope * rng.uniform(-30, 30)
    return (color.astype(np.float32) + shade).clip(0, 255).astype(np.uint8)


def _roughened(rng: np.random.Generator, background: np.ndarray) -> np.ndarray:
    """Noise of two sizes on a background; a long grain now and then."""
    size = background.shape[0]
    coarse = int(rng.integers(8, 40))
    cells = (coarse, max(2, coarse // int(rng.choice([1, 1, 6]))))
    cloud = cv2.resize(
        rng.normal(0, rng.uniform(4, 16), cells).astype(np.float32),
        (size, size),
        interpolation=cv2.INTER_CUBIC,
    )
    cloud += rng.normal(0, rng.uniform(2, 14), (size, size)).astype(np.float32)
    rough = background + cloud[..., np.newaxis]
    return np.rot90(rough.clip(0, 255).astype(np.uint8), int(rng.integers(4)))


def belt(rng: np.random.Generator, size: int) -> np.ndarray:
    """A piece of the simulated belt's rubber, lit more or less, any way round."""
    strip = _strip()
    side = int(rng.integers(200, 420))
    top, left = (int(rng.integers(length - side)) for length in strip.shape[:2])
    piece = np.rot90(strip[top : top + side, left : left + side], int(rng.integers(4)))
    piece = cv2.resize(np.ascontiguousarray(piece), (size, size), interpolation=cv2.INTER_AREA)
    lit = piece * rng.uniform(0.6, 1.4) + rng.normal(0, 2.5, (size, size, 1))
    return lit.clip(0, 255).astype(np.uint8)


def tinted(rng: np.random.Generator, size: int) -> np.ndarray:
    """An even background of any color, half of them unevenly lit, with some noise."""
    background = np.empty((size, size, 3), np.float32)
    background[:] = rng.uniform(0, 255, 3)
    if rng.random() < 0.5:
        slope = np.linspace(-1, 1, size, dtype=np.float32)[..., np.newaxis]
        background += slope[:, np.newaxis] * rng.uniform(-40, 40) + slope * rng.uniform(-40, 40)
    background += rng.normal(0, rng.uniform(0, 8), background.shape)
    return background.clip(0, 255).astype(np.uint8)


def lends(pixels: np.ndarray, mask: np.ndarray) -> bool:
    """Whether a photo's background is worth laying others on: its item is small, its background not
    plain.

    Args:
        pixels: uint8 RGB [H, W, 3].
        mask: its item, uint8 [H, W], 0 or 255.
    """
    roomy = (mask > 0).mean() <= MOST_DONOR_AREA
    return bool(roomy) and not fit_background(pixels).plain


def emptied(pixels: np.ndarray, mask: np.ndarray, size: int) -> np.ndarray:
    """The background of a photo, uint8 RGB [H, W, 3], its item (`mask`, uint8 [H, W]) painted over.

    What is painted is the blurred continuation of the background around it (Telea, "An image
    inpainting technique based on the fast marching method", 2004), at a small size.
    """
    photo = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    wide = max(3, round(0.05 * max(mask.shape)))
    hole = cv2.dilate(mask, np.ones((2 * wide + 1, 2 * wide + 1), np.uint8))
    small = (INPAINTED_PX, INPAINTED_PX)
    coarse_hole = cv2.resize(hole, small, interpolation=cv2.INTER_AREA)
    coarse_hole = np.where(coarse_hole > 0, np.uint8(255), np.uint8(0))
    coarse = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    painted = cv2.inpaint(coarse, coarse_hole, 5, cv2.INPAINT_TELEA)
    painted = cv2.resize(painted, (size, size), interpolation=cv2.INTER_CUBIC)
    share = cv2.resize(hole, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    soft = cv2.GaussianBlur(share, (0, 0), size / 60)[..., np.newaxis] / 255
    return np.rint(photo * (1 - soft) + painted * soft).astype(np.uint8)


@lru_cache(maxsize=1)
def _strip() -> np.ndarray:
    rng = np.random.default_rng(0)
    return draw_rubber(STRIP_PX, height=STRIP_HEIGHT_PX, width=STRIP_VIEW_PX, rng=rng)
