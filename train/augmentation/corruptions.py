"""What a bad camera or a bad moment makes of a picture, in five severities each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

SEVERITIES = 5


@dataclass(frozen=True)
class Corruption:
    """One way to corrupt a picture.

    Attributes:
        constants: its constant at each of the five severities, mildest first.
        meaning: what the constant is, in words.
        apply: (uint8 RGB [S, S, 3], constant, generator) -> uint8 RGB [S, S, 3].
    """

    constants: tuple[float, float, float, float, float]
    meaning: str
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def corrupt(pixels: np.ndarray, kind: str, severity: int, seed: int) -> np.ndarray:
    """Corrupt uint8 RGB [S, S, 3] by one of `CORRUPTIONS`, `severity` 1 to 5; the same each
    time.
    """
    corruption = CORRUPTIONS[kind]
    rng = np.random.default_rng((seed, tuple(CORRUPTIONS).index(kind), severity))
    return corruption.apply(pixels, corruption.constants[severity - 1], rng)


def _noise(pixels: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return _bytes(pixels + rng.normal(0, 255 * level, pixels.shape))


def _blur(pixels: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(pixels, (0, 0), level * pixels.shape[0] / 224)


def _darker(pixels: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return _bytes(pixels * level)


def _brighter(pixels: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    return _bytes(pixels + 255 * level)


def _jpeg(pixels: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(level)]
    packed = cv2.imencode(".jpg", pixels[..., ::-1], quality)[1]
    decoded = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded[..., ::-1])


def _occlusion(pixels: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    size = pixels.shape[0]
    aspect = rng.uniform(0.6, 1.6)
    half = np.sqrt(level * np.array([aspect, 1 / aspect])) * size / 2
    center = rng.uniform(0.3, 0.7, 2) * size
    top, left = np.maximum(np.rint(center - half), 0).astype(int)
    bottom, right = np.rint(center + half).astype(int)
    corrupted = pixels.copy()
    corrupted[top:bottom, left:right] = 96
    return corrupted


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


CORRUPTIONS: Mapping[str, Corruption] = {
    "noise": Corruption(
        (0.08, 0.12, 0.18, 0.26, 0.38), "deviation of the noise, share of full scale", _noise
    ),
    "blur": Corruption((1, 2, 3, 4, 6), "radius of the blur, px of 224", _blur),
    "darker": Corruption((0.7, 0.5, 0.35, 0.25, 0.15), "share of the light that is left", _darker),
    "brighter": Corruption(
        (0.1, 0.2, 0.3, 0.4, 0.5), "added light, share of full scale", _brighter
    ),
    "jpeg": Corruption((25, 18, 15, 10, 7), "JPEG quality", _jpeg),
    "occlusion": Corruption(
        (0.05, 0.1, 0.2, 0.3, 0.4), "share of the picture behind a gray rectangle", _occlusion
    ),
}
"""Noise, blur, brighter and JPEG have the constants of ImageNet-C (Hendrycks, Dietterich,
"Benchmarking neural network robustness to common corruptions and perturbations", ICLR 2019);
darker and occlusion, which it lacks, are ours."""
