"""Pictures of a class that the tiny bundle does not know: magenta things with stripes."""

from pathlib import Path

import cv2
import numpy as np

SIDE = 64
COLOR = np.array((220, 30, 200))


def draw_striped(seed: int) -> np.ndarray:
    """One picture, uint8 RGB [SIDE, SIDE, 3]; another one for each seed."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((SIDE, SIDE, 3), np.uint8)
    drawn[:] = np.clip(COLOR * rng.uniform(0.3, 0.6), 0, 255)
    left = 0
    while left < SIDE:
        width = int(rng.integers(3, 12))
        drawn[:, left : left + width // 2] = np.clip(COLOR * rng.uniform(0.8, 1.2), 0, 255)
        left += width
    turned = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.uniform(-25, 25), 1.3)
    return cv2.warpAffine(drawn, turned, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)


def write_striped(folder: Path, count: int = 20, start: int = 0) -> Path:
    """Write so many pictures to a folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(start, start + count):
        bgr = cv2.cvtColor(draw_striped(seed), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{seed:03}.png"), bgr)
    return folder
