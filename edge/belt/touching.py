"""Whether an outline on the belt is that of more than one object.

One object is mostly convex, fills a rectangle well, and is not longer than objects are. Two that
lie against or over each other leave corners of the rectangle empty and a bay between them.
"""

from dataclasses import dataclass

import cv2
import numpy as np

THIN_MM = 12.5
"""What is thinner is no body: a cable, a strap, an edge of shadow."""
WEIGHTS = (5.8, -10.1, 7.1)
INTERCEPT = -4.5
"""A logistic regression over the figures of `measure`, fitted on drawn items and on cut-outs of
training photos; `benchmarks/touching.py --fit` fits one of the kind to other items."""


@dataclass(frozen=True, eq=False)
class Outline:
    """What of a detection's box differs from the belt.

    Attributes:
        mask: uint8 [h, w], 0 or 1.
        mm_per_cell: how much belt one of its cells is.
    """

    mask: np.ndarray
    mm_per_cell: float


def multi_object_score(outline: Outline) -> float:
    """How much an outline looks like more than one object; over 0: more like it than not."""
    return float(np.dot(WEIGHTS, measure(outline)) + INTERCEPT)


def measure(outline: Outline) -> tuple[float, float, float]:
    """The features of the score: longest side, in decimeters; area over that of the smallest
    rectangle around it, 0 to 1; and the deepest bay, over the square root of the area.
    """
    body = body_of(outline)
    area = cv2.countNonZero(body)
    if not area:
        return 0.0, 1.0, 0.0
    parts, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    around = cv2.convexHull(np.concatenate(parts))
    width, height = (side + 1 for side in cv2.minAreaRect(around)[1])
    hull = cv2.fillConvexPoly(np.zeros_like(body), around, 1)
    depth = cv2.distanceTransform(hull, cv2.DIST_L2, 3)
    bay = float(depth[body == 0].max(initial=0.0))
    longest_dm = max(width, height) * outline.mm_per_cell / 100
    return longest_dm, area / (width * height), bay / area**0.5


def body_of(outline: Outline) -> np.ndarray:
    """The outline, its holes filled, without what is thin: uint8 [h + 4, w + 4], 0 or 1."""
    # With a border, so that an object that fills its box has an outside.
    shape = cv2.copyMakeBorder(outline.mask, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    contours, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shape, contours, -1, 1, cv2.FILLED)
    side = 2 * round(THIN_MM / outline.mm_per_cell / 2) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    opened = cv2.morphologyEx(shape, cv2.MORPH_OPEN, disc)
    return opened if opened.any() else shape
