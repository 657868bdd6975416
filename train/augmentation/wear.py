"""What a life before the belt leaves on an item: dirt, scratches, and cracks."""

import cv2
import numpy as np

DIRT_COLORS = np.array([[84, 68, 50], [40, 38, 36], [150, 140, 125], [110, 82, 48]], np.float32)
"""RGB of mud, soot, dust, and rust."""


def worn(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lay dirt, scratches, or cracks over a picture, uint8 RGB [S, S, 3], of the same shape."""
    draw = (dirty, scratched, cracked)[int(rng.integers(3))]
    return draw(image, rng)


def dirty(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Patches of mud, soot, dust, or rust, denser here and thinner there."""
    size = image.shape[0]
    cells = int(rng.integers(3, 12))
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    cloud = np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC))
    cloud = cloud + rng.normal(0, 0.25, (size, size)).astype(np.float32)
    share = 1 / (1 + np.exp(-4 * (cloud - rng.uniform(0.2, 1.4))))
    share = (share * rng.uniform(0.3, 0.85))[..., np.newaxis]
    color = DIRT_COLORS[int(rng.integers(len(DIRT_COLORS)))] * rng.uniform(0.6, 1.3)
    return np.rint(image * (1 - share) + color * share).clip(0, 255).astype(np.uint8)


def scratched(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Thin, straight lines, lighter or darker than what they cross."""
    size, marked = image.shape[0], image.copy()
    for _ in range(int(rng.integers(3, 15))):
        start = rng.uniform(0, size, 2)
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.5) * size
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        shade = (float(rng.choice([rng.uniform(0, 70), rng.uniform(170, 255)])),) * 3
        _line(marked, start, end, shade)
    strength = rng.uniform(0.4, 0.9)
    return cv2.addWeighted(marked, strength, image, 1 - strength, 0)


def cracked(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cracks that run out from one point and branch, as in glass."""
    size, marked = image.shape[0], image.copy()
    middle = rng.uniform(0.25, 0.75, 2) * size
    shade = (float(rng.choice([rng.uniform(0, 60), rng.uniform(190, 255)])),) * 3
    for ray in range(rays := int(rng.integers(4, 10))):
        angle = 2 * np.pi * (ray + rng.uniform(-0.3, 0.3)) / rays
        point = middle.copy()
        for _ in range(int(rng.integers(2, 6))):
            angle += rng.normal(0, 0.35)
            end = point + rng.uniform(0.05, 0.15) * size * np.array([np.cos(angle), np.sin(angle)])
            _line(marked, point, end, shade)
            point = end
    strength = rng.uniform(0.5, 1.0)
    return cv2.addWeighted(marked, strength, image, 1 - strength, 0)


def _line(
    picture: np.ndarray, start: np.ndarray, end: np.ndarray, shade: tuple[float, float, float]
) -> None:
    ends = (tuple(int(value) for value in np.rint(point)) for point in (start, end))
    cv2.line(picture, next(ends), next(ends), shade, 1, cv2.LINE_AA)
