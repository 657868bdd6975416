"""How bright the sheet is in a picture: its paper, its black, and what is clipped."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.belt_setup.plane import Plane
from edge.belt_setup.sheet import BLANK_MM, COLUMNS, ROWS, Sheet, black_squares

PAPER_MM = 0.8 * BLANK_MM
"""The level of the paper is taken so far outside of the board."""
CLIPPED_HIGH, CLIPPED_LOW = 254, 1
DIM, BRIGHT = 10, 90
"""Percentiles of the paper's level over the sheet."""


@dataclass(frozen=True)
class Light:
    """Levels of a picture, 0 to 255.

    Attributes:
        white: of the paper, the median.
        black: of the black squares, the median.
        clipped: share of the board's pixels with a channel at an end of the scale, 0 to 1.
        evenness: the paper's level where it is dim over that where it is bright, 0 to 1.
    """

    white: float
    black: float
    clipped: float
    evenness: float


def light_on(pixels: np.ndarray, plane: Plane, sheet: Sheet) -> Light:
    """The light on a sheet in uint8 RGB [h, w, 3]; the plane is in board coordinates."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    width, height = sheet.board_mm
    white = _levels(gray, plane.to_px(_paper_points(sheet)))
    middles = (np.array(black_squares(sheet)) + 0.5) * sheet.square_mm
    black = _levels(gray, plane.to_px(middles))
    outline = plane.to_px(np.array([[0, 0], [width, 0], [width, height], [0, height]]))
    inside = np.zeros(gray.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.rint(outline).astype(np.int32), 255)
    board = pixels[inside > 0]
    ends = (board.max(axis=1) >= CLIPPED_HIGH) | (board.min(axis=1) <= CLIPPED_LOW)
    dim, bright = np.percentile(white, (DIM, BRIGHT))
    return Light(
        white=float(np.median(white)),
        black=float(np.median(black)),
        clipped=float(ends.mean()) if len(board) else 0.0,
        evenness=float(dim / max(bright, 1.0)),
    )


def _paper_points(sheet: Sheet) -> np.ndarray:
    """Points of the blank paper to the left, the right, and above the board, [n, 2]."""
    width, height = sheet.board_mm
    across, along = np.linspace(0, height, 2 * ROWS + 1), np.linspace(0, width, 2 * COLUMNS + 1)
    return np.concatenate(
        [
            np.stack([np.full_like(across, -PAPER_MM), across], axis=1),
            np.stack([np.full_like(across, width + PAPER_MM), across], axis=1),
            np.stack([along, np.full_like(along, -PAPER_MM)], axis=1),
        ]
    )


def _levels(gray: np.ndarray, points_px: np.ndarray) -> np.ndarray:
    """The levels at those of the points that are in the picture."""
    columns, rows = np.rint(points_px).astype(int).T
    inside = (columns >= 0) & (rows >= 0) & (columns < gray.shape[1]) & (rows < gray.shape[0])
    return gray[rows[inside], columns[inside]] if inside.any() else np.zeros(1)
