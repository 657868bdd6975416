"""What the pictures of a sheet tell of the view and the belt: scale, motion, sharpness, light."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.belt_setup.detection import Flaw, FoundSheet, Unusable, find_sheet
from edge.belt_setup.exposure import Light, light_on
from edge.belt_setup.motion import Motion, Placed, angle_in_picture, motion_of
from edge.belt_setup.plane import Fit, Placement, Plane, fit_plane, placement_of, tilt_degrees
from edge.belt_setup.sharpness import EdgeWidths, edge_widths, smeared_px
from edge.belt_setup.sheet import BOARDS, Sheet

MOST_RESIDUAL_PX, MOST_RESIDUAL_MM = 0.35, 0.25
"""Corners are this far from a flat sheet, whichever is more, before it is taken for a bent one. A
ridge of 8 mm in a sheet that is carried through the view makes as much."""
MOST_K = 0.15
"""No lens for a belt distorts more; a sheet with a ridge in its middle looks as if one did."""
MOST_FITTED = 12
"""Pictures that the plane is fitted to; more tell nothing new."""
ALIGNED_DEGREES = 25.0
"""The arrow and the belt's way may differ by so much, for edges to show the smear."""


@dataclass(frozen=True)
class SheetSighting:
    """A usable sheet in one picture.

    Attributes:
        found: its corners.
        at: when the picture was taken, s.
        reading_mm: of the encoder then; None: there is none.
        size: width and height of the picture, px.
        widths: of its edges.
        light: on it.
    """

    found: FoundSheet
    at: float
    reading_mm: float | None
    size: tuple[int, int]
    widths: EdgeWidths
    light: Light


@dataclass(frozen=True)
class ViewScale:
    """How much belt the view shows.

    Attributes:
        along: mm that one px shows along the rows of the picture, at its middle.
        across: the same along its columns.
        left, right: as `along`, at the borders of the middle row.
        residual_px: how far the corners are from where a flat sheet has them (root mean square).
        tilt_degrees: of the camera, 0 straight down.
    """

    along: float
    across: float
    left: float
    right: float
    residual_px: float
    tilt_degrees: float


@dataclass(frozen=True)
class MeasuredView:
    """What all pictures together tell.

    Attributes:
        scale: of the view.
        plane: of the belt, in the coordinates of the board in the first fitted picture.
        motion: None: the sheet was not carried along.
        arrow_angle: the direction of the sheet's arrow in the last picture, degrees.
        focus_px: width of edges that the belt's motion does not smear.
        smear_px: how far the belt moves during an exposure; None: it did not move, or the sheet
            lies askew.
        light: in the last picture.
        last: where the sheet was last.
        sightings: the number of pictures with a usable sheet.
        corners: in the picture with most.
        encoder_mm_per_mm: what the encoder counted for a mm that the sheet was carried; None: no
            encoder, or no motion.
    """

    scale: ViewScale
    plane: Plane
    motion: Motion | None
    arrow_angle: float
    focus_px: float
    smear_px: float | None
    light: Light
    last: Placed
    sightings: int
    corners: int
    encoder_mm_per_mm: float | None


def look(
    pixels: np.ndarray, at: float, reading_mm: float | None, boards: Sequence[Sheet] = BOARDS
) -> SheetSighting | Unusable:
    """Look for a sheet, one of `boards`, in one picture, uint8 RGB [h, w, 3]."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    found = find_sheet(gray, boards)
    if isinstance(found, Unusable):
        return found
    size = (gray.shape[1], gray.shape[0])
    fit = fit_plane([found], size)
    if flaw := _bent(fit, Flaw.NOT_FLAT):
        return flaw
    widths = edge_widths(gray, fit.plane, found.sheet)
    return SheetSighting(
        found, at, reading_mm, size, widths, light_on(pixels, fit.plane, found.sheet)
    )


def measure(sightings: Sequence[SheetSighting]) -> MeasuredView | Unusable:
    """Put the pictures of one sheet together, at least one, in order of time."""
    by_column = sorted(sightings, key=lambda each: float(each.found.corners_px[:, 0].mean()))
    count = min(MOST_FITTED, len(by_column))
    chosen = [by_column[round(place)] for place in np.linspace(0, len(by_column) - 1, count)]
    fit = fit_plane([each.found for each in chosen], sightings[0].size)
    if flaw := _bent(fit, Flaw.NOT_ON_BELT):
        return flaw
    plane = fit.plane
    placed = [Placed(each.at, _placement(plane, each.found)) for each in sightings]
    sheet = sightings[0].found.sheet
    motion = motion_of(placed, sheet.gate_point_mm, plane)
    last = placed[-1]
    arrow = arrow_unit(last.placement)
    focus, smear = _sharpness(sightings, motion, angle_in_picture(plane, arrow))
    return MeasuredView(
        scale=_scale(fit),
        plane=plane,
        motion=motion,
        arrow_angle=angle_in_picture(plane, arrow),
        focus_px=focus,
        smear_px=smear,
        light=sightings[-1].light,
        last=last,
        sightings=len(sightings),
        corners=max(len(each.found.corners_px) for each in sightings),
        encoder_mm_per_mm=_encoder_ratio(sightings, motion),
    )


def arrow_unit(placement: Placement) -> np.ndarray:
    """The direction of the arrow in the plane, [2], of length 1."""
    return np.array([math.cos(placement.angle), math.sin(placement.angle)])


def _bent(fit: Fit, flaw: Flaw) -> Unusable | None:
    """The flaw, if the corners do not lie in one plane."""
    along = float(np.linalg.norm(fit.plane.mm_per_px(*fit.plane.middle_px)[:, 0]))
    limit = max(MOST_RESIDUAL_PX, MOST_RESIDUAL_MM / max(along, 1e-9))
    if fit.residual_px > limit:
        return Unusable(flaw, fit.residual_px)
    return Unusable(Flaw.BENT, abs(fit.plane.k)) if abs(fit.plane.k) > MOST_K else None


def _placement(plane: Plane, found: FoundSheet) -> Placement:
    return placement_of(found.board_mm, plane.to_mm(found.corners_px))


def _scale(fit: Fit) -> ViewScale:
    plane = fit.plane
    column, row = plane.middle_px
    middle, left, right = (plane.mm_per_px(at, row) for at in (column, 0.0, plane.width_px - 1.0))
    return ViewScale(
        along=float(np.linalg.norm(middle[:, 0])),
        across=float(np.linalg.norm(middle[:, 1])),
        left=float(np.linalg.norm(left[:, 0])),
        right=float(np.linalg.norm(right[:, 0])),
        residual_px=fit.residual_px,
        tilt_degrees=tilt_degrees(plane),
    )


def _sharpness(
    sightings: Sequence[SheetSighting], motion: Motion | None, arrow_angle: float
) -> tuple[float, float | None]:
    """The width of edges without the belt's motion, px, and how far that smears them, px."""
    arrow = _median([each.widths.arrow for each in sightings])
    cross = _median([each.widths.cross for each in sightings])
    if motion is None:
        return max(arrow, cross), None
    askew = abs((motion.angle - arrow_angle + 90) % 180 - 90)
    if askew <= ALIGNED_DEGREES:
        return cross, _known(smeared_px(arrow, cross))
    if askew >= 90 - ALIGNED_DEGREES:
        return arrow, _known(smeared_px(cross, arrow))
    return max(arrow, cross), None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


def _encoder_ratio(sightings: Sequence[SheetSighting], motion: Motion | None) -> float | None:
    first, last = sightings[0].reading_mm, sightings[-1].reading_mm
    if motion is None or first is None or last is None:
        return None
    return (last - first) / motion.way_mm
