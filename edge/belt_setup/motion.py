"""How the belt moves: its speed and its direction, from a sheet that was carried along."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from edge.belt_setup.plane import Placement, Plane

LEAST_WAY_MM = 20.0
"""A sheet that moved by less tells no speed."""
MOVING_SHARE = 0.7
"""Of the usual speed between two pictures: in less the belt was starting or stopping."""
USUAL = 75
"""Percentile of the speeds between two pictures."""


class Direction(str, Enum):
    """Where the belt moves to in the picture."""

    RIGHT = "right"
    DOWN = "down"
    LEFT = "left"
    UP = "up"


@dataclass(frozen=True)
class Placed:
    """A sheet in the plane of the belt.

    Attributes:
        at: when the picture was taken, s.
        placement: where the sheet lay.
    """

    at: float
    placement: Placement


@dataclass(frozen=True)
class Motion:
    """How the belt moved.

    Attributes:
        speed_mm_s: while it moved.
        way_mm: that the sheet was carried.
        unit: the direction in the plane, (x, y) of length 1.
        angle: the direction in the picture, degrees: 0 to the right, more than 0 turned downwards.
    """

    speed_mm_s: float
    way_mm: float
    unit: tuple[float, float]
    angle: float

    @property
    def direction(self) -> Direction:
        """The nearest of the four directions."""
        return direction_of(self.angle)


def motion_of(
    placed: Sequence[Placed], point_mm: tuple[float, float], plane: Plane
) -> Motion | None:
    """The motion of a point of the sheet, board coordinates; None: it stayed where it was.

    Args:
        placed: in order of time.
        point_mm: the point that is followed.
        plane: of the belt.
    """
    points = np.array([each.placement.moved(np.array([point_mm]))[0] for each in placed])
    times = np.array([each.at for each in placed])
    if len(placed) < 2:
        return None
    way = points[-1] - points[0]
    length = float(np.linalg.norm(way))
    if length < LEAST_WAY_MM:
        return None
    unit = way / length
    steps, seconds = np.diff(points @ unit), np.diff(times)
    steps, seconds = steps[seconds > 0], seconds[seconds > 0]
    if not len(steps):
        return None
    speeds = steps / seconds
    moving = speeds >= MOVING_SHARE * np.percentile(speeds, USUAL)
    speed = float(steps[moving].sum() / seconds[moving].sum())
    return Motion(speed, length, (float(unit[0]), float(unit[1])), angle_in_picture(plane, unit))


def angle_in_picture(plane: Plane, unit: np.ndarray) -> float:
    """A direction of the plane as the picture shows it at its middle, degrees (see `Motion`)."""
    column, row = np.linalg.solve(plane.mm_per_px(*plane.middle_px), unit)
    return math.degrees(math.atan2(row, column))


def direction_of(angle: float) -> Direction:
    """The nearest direction to an angle of the picture, degrees."""
    return list(Direction)[round(angle / 90) % 4]
