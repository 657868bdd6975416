"""What the camera over the simulated belt sees: rubber that scrolls, and items that lie on it.

Nothing is kept that is not in view: an item's picture is made when it comes into view and dropped
when it has left, so that a belt of thousands of items takes the memory of four.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import cos, radians, sin

import cv2
import numpy as np

from edge.belt.geometry import Geometry
from edge.photos import LabelledPhoto, read_photo
from edge.simulator.items import CLASSES, SIZE_MM, draw_item

BELT_COLOR = (76, 86, 78)  # RGB of dark grey-green rubber
TEXTURE_MM = 2000.0  # the belt repeats itself after this length
NOISE = 5  # sensor noise, grey levels, 0 to this
SHADOW_MM = 5.0
SHADOW_DEPTH = 0.45
CARD_MM = (120.0, 200.0)
CARD_TURN_DEGREES = 10.0
MARGIN_MM = 12.0  # between an item and the border of the view


@dataclass(frozen=True)
class Piece:
    """Something to lay on the belt.

    Attributes:
        label: its true class.
        length_mm, width_mm: its extents along and across the belt.
        draw: makes its picture, uint8 RGBA [h, w, 4] at belt resolution, cropped to what shows.
    """

    label: str
    length_mm: float
    width_mm: float
    draw: Callable[[], np.ndarray]


@dataclass(frozen=True)
class PlacedItem:
    """A piece at its place on the belt.

    Attributes:
        label: its true class.
        position_mm: the belt coordinate of its centre.
        offset_mm: its centre across the belt, from the middle of the view, downwards positive.
        length_mm, width_mm: its extents along and across the belt.
        draw: makes its picture, uint8 RGBA [h, w, 4] at belt resolution, cropped to what shows.
    """

    label: str
    position_mm: float
    offset_mm: float
    length_mm: float
    width_mm: float
    draw: Callable[[], np.ndarray]


def drawn_pieces(seed: int, geometry: Geometry) -> Iterator[Piece]:
    """Drawn items without end: each class once, in random order, then each once again."""
    rng = np.random.default_rng(seed)
    while True:
        for index in rng.permutation(len(CLASSES)):
            label = CLASSES[index]
            longest_mm = rng.uniform(*SIZE_MM[label])
            yield drawn_piece(label, int(rng.integers(2**31)), longest_mm, geometry)


def drawn_piece(label: str, seed: int, longest_mm: float, geometry: Geometry) -> Piece:
    """One drawn item whose longest side is `longest_mm`."""
    # Drawn small first, for its extents; then so large that what shows of it has the wanted size.
    trial = 128
    height, width = cropped(draw_item(label, seed, trial)).shape[:2]
    size = round(trial * longest_mm / geometry.mm_per_px / max(height, width))
    mm_per_trial_px = longest_mm / max(height, width)
    return Piece(
        label,
        width * mm_per_trial_px,
        height * mm_per_trial_px,
        lambda: cropped(draw_item(label, seed, size)),
    )


def photo_pieces(photos: Sequence[LabelledPhoto], seed: int, geometry: Geometry) -> Iterator[Piece]:
    """Photos as cards, without end: each photo once, in random order, then each once again.

    Raises:
        BadInput: a photo cannot be read (when its turn comes).
    """
    rng = np.random.default_rng(seed)
    while photos:
        for index in rng.permutation(len(photos)):
            longest_mm = rng.uniform(*CARD_MM)
            turn = rng.uniform(-CARD_TURN_DEGREES, CARD_TURN_DEGREES)
            yield photo_piece(photos[index], longest_mm, turn, geometry)


def photo_piece(
    photo: LabelledPhoto, longest_mm: float, turn_degrees: float, geometry: Geometry
) -> Piece:
    """One photo as a card of `longest_mm`, turned, with the photo's own background.

    Raises:
        BadInput: the photo cannot be read.
    """
    height, width = read_photo(photo.path).shape[:2]
    scale = longest_mm / max(height, width)
    across, along = height * scale, width * scale
    turned_cos, turned_sin = abs(cos(radians(turn_degrees))), abs(sin(radians(turn_degrees)))

    def draw() -> np.ndarray:
        return card(read_photo(photo.path), longest_mm / geometry.mm_per_px, turn_degrees)

    return Piece(
        photo.label,
        along * turned_cos + across * turned_sin,
        along * turned_sin + across * turned_cos,
        draw,
    )


def card(photo: np.ndarray, longest_px: float, turn_degrees: float) -> np.ndarray:
    """A photo, uint8 RGB [height, width, 3], scaled and turned: uint8 RGBA [h, w, 4]."""
    height, width = photo.shape[:2]
    scale = longest_px / max(height, width)
    opaque = np.dstack([photo, np.full((height, width), 255, np.uint8)])
    if scale < 0.5:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        opaque = cv2.resize(opaque, size, interpolation=cv2.INTER_AREA)
        height, width = opaque.shape[:2]
        scale = 1.0
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), turn_degrees, scale)
    turned_width = int(np.ceil(width * abs(turn[0, 0]) + height * abs(turn[0, 1])))
    turned_height = int(np.ceil(height * abs(turn[0, 0]) + width * abs(turn[0, 1])))
    turn[:, 2] += (turned_width - width) / 2, (turned_height - height) / 2
    return cv2.warpAffine(opaque, turn, (turned_width, turned_height), flags=cv2.INTER_LINEAR)


def cropped(sprite: np.ndarray) -> np.ndarray:
    """A picture, uint8 RGBA [h, w, 4], without its transparent margins."""
    left, top, width, height = cv2.boundingRect((sprite[..., 3] > 64).astype(np.uint8))
    if not width:
        raise ValueError("the picture is transparent everywhere")
    return sprite[top : top + height, left : left + width]


def place_items(
    pieces: Iterator[Piece],
    count: int,
    seed: int,
    geometry: Geometry,
    gap_mm: tuple[float, float] = (80.0, 250.0),
    start_mm: float | None = None,
) -> list[PlacedItem]:
    """Lay `count` pieces on the belt, one behind the other, at random distances and offsets.

    Args:
        pieces: what to lay down, in order.
        count: how many.
        seed: of the distances and offsets.
        geometry: the view, whose width across the belt every item keeps within.
        gap_mm: least and greatest distance between the ends of two neighbours.
        start_mm: the belt coordinate from which on items lie; by default they are just out of
            view, upstream, when the encoder reads 0.

    Returns:
        The items, first on the belt first.
    """
    rng = np.random.default_rng(seed)
    end_mm = geometry.width_mm / 2 if start_mm is None else start_mm
    placed = []
    for piece in islice(pieces, count):
        begin_mm = end_mm + rng.uniform(*gap_mm)
        room_mm = max(0.0, (geometry.height_mm - piece.width_mm) / 2 - MARGIN_MM)
        end_mm = begin_mm + piece.length_mm
        placed.append(
            PlacedItem(
                piece.label,
                (begin_mm + end_mm) / 2,
                rng.uniform(-room_mm, room_mm),
                piece.length_mm,
                piece.width_mm,
                piece.draw,
            )
        )
    return placed


@dataclass(frozen=True)
class Layer:
    """An item's picture, ready to be laid over the belt: `belt * keep / 255 + paint`.

    Attributes:
        keep: uint8 [h, w, 3], what remains of the belt under the item and its shadow.
        paint: uint8 [h, w, 3], the item, premultiplied by its opacity.
    """

    keep: np.ndarray
    paint: np.ndarray


class Scene:
    """The belt, the items on it, and a camera straight above."""

    def __init__(self, items: Sequence[PlacedItem], geometry: Geometry, seed: int) -> None:
        """Prepare the belt's rubber and the light; items are drawn when they come into view."""
        self.geometry = geometry
        self.items = sorted(items, key=lambda item: item.position_mm)
        self._positions = [item.position_mm for item in self.items]
        self._reach_mm = max((item.length_mm for item in items), default=0.0) / 2 + 4 * SHADOW_MM
        self._removed: set[int] = set()
        self._layers: dict[int, Layer] = {}
        rng = np.random.default_rng(seed)
        self._loop_px = round(TEXTURE_MM / geometry.mm_per_px)
        self._rubber = rubber(self._loop_px, geometry, rng)
        self._light = light(geometry)
        tile = (geometry.height_px + 64, geometry.width_px + 64, 3)
        self._noise = rng.integers(0, NOISE, tile, dtype=np.uint8, endpoint=True)
        self._noise_rng = np.random.default_rng(seed)

    @property
    def end_mm(self) -> float:
        """The encoder reading at which the last item has left the view."""
        return (
            max((item.position_mm for item in self.items), default=0.0)
            + self._reach_mm
            + self.geometry.width_mm / 2
        )

    def remove(self, index: int) -> None:
        """Take the item at `index` of `items` off the belt."""
        self._removed.add(index)

    def render(self, encoder_mm: float) -> np.ndarray:
        """What the camera sees at a reading of the encoder, uint8 RGB [H, W, 3]."""
        width = self.geometry.width_px
        # Column x shows the belt at encoder - (x - width/2): the rubber is laid down mirrored.
        start = round(-encoder_mm / self.geometry.mm_per_px) % self._loop_px
        pixels = self._rubber[:, start : start + width].copy()
        visible = self._visible(encoder_mm)
        for index in visible:
            self._lay(pixels, index, encoder_mm)
        self._layers = {index: self._layers[index] for index in visible}
        dx, dy = self._noise_rng.integers(64, size=2)
        cv2.multiply(pixels, self._light, dst=pixels, scale=1 / 255)
        noise = self._noise[dy : dy + self.geometry.height_px, dx : dx + width]
        return cv2.add(pixels, noise, dst=pixels)

    def _visible(self, encoder_mm: float) -> list[int]:
        reach = self.geometry.width_mm / 2 + self._reach_mm
        first = bisect_left(self._positions, encoder_mm - reach)
        end = bisect_right(self._positions, encoder_mm + reach)
        return [index for index in range(first, end) if index not in self._removed]

    def _lay(self, pixels: np.ndarray, index: int, encoder_mm: float) -> None:
        item = self.items[index]
        if index not in self._layers:
            self._layers[index] = layer(item.draw(), SHADOW_MM / self.geometry.mm_per_px)
        keep, paint = self._layers[index].keep, self._layers[index].paint
        height, width = keep.shape[:2]
        left = round(self.geometry.column(item.position_mm, encoder_mm) - width / 2)
        top = round(self.geometry.row(item.offset_mm) - height / 2)
        x0, x1 = max(0, left), min(self.geometry.width_px, left + width)
        y0, y1 = max(0, top), min(self.geometry.height_px, top + height)
        if x0 >= x1 or y0 >= y1:
            return
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        belt = pixels[y0:y1, x0:x1]
        cv2.multiply(belt, keep[part], dst=belt, scale=1 / 255)
        cv2.add(belt, paint[part], dst=belt)


