"""How the camera shows the plane of the belt: a homography and one term of lens distortion.

Model: a point X (mm) of the plane goes to q = H X, in half widths of the picture from its middle,
and the lens moves it to q (1 + k |q|^2) (Brown, "Decentering distortion of lenses", 1966, radial
term of second order). The lens's axis is taken to go through the middle of the picture. H and k are
fitted to the corners of a sheet that lies on the belt, in one place or in several: between them it
is only moved and turned within the plane. Method: Levenberg-Marquardt (Marquardt 1963).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.belt_setup.detection import FoundSheet

UNIT_MM = 100.0
"""Within the fit lengths are in this unit, so that its parameters are of one size."""
MOST_STEPS = 60
SMALLEST_GAIN = 1e-7
DIFFERENCE = 1e-6
USUAL_K, CORNER_PX = 0.15, 0.1
"""Lenses differ so much in k, corners are so exact: what a small sheet cannot tell stays near 0."""
WIDEST_K = 0.3
USUAL_FOCUS, FOCUS_SPREAD = 0.9, 0.4
"""Focal lengths in widths of the picture: the median and the spread (of the logarithm)."""
FOCUSES = np.geomspace(0.4, 4.0, 200)
SQUEEZE_ERROR = 0.002
"""How exact the ratio of the two scales at the middle is."""
UNDISTORT_STEPS = 25


@dataclass(frozen=True)
class Placement:
    """Where a sheet lies in the plane: its board's corner, mm, and its angle, radians."""

    x: float
    y: float
    angle: float

    def moved(self, board_mm: np.ndarray) -> np.ndarray:
        """Points of the board, [n, 2], in the plane."""
        turn = np.array(
            [
                [math.cos(self.angle), -math.sin(self.angle)],
                [math.sin(self.angle), math.cos(self.angle)],
            ]
        )
        return np.asarray(board_mm, np.float64) @ turn.T + (self.x, self.y)


@dataclass(frozen=True)
class Plane:
    """The plane of the belt as a camera shows it.

    Attributes:
        width_px, height_px: of a picture.
        homography: from the plane, mm, to half widths of the picture from its middle, [3, 3].
        k: the distortion of the lens, of the same unit; more than 0: pincushion.
    """

    width_px: int
    height_px: int
    homography: np.ndarray
    k: float

    @property
    def middle_px(self) -> tuple[float, float]:
        """The middle of the picture, where the middle of the first pixel is (0, 0)."""
        return (self.width_px - 1) / 2, (self.height_px - 1) / 2

    def to_px(self, points_mm: np.ndarray) -> np.ndarray:
        """Columns and rows, [n, 2], of points of the plane, [n, 2]."""
        flat = _project(self.homography, np.asarray(points_mm, np.float64))
        return _distorted(flat, self.k) * (self.width_px / 2) + self.middle_px

    def to_mm(self, points_px: np.ndarray) -> np.ndarray:
        """Points of the plane, [n, 2], of columns and rows, [n, 2]."""
        seen = (np.asarray(points_px, np.float64) - self.middle_px) / (self.width_px / 2)
        return _project(np.linalg.inv(self.homography), _undistorted(seen, self.k))

    def mm_per_px(self, column: float, row: float) -> np.ndarray:
        """How the point of the plane moves with column, row: [[dx/dc, dx/dr], [dy/dc, dy/dr]]."""
        around = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) + np.array([column, row])
        right, left, below, above = self.to_mm(around)
        return np.stack([(right - left) / 2, (below - above) / 2], axis=1)


@dataclass(frozen=True)
class Fit:
    """A plane that was fitted.

    Attributes:
        plane: it.
        placements: of the sheet in each picture.
        residual_px: root mean square distance of the corners from where the plane has them.
    """

    plane: Plane
    placements: tuple[Placement, ...]
    residual_px: float


def fit_plane(sheets: Sequence[FoundSheet], size: tuple[int, int]) -> Fit:
    """Fit the plane to a sheet in one or more places, at least 12 corners in each.

    Args:
        sheets: as `find_sheet` found them.
        size: width and height of the pictures, px.

    Returns:
        The plane; its origin and axes are those of the board in the first picture.
    """
    half = size[0] / 2
    middle = np.array([(size[0] - 1) / 2, (size[1] - 1) / 2])
    boards = [found.board_mm / UNIT_MM for found in sheets]
    seen = [(found.corners_px - middle) / half for found in sheets]
    first, _ = cv2.findHomography(boards[0], seen[0])
    start = [*(first.ravel()[:8] / first[2, 2]), 0.0]
    back = np.linalg.inv(first)
    for board, points in zip(boards[1:], seen[1:], strict=True):
        placed = placement_of(board, _project(back, points))
        start += [placed.x, placed.y, placed.angle]

    def errors(parameters: np.ndarray) -> np.ndarray:
        homography, k, placements = _unpacked(parameters)
        found = [
            (_distorted(_project(homography, placed.moved(board)), k) - points).ravel() * half
            for placed, board, points in zip(placements, boards, seen, strict=True)
        ]
        return np.concatenate([*found, [k / USUAL_K * CORNER_PX]])

    parameters = _least_squares(errors, np.array(start))
    homography, k, placements = _unpacked(parameters)
    count = sum(len(board) for board in boards)
    residual = math.sqrt(float(np.sum(errors(parameters)[:-1] ** 2)) / count)
    plane = Plane(*size, homography @ np.diag([1 / UNIT_MM, 1 / UNIT_MM, 1.0]), k)
    lengths = tuple(
        Placement(each.x * UNIT_MM, each.y * UNIT_MM, each.angle) for each in placements
    )
    return Fit(plane, lengths, residual)


