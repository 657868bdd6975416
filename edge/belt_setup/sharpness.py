"""How wide the edges of the sheet are in a picture: what the lens and the motion of the belt do.

The measure is the distance from 10 to 90 % of the step from black to white (as ISO 12233 has it for
edges), where the black squares at the border of the board meet the blank paper.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from edge.belt_setup.plane import Plane
from edge.belt_setup.sheet import BLANK_MM, COLUMNS, ROWS, Sheet, black_squares

REACH_MM = BLANK_MM
"""Sampled to both sides of an edge."""
SAMPLES = 89
ALONG_EDGE = np.linspace(0.25, 0.75, 15)
"""Where on an edge, in squares, its profile is taken; the mean of these is free of noise."""
LOW, HIGH = 0.1, 0.9
BOX_RISE = 0.8
"""The 10-90 % width of an edge that is smeared evenly over 1."""
LEAST_STEP = 20.0
"""Gray levels from black to white; under less there is no edge to measure."""


@dataclass(frozen=True)
class EdgeWidths:
    """Widths of edges, px, medians over the sheet; NaN: there was none to measure.

    Attributes:
        arrow: of the edges that lie across the sheet's arrow: their width is along it.
        cross: of the edges along the arrow.
    """

    arrow: float
    cross: float


def edge_widths(gray: np.ndarray, plane: Plane, sheet: Sheet) -> EdgeWidths:
    """The widths in a picture, uint8 [h, w]; the plane is in board coordinates."""
    widths: dict[bool, list[float]] = {True: [], False: []}
    for is_upright, points_mm in _border_edges(sheet):
        width = _width(gray, plane, points_mm)
        if width is not None:
            widths[is_upright].append(width)
    arrow, cross = (float(np.median(found)) if found else math.nan for found in widths.values())
    return EdgeWidths(arrow, cross)


def smeared_px(along: float, across: float) -> float:
    """How far the belt moves while a picture is exposed, px, from the widths of the edges.

    Variances of blurs add up: the width of an edge along the belt is that of an edge across it and
    that of an even smear, 0.8 of its length.
    """
    more = along**2 - across**2  # NaN stays NaN
    return math.sqrt(0.0 if more < 0 else more) / BOX_RISE


def _border_edges(sheet: Sheet) -> Iterator[tuple[bool, np.ndarray]]:
    """Points around each edge, board coordinates, [along, across, 2], and whether it is upright."""
    side = sheet.square_mm
    across = np.linspace(-REACH_MM, REACH_MM, SAMPLES)
    along, off = np.meshgrid(ALONG_EDGE * side, across, indexing="ij")
    for column, row in black_squares(sheet):
        for x in {0: (0.0,), COLUMNS - 1: (COLUMNS * side,)}.get(column, ()):
            yield True, np.stack([x + off, row * side + along], axis=2)
        for y in {0: (0.0,), ROWS - 1: (ROWS * side,)}.get(row, ()):
            yield False, np.stack([column * side + along, y + off], axis=2)


def _width(gray: np.ndarray, plane: Plane, points_mm: np.ndarray) -> float | None:
    """The width of one edge, px; None: it is not in the picture, or has no contrast."""
    points = plane.to_px(points_mm.reshape(-1, 2)).reshape(points_mm.shape).astype(np.float32)
    if points.min() < 0 or np.any(points.max(axis=(0, 1)) > (gray.shape[1] - 1, gray.shape[0] - 1)):
        return None
    columns, rows = np.ascontiguousarray(points[..., 0]), np.ascontiguousarray(points[..., 1])
    profile = cv2.remap(gray, columns, rows, cv2.INTER_LINEAR).mean(axis=0)
    if profile[0] > profile[-1]:
        profile = profile[::-1]
    low, high = float(profile[:3].mean()), float(profile[-3:].mean())
    if high - low < LEAST_STEP:
        return None
    step = (profile - low) / (high - low)
    middle = int(np.argmin(np.abs(step - 0.5)))
    begin, end = _crossing(step[middle::-1], LOW), _crossing(1 - step[middle:], 1 - HIGH)
    length_px = float(np.linalg.norm(points[:, -1] - points[:, 0], axis=1).mean())
    return (begin + end) * length_px / (SAMPLES - 1)


def _crossing(falling: np.ndarray, level: float) -> float:
    """After how many samples a curve that begins above `level` first falls under it."""
    under = np.flatnonzero(falling <= level)
    if not len(under):
        return float(len(falling) - 1)
    after = int(under[0])
    if after == 0:
        return 0.0
    high, low = float(falling[after - 1]), float(falling[after])
    return after - 1 + (high - level) / (high - low)
