"""The marker sheet: a ChArUco board with an arrow, a gate line, and a line to check the print by.

Lengths are mm. Paper coordinates have their origin in the top left corner of the page, x to the
right and y downwards. Board coordinates are the same from the top left corner of the board on. The
arrow points to the right, along +x.
"""

from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import cv2
import numpy as np

DICTIONARY = cv2.aruco.DICT_4X4_100
"""Few and large modules: they are read from further away than those of greater dictionaries."""
COLUMNS, ROWS = 8, 5
MARKER_MODULES = 6
"""Modules along the side of a 4x4 marker with its black border."""
MARKER_SHARE = 0.7
"""Of a square."""
BOARD_FROM_EDGE_MM = 12.0
BLANK_MM = 6.9
"""Around the board at least, where sharpness and exposure are measured."""
LINE_WIDTH_MM = 0.5
LINE_FROM_EDGE_MM = 7.0
"""Most printers leave less than this blank."""
RULER_MM = 100.0
TICKS = 10


class Paper(str, Enum):
    """The paper to print on, in landscape."""

    A4 = "a4"
    LETTER = "letter"
    A3 = "a3"


@dataclass(frozen=True)
class Rectangle:
    """A black rectangle in paper coordinates, mm."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Label:
    """A line of text: the left end of its base line and the size of its letters, mm."""

    left: float
    base: float
    size: float
    text: str


@dataclass(frozen=True)
class Sheet:
    """What is printed on one kind of paper.

    Attributes:
        name: what messages call it.
        width_mm, height_mm: of the page.
        square_mm: the side of a square of the board.
        first_id: of its markers; sheets with squares of another size have other markers.
        gate_line_mm: where the gate line is, x in board coordinates.
    """

    name: str
    width_mm: float
    height_mm: float
    square_mm: float
    first_id: int
    gate_line_mm: float

    @property
    def marker_mm(self) -> float:
        """The side of a marker."""
        return self.square_mm * MARKER_SHARE

    @property
    def board_mm(self) -> tuple[float, float]:
        """Width and height of the board."""
        return COLUMNS * self.square_mm, ROWS * self.square_mm

    @property
    def ids(self) -> range:
        """The numbers of its markers."""
        return range(self.first_id, self.first_id + COLUMNS * ROWS // 2)

    @property
    def gate_point_mm(self) -> tuple[float, float]:
        """The middle of the gate line, in board coordinates."""
        return self.gate_line_mm, self.board_mm[1] / 2

    @cached_property
    def board(self) -> cv2.aruco.CharucoBoard:
        """The same for OpenCV; board coordinates, mm."""
        dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
        ids = np.array(self.ids, np.int32)
        size = (COLUMNS, ROWS)
        return cv2.aruco.CharucoBoard(size, self.square_mm, self.marker_mm, dictionary, ids)

    @cached_property
    def corners_mm(self) -> np.ndarray:
        """The inner corners of the board by their numbers, float64 [28, 2], board coordinates."""
        return np.asarray(self.board.getChessboardCorners(), np.float64)[:, :2]

    @cached_property
    def markers_mm(self) -> np.ndarray:
        """The corners of the markers, float64 [20, 4, 2], board coordinates."""
        return np.asarray(self.board.getObjPoints(), np.float64)[:, :, :2]


_A4 = Sheet("A4 or Letter", 297.0, 210.0, 30.0, 50, 254.0)
SHEETS = {
    Paper.A4: _A4,
    Paper.LETTER: Sheet("A4 or Letter", 279.4, 215.9, 30.0, 50, 254.0),
    Paper.A3: Sheet("A3", 420.0, 297.0, 45.0, 70, 388.0),
}
BOARDS = (_A4, SHEETS[Paper.A3])
"""One sheet for each kind of board: those on A4 and Letter differ in the paper around it alone."""


def boards_printed(ruler_mm: float) -> tuple[Sheet, ...]:
    """The boards as a printer made them whose line of 100 mm measures `ruler_mm`."""
    by = ruler_mm / RULER_MM
    return tuple(
        replace(sheet, square_mm=sheet.square_mm * by, gate_line_mm=sheet.gate_line_mm * by)
        for sheet in BOARDS
    )


def black_squares(sheet: Sheet) -> list[tuple[int, int]]:
    """Column and row of the squares without a marker."""
    middles = sheet.markers_mm.mean(axis=1) / sheet.square_mm
    white = {(int(x), int(y)) for x, y in middles}
    return [(c, r) for r in range(ROWS) for c in range(COLUMNS) if (c, r) not in white]


def shapes(sheet: Sheet) -> tuple[Rectangle, ...]:
    """Everything black on the page but text and the arrow's tip, none of it over another."""
    return (*_squares(sheet), *_modules(sheet), *_lines(sheet))