def layer(sprite: np.ndarray, shadow_px: float) -> Layer:
    """An item's picture, uint8 RGBA [h, w, 4], with a soft contact shadow around it."""
    pad = round(3 * shadow_px)
    sprite = cv2.copyMakeBorder(sprite, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0,) * 4)
    opacity = sprite[..., 3:].astype(np.float32) / 255
    shadow = SHADOW_DEPTH * cv2.GaussianBlur(opacity, (0, 0), shadow_px)[..., np.newaxis]
    keep = np.repeat((1 - opacity) * (1 - shadow) * 255, 3, axis=2)
    return Layer(
        np.rint(keep).astype(np.uint8), np.rint(sprite[..., :3] * opacity).astype(np.uint8)
    )


def light(geometry: Geometry) -> np.ndarray:
    """The lamp's light, a little less at the corners: uint8 [H, W, 3], 255 is full."""
    y, x = np.meshgrid(
        np.linspace(-1, 1, geometry.height_px, dtype=np.float32),
        np.linspace(-1, 1, geometry.width_px, dtype=np.float32),
        indexing="ij",
    )
    share = 1 - 0.07 * x * x - 0.07 * y * y
    return np.repeat(np.rint(share * 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)


def rubber(loop_px: int, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """A belt of `loop_px` columns that closes on itself, uint8 RGB [H, loop_px + W, 3].

    The first W columns are repeated at the end, so that any view is one slice.
    """
    height, width = geometry.height_px, geometry.width_px

    def grain(cell_px: int, depth: float) -> np.ndarray:
        cells = rng.normal(0, depth, (-(-height // cell_px) + 1, loop_px // cell_px))
        cells = np.hstack([cells, cells[:, :1]]).astype(np.float32)
        return cv2.resize(cells, (loop_px, height), interpolation=cv2.INTER_CUBIC)

    grey = grain(96, 1.5) + grain(12, 1.2) + grain(2, 2.5)
    grey += 1.5 * np.sin(np.arange(height, dtype=np.float32) * 0.9)[:, np.newaxis]  # the weave
    marks = np.zeros((height, loop_px), np.float32)
    for _ in range(loop_px // 60):  # scratches run along the belt, more or less
        x, y = rng.integers(40, loop_px - 260), rng.integers(height)
        end = (int(x + rng.integers(30, 220)), int(y + rng.integers(-12, 12)))
        cv2.line(marks, (int(x), int(y)), end, float(rng.uniform(-12, 16)), 1, cv2.LINE_AA)
    for _ in range(loop_px // 250):  # stains
        x, y = int(rng.integers(80, loop_px - 80)), int(rng.integers(height))
        axes = (int(rng.integers(8, 60)), int(rng.integers(6, 40)))
        angle = float(rng.integers(180))
        cv2.ellipse(marks, (x, y), axes, angle, 0, 360, float(rng.uniform(-7, 2)), -1, cv2.LINE_AA)
    grey += cv2.GaussianBlur(marks, (0, 0), 1.2)
    shade = (grey[..., np.newaxis] + np.array(BELT_COLOR, np.float32)).clip(0, 255)
    return np.hstack([shade, shade[:, :width]]).astype(np.uint8)
