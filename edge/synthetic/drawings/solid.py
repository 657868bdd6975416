"""Boxes seen from a corner, round parts with depth, and light on glass."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from edge.synthetic.drawings.canvas import SIDE, Color, Rectangle, clamp, lighter

Point = tuple[float, float, float]
"""Right, up and away from the camera, in any unit; an item's front is at 0 away."""

FILLS = 0.94
"""Share of the canvas that an item spans."""


@dataclass(frozen=True)
class Projection:
    """A camera: `turn` [3, 3] turns what is `middle`-centered, `scale` and `shift` fit it in."""

    turn: np.ndarray
    middle: np.ndarray
    distance: float
    scale: float
    shift: np.ndarray

    def at(self, points: Sequence[Point]) -> np.ndarray:
        """Where points [n, 3] are on the canvas: float [n, 2], px."""
        return _project(np.asarray(points, float), self.turn, self.middle, self.distance) * (
            self.scale
        ) + (self.shift)


def look_at(points: Sequence[Point], yaw: float, pitch: float) -> Projection:
    """See all `points` as large as fits, from `yaw` degrees to the right and `pitch` above."""
    spots = np.asarray(points, float)
    middle = (spots.max(axis=0) + spots.min(axis=0)) / 2
    distance = 3.5 * float(np.ptp(spots, axis=0).max())
    side, up = math.radians(yaw), math.radians(pitch)
    about_height = np.array(
        [[math.cos(side), 0, math.sin(side)], [0, 1, 0], [-math.sin(side), 0, math.cos(side)]]
    )
    about_width = np.array(
        [[1, 0, 0], [0, math.cos(up), math.sin(up)], [0, -math.sin(up), math.cos(up)]]
    )
    turn = about_width @ about_height
    flat = _project(spots, turn, middle, distance)
    low, high = flat.min(axis=0), flat.max(axis=0)
    scale = FILLS * SIDE / float((high - low).max())
    return Projection(turn, middle, distance, scale, SIDE / 2 - scale * (low + high) / 2)


def _project(
    points: np.ndarray, turn: np.ndarray, middle: np.ndarray, distance: float
) -> np.ndarray:
    turned = (points - middle) @ turn.T
    near = distance / (distance + turned[:, 2:])
    return turned[:, :2] * near * (1, -1)


def corners_of(width: float, height: float, depth: float) -> list[Point]:
    """The eight corners of a box that stands on the floor with its front at 0 away."""
    return [(x, y, z) for x in (0, width) for y in (0, height) for z in (0, depth)]


def sheet(
    width: float, height: float, start: Color, end: Color | None = None, angle: float = 90
) -> Image.Image:
    """A face to draw on, RGBA and opaque, running from `start` to `end` along `angle` degrees."""
    size = (max(2, round(width)), max(2, round(height)))
    if end is None:
        return Image.new("RGBA", size, start)
    y, x = np.mgrid[0:1:8j, 0:1:8j]
    along = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))
    share = ((along - along.min()) / (np.ptp(along) or 1))[..., np.newaxis]
    colors = np.asarray(start) * (1 - share) + np.asarray(end) * share
    small = Image.fromarray(colors.astype(np.uint8))
    return small.resize(size, Image.Resampling.BILINEAR).convert("RGBA")


