"""Where the model looked in a tried picture: a translucent picture for each of the top classes."""

import heapq
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from edge.inference.activation import Whereabouts, heat_of, over_picture, whereabouts

LONGEST = 128
"""Longer side of an overlay, px; the browser enlarges it smoothly."""
SHOWN_CLASSES = 5
STRONGEST = 190
"""Opacity where the model looked most, 0 to 255: the picture stays visible."""
WEAK, STRONG = (255, 214, 0), (214, 0, 72)
"""RGB of little and of much activation: yellow and red, seen on light and on dark pictures."""


@dataclass(frozen=True)
class ClassOverlay:
    """What speaks for one class in a picture.

    Attributes:
        png: RGBA, of the form of the picture, at most `LONGEST` px.
        place: where it lies.
    """

    png: bytes
    place: Whereabouts


def draw_overlays(
    activation_map: np.ndarray, probabilities: Mapping[str, float], height: int, width: int
) -> dict[str, ClassOverlay]:
    """Draw the overlays of the most likely classes.

    Args:
        activation_map: float32 [h, w, classes], of the square around the picture.
        probabilities: per label, in the order of the classes.
        height: of the picture, px.
        width: of the picture, px.

    Returns:
        Label -> overlay, the most likely first; none if the map holds what is no number.
    """
    if not np.isfinite(activation_map).all():
        return {}
    drawn = {}
    labels = list(probabilities)
    for label in heapq.nlargest(SHOWN_CLASSES, labels, key=probabilities.__getitem__):
        heat = heat_of(activation_map, labels.index(label))
        png = _draw(over_picture(heat, height, width, LONGEST))
        drawn[label] = ClassOverlay(png, whereabouts(heat, height, width))
    return drawn


def _draw(heat: np.ndarray) -> bytes:
    """A PNG of float32 [height, width], 0 to 1: clear where it is 0, red where it is 1."""
    share = heat[..., np.newaxis]
    color = np.array(WEAK) * (1 - share) + np.array(STRONG) * share
    pixels = np.concatenate([color, STRONGEST * share], axis=2)
    stream = io.BytesIO()
    Image.fromarray(np.rint(pixels).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
