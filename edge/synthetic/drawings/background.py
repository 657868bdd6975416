"""The backgrounds of drawn items."""

import cv2
import numpy as np


def draw_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a random background: belt, white, black, plain, wood, or clutter.

    Args:
        rng: the source of chance.
        size: width and height, px.

    Returns:
        uint8 RGB [size, size, 3].
    """
    backgrounds = (_belt, _belt, _white, _black, _plain, _wood, _clutter)
    return backgrounds[int(rng.integers(len(backgrounds)))](rng, size)


def _even(size: int, color: np.ndarray) -> np.ndarray:
    return np.full((size, size, 3), np.clip(color, 0, 255), np.uint8)


def _grain(
    rng: np.random.Generator, size: int, cells: tuple[int, int], spread: float
) -> np.ndarray:
    """Smooth noise with `cells` (rows, columns) of detail, float32 [size, size, 1]."""
    noise = rng.normal(0, spread, cells).astype(np.float32)
    return cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)[..., np.newaxis]


def _belt(rng: np.random.Generator, size: int) -> np.ndarray:
    gray = rng.uniform(35, 95)
    color = np.array([gray, gray + rng.uniform(0, 14), gray + rng.uniform(-4, 8)], np.float32)
    background = color + _grain(rng, size, (size // 2, size // 2), 5) + _grain(rng, size, (6, 6), 5)
    picture = np.clip(background, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 8))):
        row, rise = int(rng.integers(size)), int(rng.integers(-12, 12))
        ends = sorted(int(value) for value in rng.integers(0, size, 2))
        shade = tuple(float(value) for value in color + rng.uniform(-20, 30))
        cv2.line(picture, (ends[0], row), (ends[1], row + rise), shade, 1, cv2.LINE_AA)
    return picture


def _white(rng: np.random.Generator, size: int) -> np.ndarray:
    return _even(size, np.full(3, rng.uniform(235, 255)))


def _black(rng: np.random.Generator, size: int) -> np.ndarray:
    return _even(size, np.full(3, rng.uniform(0, 25)))


def _plain(rng: np.random.Generator, size: int) -> np.ndarray:
    return _even(size, rng.uniform(20, 240, 3))


def _wood(rng: np.random.Generator, size: int) -> np.ndarray:
    color = np.array([150, 105, 65]) * rng.uniform(0.6, 1.4) + rng.normal(0, 8, 3)
    planks = _grain(rng, size, (size // 3, 3), 12) + _grain(rng, size, (5, 2), 10)
    return np.clip(color + planks, 0, 255).astype(np.uint8)


def _clutter(rng: np.random.Generator, size: int) -> np.ndarray:
    picture = _even(size, rng.uniform(30, 220, 3))
    for _ in range(int(rng.integers(6, 20))):
        color = tuple(float(value) for value in rng.uniform(0, 255, 3))
        center = tuple(int(value) for value in rng.integers(0, size, 2))
        axes = tuple(int(value) for value in rng.integers(size // 20, size // 3, 2))
        if rng.random() < 0.5:
            cv2.ellipse(picture, center, axes, float(rng.uniform(0, 180)), 0, 360, color, -1)
        else:
            corner = (center[0] + axes[0], center[1] + axes[1])
            cv2.rectangle(picture, center, corner, color, -1)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 4))