def lay(
    image: Image.Image, view: Projection, corners: Sequence[Point], face: Image.Image | Color
) -> None:
    """Show a face, a sheet or one color, at its four corners, clockwise from the top left.

    One that is seen from behind is left out.
    """
    spots = view.at(corners).astype(np.float32)
    ahead = np.roll(spots, -1, axis=0)
    if float((spots[:, 0] * ahead[:, 1] - spots[:, 1] * ahead[:, 0]).sum()) <= 0:
        return
    outline = [tuple(spot) for spot in spots.tolist()]
    if not isinstance(face, Image.Image):
        ImageDraw.Draw(image).polygon(outline, fill=face)
        return
    low = np.floor(spots.min(axis=0)).astype(int)
    width, height = (np.ceil(spots.max(axis=0)).astype(int) - low + 1).tolist()
    across, down = face.size
    source = np.array([[0, 0], [across, 0], [across, down], [0, down]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, (spots - low).astype(np.float32))
    seen = cv2.warpPerspective(
        np.asarray(face), matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    mask = Image.new("L", (width, height), 0)
    inside = [(x - float(low[0]), y - float(low[1])) for x, y in outline]
    ImageDraw.Draw(mask).polygon(inside, fill=255)
    image.paste(Image.fromarray(seen), (int(low[0]), int(low[1])), mask)


def box(
    image: Image.Image,
    view: Projection,
    *,
    low: Point,
    high: Point,
    color: Color,
    front: Image.Image | None = None,
    top: Image.Image | None = None,
) -> None:
    """Show a box from its lowest near left to its highest far right corner, lit from above."""
    (left, bottom, near), (right, ceiling, far) = low, high
    dark = sheet(16, 16, lighter(color, -18), lighter(color, -45), 60)
    lay(image, view, left_side(low, high), dark)
    lay(image, view, right_side(low, high), dark)
    above = [
        (left, ceiling, far),
        (right, ceiling, far),
        (right, ceiling, near),
        (left, ceiling, near),
    ]
    lay(image, view, above, top or sheet(16, 16, lighter(color, 8), lighter(color, 22)))
    ahead = [
        (left, ceiling, near),
        (right, ceiling, near),
        (right, bottom, near),
        (left, bottom, near),
    ]
    lay(image, view, ahead, front or sheet(16, 16, color, lighter(color, -14)))


def left_side(low: Point, high: Point) -> list[Point]:
    """The corners of a box's left face, as `lay` wants them."""
    (x, bottom, near), (_, ceiling, far) = low, high
    return [(x, ceiling, far), (x, ceiling, near), (x, bottom, near), (x, bottom, far)]


def right_side(low: Point, high: Point) -> list[Point]:
    """The corners of a box's right face, as `lay` wants them."""
    (_, bottom, near), (x, ceiling, far) = low, high
    return [(x, ceiling, near), (x, ceiling, far), (x, bottom, far), (x, bottom, near)]


def around(x: float, y: float, across: float, up: float | None = None) -> Rectangle:
    """The rectangle about a center, `across` and `up` from it to each side."""
    up = across if up is None else up
    return x - across, y - up, x + across, y + up


def dome(
    image: Image.Image, inside: Rectangle, rim: Color, middle: Color, lean: float = 0.2
) -> None:
    """A round part, from its rim to a middle that leans to the light at the top left."""
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = inside
    steps = 14
    for step in range(steps):
        share = step / (steps - 1)
        color = clamp(np.asarray(rim) * (1 - share) + np.asarray(middle) * share)
        across, up = (right - left) * share * 0.48, (bottom - top) * share * 0.48
        x, y = lean * across, lean * up
        draw.ellipse(
            (left + across - x, top + up - y, right - across - x, bottom - up - y), fill=color
        )


def glare(
    image: Image.Image,
    points: Sequence[tuple[float, float]],
    opacity: float,
    color: Color = (255, 255, 255),
) -> None:
    """Light, or a shadow, that lies on a face within a polygon."""
    mask = Image.new("L", image.size, 0)
    ImageDraw.Draw(mask).polygon(list(points), fill=int(255 * opacity))
    image.paste((*color, 255), (0, 0), mask)


def knob(
    image: Image.Image, x: float, y: float, *, radius: float, color: Color, turn: float
) -> None:
    """A dial with a mark at `turn` radians."""
    draw = ImageDraw.Draw(image)
    draw.ellipse(around(x, y, radius * 1.15), fill=lighter(color, -60))
    dome(image, around(x, y, radius), lighter(color, -20), lighter(color, 25))
    tip = (x + 0.9 * radius * math.cos(turn), y + 0.9 * radius * math.sin(turn))
    mark = lighter(color, 120 if sum(color) < 380 else -120)
    draw.line([(x, y), tip], fill=mark, width=max(2, int(radius / 5)))


def speaker(
    image: Image.Image, x: float, y: float, *, radius: float, rim: Color, cone: Color
) -> None:
    """A loudspeaker seen from ahead."""
    draw = ImageDraw.Draw(image)
    draw.ellipse(around(x, y, radius), fill=rim, outline=lighter(rim, -50), width=3)
    dome(image, around(x, y, radius * 0.86), lighter(cone, -22), lighter(cone, 22), lean=0)
    for share in (0.8, 0.7, 0.6):
        draw.ellipse(around(x, y, radius * share), outline=lighter(cone, -16), width=2)
    dome(image, around(x, y, radius * 0.32), lighter(cone, 25), lighter(cone, 80))
