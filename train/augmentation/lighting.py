"""The light over a belt: from one side, in bands of shadow, too much of it, or too little."""

import cv2
import numpy as np


def lit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light a picture, uint8 RGB [S, S, 3], unevenly, too strongly, or too weakly."""
    light = (_from_one_side, _shaded, _overexposed, _underexposed)[int(rng.integers(4))]
    return light(image.astype(np.float32), rng).clip(0, 255).astype(np.uint8)


def _from_one_side(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A gradient of brightness across the picture."""
    size = image.shape[0]
    angle, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.6)
    y, x = np.mgrid[-0.5 : 0.5 : size * 1j, -0.5 : 0.5 : size * 1j]
    gain = 1 + fall * (np.cos(angle) * x + np.sin(angle) * y)
    return image * gain[..., np.newaxis].astype(np.float32)


def _shaded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The shadow of a frame or a person: one side of a soft, straight edge is darker."""
    size = image.shape[0]
    angle, place = rng.uniform(0, 2 * np.pi), rng.uniform(-0.35, 0.35)
    y, x = np.mgrid[-0.5 : 0.5 : size * 1j, -0.5 : 0.5 : size * 1j]
    depth = (np.cos(angle) * x + np.sin(angle) * y - place) / rng.uniform(0.01, 0.12)
    share = 1 / (1 + np.exp(-np.clip(depth, -30, 30)))
    return image * (1 - rng.uniform(0.25, 0.6) * share)[..., np.newaxis].astype(np.float32)


def _overexposed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bright places burn out, as under a lamp."""
    bright = image * rng.uniform(1.3, 1.9)
    bloom = cv2.GaussianBlur(np.maximum(bright - 255, 0), (0, 0), image.shape[0] / 40)
    return bright + bloom


def _underexposed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dark, with the noise of a camera that amplifies what little light there is."""
    return image * rng.uniform(0.3, 0.65) + rng.normal(0, rng.uniform(1, 8), image.shape)
