"""The sheet on paper: its size, its board, and what stands around it."""

import io
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.belt_setup.printing import to_pdf, to_pixels, to_png
from edge.belt_setup.sheet import BLANK_MM, BOARD_FROM_EDGE_MM, SHEETS, Paper, labels

POINT_MM = 25.4 / 72
SIZES = {Paper.A4: (297, 210), Paper.LETTER: (279.4, 215.9), Paper.A3: (420, 297)}


def boxes_mm(pdf: bytes) -> np.ndarray:
    """Left, bottom, width, and height of the rectangles of a page, mm on paper."""
    scale = float(re.search(rb"([\d.]+) 0 0 ([\d.]+) 0 0 cm", pdf)[1])
    found = re.findall(rb"(-?[\d.]+) (-?[\d.]+) (-?[\d.]+) (-?[\d.]+) re", pdf)
    return np.array(found, float) * scale * POINT_MM


@pytest.mark.parametrize("paper", list(Paper))
def test_a_pdf_has_the_size_of_its_paper_and_all_lies_on_it(paper):
    pdf = to_pdf(SHEETS[paper])
    page = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    size = np.array([page[1], page[2]], float) * POINT_MM
    assert size == pytest.approx(SIZES[paper], abs=0.01)
    boxes = boxes_mm(pdf)
    assert boxes[:, :2].min() >= 6 and np.all(boxes[:, :2] + boxes[:, 2:] <= size - 6)
    assert b"/PrintScaling /None" in pdf


@pytest.mark.parametrize(("paper", "side"), [(Paper.A4, 30), (Paper.LETTER, 30), (Paper.A3, 45)])
def test_squares_and_ruler_measure_what_they_should(paper, side):
    boxes = boxes_mm(to_pdf(SHEETS[paper]))
    squares = boxes[np.all(np.abs(boxes[:, 2:] - side) < 0.001, axis=1)]
    assert len(squares) == 20
    steps = (squares[:, 0] - BOARD_FROM_EDGE_MM) / side
    assert np.abs(steps - np.rint(steps)).max() < 1e-4 and set(np.rint(steps)) == set(range(8))
    rulers = boxes[np.abs(boxes[:, 2] - 100) < 0.001]
    assert len(rulers) == 1
    ticks = boxes[(np.abs(boxes[:, 3] - 4) < 0.001) & (boxes[:, 2] < 1)]
    assert np.ptp(ticks[:, 0]) + ticks[0, 2] == pytest.approx(100, abs=0.001)


def test_a_pdf_can_be_read_from_its_end():
    pdf = to_pdf(SHEETS[Paper.A4])
    table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", pdf)[1])
    rows = re.findall(rb"(\d{10}) 00000 n \n", pdf[table:])
    for number, offset in enumerate(rows, 1):
        assert pdf[int(offset) :].startswith(b"%d 0 obj\n" % number)
    length = int(re.search(rb"/Length (\d+)", pdf)[1])
    content = pdf[pdf.index(b"stream\n") + 7 :]
    assert content[length:].startswith(b"\nendstream")


@pytest.mark.parametrize("paper", list(Paper))
def test_the_board_is_that_of_opencv_with_blank_paper_around_it(paper):
    sheet, scale = SHEETS[paper], 4
    page = to_pixels(sheet, scale)
    width, height = (round(side * scale) for side in sheet.board_mm)
    edge = round(BOARD_FROM_EDGE_MM * scale)
    board = page[edge : edge + height, edge : edge + width]
    same = board == sheet.board.generateImage((width, height), marginSize=0)
    assert same.mean() > (0.9999 if paper is not Paper.A3 else 0.97)  # 45 mm give half pixels
    blank = round(BLANK_MM * scale)
    around = page[edge - blank : edge + height + blank, edge - blank : edge + width + blank].copy()
    around[blank:-blank, blank:-blank] = 255
    assert around.min() == 255


def test_a_png_says_how_large_its_pixels_are():
    image = Image.open(io.BytesIO(to_png(SHEETS[Paper.A4])))
    size = np.array(image.size) / np.array(image.info["dpi"]) * 25.4
    assert size == pytest.approx((297, 210), abs=0.02)


def test_texts_fit_on_the_page():
    for sheet in SHEETS.values():
        for label in labels(sheet):
            (width, _), _ = cv2.getTextSize(
                label.text, cv2.FONT_HERSHEY_SIMPLEX, label.size / 30, 1
            )
            assert label.left + width < sheet.width_mm - 6 and label.base < sheet.height_mm - 6
