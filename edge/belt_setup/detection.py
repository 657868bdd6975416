"""Finding the marker sheet in a picture: its corners, or why it cannot be used."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import cv2
import numpy as np

from edge.belt_setup.sheet import BOARDS, COLUMNS, DICTIONARY, ROWS, Sheet

LEAST_CORNERS = 12
LEAST_LINES = 3
"""The corners must be in so many rows and columns of the board at least."""
OWN_SHARE = 0.5
"""Of the markers in view: fewer of a sheet of ours, and it is another board."""
IN_PLACE_SHARE = 0.7
"""Of the markers: if fewer are where the board has them, it is a board of another layout."""
IN_PLACE_SQUARES = 0.5
"""A marker that is off by less is in its place; a fold or the lens moves it by less than that."""
OTHER_DICTIONARIES = (
    *(cv2.aruco.DICT_4X4_1000, cv2.aruco.DICT_5X5_1000, cv2.aruco.DICT_6X6_1000),
    *(cv2.aruco.DICT_7X7_1000, cv2.aruco.DICT_ARUCO_ORIGINAL, cv2.aruco.DICT_APRILTAG_36h11),
)
"""What other boards are printed with; the smaller dictionaries are the beginnings of these."""
REFINED_SQUARES = 0.12
"""Half the window around a corner; markers begin 0.15 squares away from it."""
OFF_SQUARES = 0.1
"""From where the others have a corner: more is a false one. Lens and folds move them by less."""
SMOOTH_PX = 1.0
"""Noise and the steps of a sharp edge matter less then."""
UNTIL = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 40, 0.001)
LEAST_MARKERS = 4
"""A few markers may be read into anything that has corners."""
FEW_MARKERS = COLUMNS * ROWS // 4
"""With fewer it is worth while to look again for blurred ones."""


class Flaw(Enum):
    """Why a sheet cannot be used."""

    NO_SHEET = "no_sheet"
    TOO_FEW_CORNERS = "too_few_corners"
    OTHER_DICTIONARY = "other_dictionary"
    OTHER_BOARD = "other_board"
    MIRRORED = "mirrored"
    NOT_FLAT = "not_flat"
    NOT_ON_BELT = "not_on_belt"
    BENT = "bent"


@dataclass(frozen=True)
class Unusable:
    """A picture, or all of them, without a sheet that can be used.

    Attributes:
        flaw: why.
        measured: what decided it: corners found, residual in px, distortion, or markers.
    """

    flaw: Flaw
    measured: float = 0.0


@dataclass(frozen=True)
class FoundSheet:
    """A marker sheet in a picture.

    Attributes:
        sheet: which one.
        board_mm: of the corners that were found, float64 [n, 2], board coordinates.
        corners_px: the same in the picture, float64 [n, 2], column and row, where the middle of
            the first pixel is (0, 0).
    """

    sheet: Sheet
    board_mm: np.ndarray
    corners_px: np.ndarray


def find_sheet(gray: np.ndarray, boards: Sequence[Sheet] = BOARDS) -> FoundSheet | Unusable:
    """Find the marker sheet in a picture, uint8 [h, w]; one of `boards`, which are as printed."""
    markers, numbers = _markers(gray)
    counts = [sum(number in sheet.ids for number in numbers) for sheet in boards]
    sheet, own = max(zip(boards, counts, strict=True), key=lambda pair: pair[1])
    if len(numbers) < LEAST_MARKERS:
        return Unusable(Flaw.NO_SHEET)
    if own < OWN_SHARE * len(numbers):
        return Unusable(Flaw.OTHER_BOARD, len(numbers))
    known = [place for place, number in enumerate(numbers) if number in sheet.ids]
    markers = tuple(markers[place] for place in known)
    numbers = [numbers[place] for place in known]
    if not _in_place(sheet, numbers, np.array([np.reshape(each, (4, 2)) for each in markers])):
        return Unusable(Flaw.OTHER_BOARD, len(numbers))
    found, corner_ids, _, _ = _board_detector(sheet).detectBoard(
        gray, markerCorners=markers, markerIds=np.array(numbers, np.int32).reshape(-1, 1)
    )
    if corner_ids is None or len(corner_ids) < LEAST_CORNERS:
        return Unusable(Flaw.TOO_FEW_CORNERS, 0 if corner_ids is None else len(corner_ids))
    board_mm = sheet.corners_mm[np.ravel(corner_ids)]
    refined = _refined(gray, np.reshape(found, (-1, 2)), board_mm, sheet)
    if not _enough(refined.board_mm):
        return Unusable(Flaw.TOO_FEW_CORNERS, len(refined.board_mm))
    return refined


def explain_missing(gray: np.ndarray) -> Unusable:
    """Why none of our boards is in a picture, uint8 [h, w]; it takes several times as long."""
    flipped, ids, _ = _detector(DICTIONARY).detectMarkers(np.ascontiguousarray(gray[:, ::-1]))
    if len(flipped) >= LEAST_MARKERS and any(
        int(i) in b.ids for i in np.ravel(ids) for b in BOARDS
    ):
        return Unusable(Flaw.MIRRORED, len(flipped))
    read = [len(_detector(name).detectMarkers(gray)[0]) for name in OTHER_DICTIONARIES]
    if max(read) >= LEAST_MARKERS:
        return Unusable(Flaw.OTHER_DICTIONARY, max(read))
    return Unusable(Flaw.NO_SHEET)


def _markers(gray: np.ndarray) -> tuple[Sequence[np.ndarray], list[int]]:
    """The corners of the markers in a picture, and their numbers."""
    markers, ids, _ = _detector(DICTIONARY).detectMarkers(gray)
    if len(markers) < FEW_MARKERS:
        blurred, blurred_ids, _ = _blurred_detector().detectMarkers(gray)
        if len(blurred) > len(markers):
            markers, ids = blurred, blurred_ids
    return markers, [] if ids is None else [int(number) for number in np.ravel(ids)]


def _enough(board_mm: np.ndarray) -> bool:
    """Whether so many corners, spread so far, tell how the sheet lies."""
    lines = [len(np.unique(board_mm[:, axis])) for axis in (0, 1)]
    return len(board_mm) >= LEAST_CORNERS and min(lines) >= LEAST_LINES


def _in_place(sheet: Sheet, numbers: list[int], corners: np.ndarray) -> bool:
    """Whether the markers, float [n, 4, 2] px, lie to each other as on the board."""
    own = sheet.markers_mm[np.array(numbers) - sheet.first_id]
    # Where the picture has a marker, back on the board: the limit is in squares whatever the scale.
    source, target = corners.reshape(-1, 2), own.reshape(-1, 2)
    limit = IN_PLACE_SQUARES * sheet.square_mm
    _, inside = cv2.findHomography(source, target, cv2.RANSAC, limit)
    return inside is not None and float(np.mean(inside)) >= IN_PLACE_SHARE


def _refined(
    gray: np.ndarray, corners: np.ndarray, board_mm: np.ndarray, sheet: Sheet
) -> FoundSheet:
    """The corners to a fraction of a pixel, from as much around them as is free of markers.

    Each is looked for where most of the others have it, and left out if it is not there.
    """
    size_px, size_mm = np.ptp(corners, axis=0), np.ptp(board_mm, axis=0)
    square_px = math.hypot(*size_px) / max(math.hypot(*size_mm), 1.0) * sheet.square_mm
    limit = OFF_SQUARES * square_px
    homography, _ = cv2.findHomography(board_mm, corners, cv2.RANSAC, limit)
    if homography is None:
        return FoundSheet(sheet, board_mm[:0], board_mm[:0])
    expected = cv2.perspectiveTransform(board_mm.reshape(-1, 1, 2), homography)
    reach = max(2, round(REFINED_SQUARES * square_px))
    smooth = cv2.GaussianBlur(gray, (0, 0), SMOOTH_PX)
    start = expected.astype(np.float32)
    refined = cv2.cornerSubPix(smooth, start, (reach, reach), (-1, -1), UNTIL)
    off = np.linalg.norm(refined - expected, axis=2).ravel()
    there = off <= limit
    return FoundSheet(sheet, board_mm[there], refined.reshape(-1, 2)[there].astype(np.float64))


@lru_cache(maxsize=16)
def _detector(dictionary: int) -> cv2.aruco.ArucoDetector:
    return cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(dictionary))


@lru_cache(maxsize=1)
def _blurred_detector() -> cv2.aruco.ArucoDetector:
    """Finds markers that are out of focus, by wider windows and less contrast at their border."""
    parameters = cv2.aruco.DetectorParameters()
    parameters.adaptiveThreshWinSizeMin, parameters.adaptiveThreshWinSizeMax = 7, 47
    parameters.adaptiveThreshWinSizeStep, parameters.adaptiveThreshConstant = 20, 0
    parameters.errorCorrectionRate = 1.0
    return cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(DICTIONARY), parameters)


@lru_cache(maxsize=4)
def _board_detector(sheet: Sheet) -> cv2.aruco.CharucoDetector:
    parameters = cv2.aruco.CharucoParameters()
    parameters.minMarkers = 1  # a corner next to one marker only is as good once it is refined
    return cv2.aruco.CharucoDetector(sheet.board, parameters)
