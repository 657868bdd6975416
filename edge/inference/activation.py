"""Class activation maps: which places of a picture speak for a class, and where they lie in it.

With global average pooling before the last layer, the logit of a class is the mean over the places
of the last feature map of their dot product with the weights of the class, plus a bias. These
products are the map. Source: Zhou, Khosla, Lapedriza, Oliva, Torralba, "Learning deep features for
discriminative localization", CVPR 2016.
"""

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

ACTIVATION_MAP = "activation_map"
"""The name of the model's output: [1, height, width, classes]."""
MOST_PLACES = 64
"""Of a map's height and width: a network that halves the largest input five times has so many."""
MOST_SHARE, SOME_SHARE = 0.4, 0.2
"""Least share of the activation in one ninth of a picture for it to lie mostly or partly there; an
even activation has 0.11 in each."""


class Region(Enum):
    """A ninth of a picture, or what is no part of it."""

    UPPER_LEFT = "upper left"
    UPPER = "upper"
    UPPER_RIGHT = "upper right"
    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"
    LOWER_LEFT = "lower left"
    LOWER = "lower"
    LOWER_RIGHT = "lower right"
    PADDING = "padding"


class Spread(Enum):
    """How much of the activation lies in one region."""

    NOWHERE = "nowhere"
    MOSTLY = "mostly"
    IN_PART = "partly"
    EVERYWHERE = "everywhere"


@dataclass(frozen=True)
class Whereabouts:
    """Where in a picture the activation of a class lies.

    Attributes:
        spread: how much of it lies in one region.
        region: the region with the most; for `NOWHERE` and `EVERYWHERE` it means nothing.
    """

    spread: Spread
    region: Region


def heat_of(activation_map: np.ndarray, class_index: int) -> np.ndarray:
    """What speaks for a class, from float [h, w, classes]: float32 [h, w], 0 to 1.

    The largest is 1, or all are 0 if nothing speaks for the class. What speaks against it is 0.
    """
    heat = np.maximum(activation_map[..., class_index].astype(np.float32), 0)
    return np.asarray(heat / max(float(heat.max()), 1e-12), np.float32)


def over_picture(heat: np.ndarray, height: int, width: int, longest: int) -> np.ndarray:
    """Lay a map of the model's input over the picture that the input was made of.

    The input is the picture in the middle of a square with its longer side
    (`edge.inference.preprocess.to_square`); what was padded is left out.

    Args:
        heat: float32 [h, w], 0 to 1, of the square.
        height: of the picture, px.
        width: of the picture, px.
        longest: longer side of the result, px.

    Returns:
        float32 [height, width], 0 to 1, of the form of the picture.
    """
    side = max(height, width)
    rows, columns = (max(1, round(longest * length / side)) for length in (height, width))
    y = _in_map(rows, height, side, heat.shape[0])
    x = _in_map(columns, width, side, heat.shape[1])
    grid_x, grid_y = np.meshgrid(x, y)
    return cv2.remap(heat, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def whereabouts(heat: np.ndarray, height: int, width: int) -> Whereabouts:
    """Where in a picture of this height and width the activation of a class lies.

    Args:
        heat: float32 [h, w], 0 to 1, of the square around the picture.
        height: of the picture, px.
        width: of the picture, px.
    """
    side = max(height, width)
    square = over_picture(heat, side, side, 3 * MOST_PLACES)
    total = float(square.sum())
    if not total > 0:
        return Whereabouts(Spread.NOWHERE, Region.CENTER)
    rows, columns = (
        slice(start, start + extent) for start, extent in _within(height, width, len(square))
    )
    inside = square[rows, columns]
    shares = np.array(
        [
            float(part.sum()) / total
            for band in np.array_split(inside, 3, axis=0)
            for part in np.array_split(band, 3, axis=1)
        ]
    )
    padded = 1 - float(inside.sum()) / total
    if padded > max(0.5, float(shares.max())):
        return Whereabouts(Spread.MOSTLY, Region.PADDING)
    best = int(shares.argmax())
    region = list(Region)[best]
    if shares[best] >= MOST_SHARE:
        return Whereabouts(Spread.MOSTLY, region)
    if shares[best] >= SOME_SHARE:
        return Whereabouts(Spread.IN_PART, region)
    return Whereabouts(Spread.EVERYWHERE, region)


def _within(height: int, width: int, side: int) -> list[tuple[int, int]]:
    """Start and extent of a picture in a square of `side`, along each axis; at least three px."""
    longer = max(height, width)
    found = []
    for length in (height, width):
        extent = max(3, round(side * length / longer))
        start = min(round(side * ((longer - length) // 2) / longer), side - extent)
        found.append((start, extent))
    return found


def _in_map(count: int, length: int, side: int, places: int) -> np.ndarray:
    """Coordinates in a map of `count` pixels along one axis of the picture, float32 [count].

    Args:
        count: pixels of the result.
        length: of the picture along this axis, px.
        side: of the square around the picture, px.
        places: of the map along this axis.
    """
    before = (side - length) // 2
    centers = (np.arange(count) + 0.5) * (length / count) + before
    return (centers / side * places - 0.5).astype(np.float32)