def arrow_tip(sheet: Sheet) -> tuple[tuple[float, float], ...]:
    """The triangle at the end of the arrow, paper coordinates."""
    x, y = BOARD_FROM_EDGE_MM + sheet.gate_line_mm - 2.0, _arrow_y(sheet)
    return (x, y), (x - 10.0, y - 5.0), (x - 10.0, y + 5.0)


def labels(sheet: Sheet) -> tuple[Label, ...]:
    """The texts on the page."""
    left, below = BOARD_FROM_EDGE_MM, BOARD_FROM_EDGE_MM + sheet.board_mm[1]
    arrow = left + RULER_MM + 20.0
    return (
        Label(left, below + 22.0, 3.2, "100 mm: measure this line. Print at 100 %, not fitted."),
        Label(arrow, below + 10.3, 3.0, "The belt moves this way"),
        Label(left, below + 28.5, 3.2, f"ewaste-edge marker sheet, {sheet.name}. Glue it flat on a "
              "board, lay it on the belt, arrow along the belt. The long line is the gate line."),
    )  # fmt: skip


def _arrow_y(sheet: Sheet) -> float:
    return BOARD_FROM_EDGE_MM + sheet.board_mm[1] + 13.0


def _squares(sheet: Sheet) -> list[Rectangle]:
    side, edge = sheet.square_mm, BOARD_FROM_EDGE_MM
    return [
        Rectangle(edge + column * side, edge + row * side, side, side)
        for column, row in black_squares(sheet)
    ]


def _modules(sheet: Sheet) -> list[Rectangle]:
    """The black modules of the markers; those that are side by side in a row are one rectangle."""
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
    side, found = sheet.marker_mm / MARKER_MODULES, []
    for number, corners in zip(sheet.ids, sheet.markers_mm, strict=True):
        left, top = corners[0] + BOARD_FROM_EDGE_MM
        bits = dictionary.generateImageMarker(number, MARKER_MODULES)
        for row, modules in enumerate(bits):
            ends = np.flatnonzero(np.diff(np.concatenate(([0], modules == 0, [0]))))
            for start, end in ends.reshape(-1, 2):
                width = (end - start) * side
                found.append(Rectangle(left + start * side, top + row * side, width, side))
    return found


def _lines(sheet: Sheet) -> list[Rectangle]:
    """The gate line, the ruler with its ticks, and the arrow's shaft."""
    width, left = LINE_WIDTH_MM, BOARD_FROM_EDGE_MM
    line = left + sheet.gate_line_mm
    length = sheet.height_mm - 2 * LINE_FROM_EDGE_MM
    found = [Rectangle(line - width / 2, LINE_FROM_EDGE_MM, width, length)]
    y = _arrow_y(sheet)
    # Ticks reach from the outer side of the first to the outer side of the last: 100 mm.
    found.append(Rectangle(left, y, RULER_MM, width))
    for tick in range(TICKS + 1):
        height = 4.0 if tick % TICKS == 0 else 2.0
        middle = left + tick * RULER_MM / TICKS
        start = min(max(middle - width / 2, left), left + RULER_MM - width)
        found.append(Rectangle(start, y - height, width, height))
    shaft = left + RULER_MM + 20.0
    tip = arrow_tip(sheet)[1][0]
    return [*found, Rectangle(shaft, y - 0.75, tip - shaft, 1.5)]