def placement_of(board: np.ndarray, plane: np.ndarray) -> Placement:
    """The placement that moves points of the board best onto those of the plane, both [n, 2].

    Source: Umeyama, "Least-squares estimation of transformation parameters", PAMI 1991, in 2-D.
    """
    board_middle, plane_middle = board.mean(axis=0), plane.mean(axis=0)
    one, other = board - board_middle, plane - plane_middle
    cross = np.sum(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
    angle = math.atan2(float(cross), float(np.sum(one * other)))
    x, y = plane_middle - Placement(0.0, 0.0, angle).moved(board_middle[np.newaxis])[0]
    return Placement(float(x), float(y), angle)


def tilt_degrees(plane: Plane) -> float:
    """By how much the camera looks askew at the belt: 0 straight down.

    Two things show it: the two scales at the middle differ by the cosine of the tilt, and the depth
    changes by its sine over the distance, which is the focal length by the scale. The focal length
    that fits both, and cameras in general, is taken. Small tilts are uncertain by about a third.
    """
    homography = plane.homography
    at = _project(np.linalg.inv(homography), np.zeros((1, 2)))[0]
    depth = float(homography[2, :2] @ at + homography[2, 2])
    scales = homography[:2, :2] / depth  # the rest of the derivative is 0 at q = 0
    large, small = np.linalg.svd(scales, compute_uv=False)
    slope = np.linalg.norm(homography[2, :2]) / abs(depth)
    sines = np.clip(slope * FOCUSES * 2 / large, 0, 0.999)
    squeeze = (small / large - np.sqrt(1 - sines**2)) / SQUEEZE_ERROR
    cost = squeeze**2 + (np.log(FOCUSES / USUAL_FOCUS) / FOCUS_SPREAD) ** 2
    return math.degrees(math.asin(float(sines[np.argmin(cost)])))


def _unpacked(parameters: np.ndarray) -> tuple[np.ndarray, float, list[Placement]]:
    homography = np.append(parameters[:8], 1.0).reshape(3, 3)
    others = parameters[9:].reshape(-1, 3)
    placements = [Placement(0.0, 0.0, 0.0), *(Placement(*map(float, each)) for each in others)]
    return homography, float(np.clip(parameters[8], -WIDEST_K, WIDEST_K)), placements


def _project(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    moved = points @ homography[:, :2].T + homography[:, 2]
    return moved[:, :2] / moved[:, 2:]


def _distorted(flat: np.ndarray, k: float) -> np.ndarray:
    return flat * (1 + k * np.sum(flat**2, axis=1, keepdims=True))


def _undistorted(seen: np.ndarray, k: float) -> np.ndarray:
    """The inverse of `_distorted`, by Newton's method for the radius."""
    radius = np.linalg.norm(seen, axis=1, keepdims=True)
    flat = radius.copy()
    for _ in range(UNDISTORT_STEPS):
        flat -= (flat * (1 + k * flat**2) - radius) / np.maximum(1 + 3 * k * flat**2, 0.05)
    return seen * (flat / np.maximum(radius, 1e-12))


def _least_squares(errors: Callable[[np.ndarray], np.ndarray], start: np.ndarray) -> np.ndarray:
    """Parameters with the least sum of squares of `errors`, from `start` on."""
    parameters, found, damping = start, errors(start), 1e-3
    cost = float(found @ found)
    for _ in range(MOST_STEPS):
        steps = DIFFERENCE * np.eye(len(parameters))
        columns = [(errors(parameters + step) - found) / DIFFERENCE for step in steps]
        slope = np.stack(columns, axis=1)
        normal, gradient = slope.T @ slope, slope.T @ found
        while damping < 1e10:
            damped = normal + damping * np.diag(np.maximum(np.diag(normal), 1e-12))
            tried = parameters - np.linalg.solve(damped, gradient)
            tried_errors = errors(tried)
            tried_cost = float(tried_errors @ tried_errors)
            if tried_cost < cost:
                break
            damping *= 10
        else:
            return parameters
        gain, parameters, found = cost - tried_cost, tried, tried_errors
        cost, damping = tried_cost, max(damping / 10, 1e-12)
        if gain < SMALLEST_GAIN * cost + 1e-15:
            return parameters
    return parameters
