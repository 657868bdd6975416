"""Whether an outline on the belt is that of more than one object.

One object is mostly convex, fills a rectangle well, and is not longer than objects are. Two that
lie against or over each other leave corners of the rectangle empty and a bay on either side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

LONGEST_ITEM_MM = 260.0
"""What is longer cannot be one item, where nobody says how long items are."""
THIN_MM = 12.5
"""What is thinner is no body: a cable, a strap, an edge of shadow."""
LEAST_BAY = 0.02
"""Over the square root of the area: shallower bays are steps of the mask."""
WEIGHTS = (4.65, -9.24, 4.2, 8.71)
INTERCEPT = -3.7
"""A logistic regression over the features of `Shape`, fitted on drawn items and on cut-outs of val
photos, none longer than `LONGEST_ITEM_MM`; `benchmarks/touching.py --fit` fits one of the kind to
other items. How many it recognizes: docs/benchmarks.md."""


@dataclass(frozen=True, eq=False)
class Outline:
    """What of a detection's box differs from the belt.

    Attributes:
        mask: uint8 [h, w], 0 or 1.
        mm_per_cell: how much belt one of its cells is.
    """

    mask: np.ndarray
    mm_per_cell: float


@dataclass(frozen=True)
class Shape:
    """What an outline is measured by.

    Attributes:
        longer_mm: the longer side of the smallest rectangle around it.
        fill: its area over that of the rectangle, 0 to 1.
        bay: the depth of its deepest bay, over the square root of its area.
        second_bay: that of the bay after it: two objects leave one on either side, a stand one.
        area_mm2: its area, mm².
    """

    longer_mm: float
    fill: float
    bay: float
    second_bay: float
    area_mm2: float = 0.0

    @property
    def features(self) -> tuple[float, float, float, float]:
        """The features of the score; lengths in decimeters."""
        return self.longer_mm / 100, self.fill, self.bay, self.second_bay


def multi_object_score(shape: Shape, longest_item_mm: float = LONGEST_ITEM_MM) -> float:
    """How much an outline looks like more than one object; over 0: more like it than not.

    Its length counts in relation to the longest item: where items are larger, a long one is no
    sign of two.
    """
    longer_dm, *others = shape.features
    return score_of((longer_dm * LONGEST_ITEM_MM / longest_item_mm, *others))


def score_of(features: Sequence[float] | np.ndarray) -> float:
    """The score of the features of a `Shape`."""
    return float(np.dot(WEIGHTS, features) + INTERCEPT)


def shape_of(outline: Outline) -> Shape:
    """Measure an outline without what is thin and without its holes."""
    body = body_of(outline)
    area = cv2.countNonZero(body)
    if not area:
        return Shape(0.0, 1.0, 0.0, 0.0)
    parts, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    around = cv2.convexHull(np.concatenate(parts))
    # From the middle of a cell to the middle of a cell: the detector makes an item one cell larger.
    width, height = cv2.minAreaRect(around)[1]
    hull = cv2.fillConvexPoly(np.zeros_like(body), around, 1)
    depth = cv2.distanceTransform(hull, cv2.DIST_L2, 3)
    bay = cv2.minMaxLoc(depth, mask=1 - body)[1]  # 0 where nothing is outside of the body
    fill = area / ((width + 1) * (height + 1))
    return Shape(
        longer_mm=max(width, height) * outline.mm_per_cell,
        fill=fill,
        bay=bay / area**0.5,
        second_bay=_second_bay(max(parts, key=cv2.contourArea)) / area**0.5,
        area_mm2=fill * width * height * outline.mm_per_cell**2,
    )


def _second_bay(contour: np.ndarray) -> float:
    """The depth of the second deepest bay of a contour, cells."""
    if len(contour) < 4:
        return 0.0
    corners = np.sort(cv2.convexHull(contour, returnPoints=False), axis=0)[::-1].copy()
    try:
        bays = cv2.convexityDefects(contour, corners)
    except cv2.error:  # a contour that crosses itself
        return 0.0
    if bays is None:
        return 0.0
    depths = np.sort(np.reshape(bays, (-1, 4))[:, 3]) / 256
    least = LEAST_BAY * cv2.contourArea(contour) ** 0.5
    return float(depths[-2]) if len(depths) > 1 and depths[-2] > least else 0.0


def body_of(outline: Outline) -> np.ndarray:
    """The outline, its holes filled, without what is thin: uint8 [h + 4, w + 4], 0 or 1."""
    # With a border, so that an object that fills its box has an outside.
    shape = cv2.copyMakeBorder(outline.mask, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    contours, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shape, contours, -1, 1, cv2.FILLED)
    side = 2 * round(THIN_MM / outline.mm_per_cell / 2) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    opened = cv2.morphologyEx(shape, cv2.MORPH_OPEN, disc)
    return opened if cv2.countNonZero(opened) else shape
