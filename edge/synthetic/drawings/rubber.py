"""The rubber of the simulated belt."""

import cv2
import numpy as np

BELT_COLOR = (76, 86, 78)
"""RGB of dark gray-green rubber."""


def draw_rubber(loop_px: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a loop of belt that closes without a seam.

    Args:
        loop_px: the length of the loop, px.
        height: the belt's width in the view, px.
        width: the width of the view, px.
        rng: the source of its grain, scratches, and stains.

    Returns:
        uint8 RGB [height, loop_px + width, 3]; the first `width` columns are repeated at the end,
        so that any view is one slice.
    """

    def grain(cell_px: int, depth: float) -> np.ndarray:
        cells = rng.normal(0, depth, (-(-height // cell_px) + 1, loop_px // cell_px))
        cells = np.hstack([cells, cells[:, :1]]).astype(np.float32)
        return cv2.resize(cells, (loop_px, height), interpolation=cv2.INTER_CUBIC)

    gray = grain(96, 1.5) + grain(12, 1.2) + grain(2, 2.5)
    gray += 1.5 * np.sin(np.arange(height, dtype=np.float32) * 0.9)[:, np.newaxis]  # the weave
    marks = np.zeros((height, loop_px), np.float32)
    for _ in range(loop_px // 60):  # scratches run along the belt, more or less
        x, y = int(rng.integers(40, loop_px - 260)), int(rng.integers(height))
        end = (int(x + rng.integers(30, 220)), int(y + rng.integers(-12, 12)))
        cv2.line(marks, (x, y), end, float(rng.uniform(-12, 16)), 1, cv2.LINE_AA)
    for _ in range(loop_px // 250):  # stains
        x, y = int(rng.integers(80, loop_px - 80)), int(rng.integers(height))
        axes = (int(rng.integers(8, 60)), int(rng.integers(6, 40)))
        angle = float(rng.integers(180))
        cv2.ellipse(marks, (x, y), axes, angle, 0, 360, float(rng.uniform(-7, 2)), -1, cv2.LINE_AA)
    gray += cv2.GaussianBlur(marks, (0, 0), 1.2)
    shade = (gray[..., np.newaxis] + np.array(BELT_COLOR, np.float32)).clip(0, 255)
    return np.hstack([shade, shade[:, :width]]).astype(np.uint8)
