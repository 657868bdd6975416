"""Pieces for the simulated belt: drawn items, photos as cards, segmented items, debris."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import cos, radians, sin

import cv2
import numpy as np

from edge.belt.geometry import Geometry
from edge.bundle.sizes import TYPICAL_SIZES
from edge.photos.reading import LabeledPhoto, read_photo
from edge.synthetic.debris import draw_debris
from edge.synthetic.items import CLASSES, SIZE_MM, draw_item
from edge.synthetic.segmentation import segment_item

DEBRIS = "debris"
"""The true class of objects that are not electronic waste."""
CARD_MM = (120.0, 200.0)
CARD_TURN_DEGREES = 10.0
DEBRIS_MM = (60.0, 180.0)
MOST_OF_BELT = 0.9
"""The maximum longest side of an item of true size, as a share of the belt's width."""
FARTHEST_DEVIATION = 2.0
"""From the median, in standard deviations: 5 of 100 items are drawn again."""
SPRITE_SIDE = 1024
"""The maximum side of a segmented item, px. Items are kept at this size and turned before they are
scaled to the belt, which shows fewer pixels of them."""


@dataclass(frozen=True)
class Piece:
    """An object to place on the belt.

    Attributes:
        label: its true class.
        length_mm: its extent along the belt.
        width_mm: its extent across the belt.
        draw: draws it, uint8 RGBA [h, w, 4] at belt resolution, cropped to its visible pixels.
    """

    label: str
    length_mm: float
    width_mm: float
    draw: Callable[[], np.ndarray]


LongestSide = Callable[[str, np.random.Generator], float]
"""Draws the longest side of an item of a class, mm."""


def scaled_mm(label: str, rng: np.random.Generator) -> float:
    """Draw the longest side of an item, machines scaled down (`edge.synthetic.items.SIZE_MM`)."""
    return rng.uniform(*SIZE_MM.get(label, CARD_MM))


def true_sizes(geometry: Geometry) -> LongestSide:
    """Return what draws the longest side of real items, as far as the belt is wide enough."""
    most_mm = MOST_OF_BELT * geometry.height_mm

    def draw_mm(label: str, rng: np.random.Generator) -> float:
        size = TYPICAL_SIZES.get(label)
        if size is None:
            return min(most_mm, scaled_mm(label, rng))
        deviation = rng.normal()
        while abs(deviation) > FARTHEST_DEVIATION:
            deviation = rng.normal()
        return min(most_mm, size.median_mm * float(np.exp(size.spread * deviation)))

    return draw_mm


def drawn_pieces(
    seed: int,
    geometry: Geometry,
    labels: Sequence[str] = CLASSES,
    longest_side: LongestSide = scaled_mm,
) -> Iterator[Piece]:
    """Yield drawn items endlessly: each class once, in random order, then each once again."""
    rng = np.random.default_rng(seed)
    while True:
        for index in rng.permutation(len(labels)):
            label = labels[index]
            longest_mm = longest_side(label, rng)
            yield drawn_piece(label, int(rng.integers(2**31)), longest_mm, geometry)


def drawn_piece(label: str, seed: int, longest_mm: float, geometry: Geometry) -> Piece:
    """Make a drawn item whose longest side is `longest_mm`."""
    # Drawn small first for its extents, then so large that it has the right visible size.
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


def photo_pieces(photos: Sequence[LabeledPhoto], seed: int, geometry: Geometry) -> Iterator[Piece]:
    """Yield photos as cards endlessly: each once, in random order, then each once again.

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
    photo: LabeledPhoto, longest_mm: float, turn_degrees: float, geometry: Geometry
) -> Piece:
    """Make a card of `longest_mm` from a photo with its own background, turned.

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
    """Scale and turn a photo, uint8 RGB [height, width, 3]; returns uint8 RGBA [h, w, 4]."""
    scale = longest_px / max(photo.shape[:2])
    if scale < 0.5:
        photo, scale = _shrunk(photo, scale), 1.0
    opaque = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    return turned_sprite(opaque, turn_degrees, scale)


def _shrunk(pixels: np.ndarray, scale: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def turned_sprite(sprite: np.ndarray, turn_degrees: float, scale: float = 1.0) -> np.ndarray:
    """Turn and scale a picture, uint8 RGBA [h, w, 4]; the result holds all of it."""
    height, width = sprite.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), turn_degrees, scale)
    turned_width = int(np.ceil(width * abs(turn[0, 0]) + height * abs(turn[0, 1])))
    turned_height = int(np.ceil(height * abs(turn[0, 0]) + width * abs(turn[0, 1])))
    turn[:, 2] += (turned_width - width) / 2, (turned_height - height) / 2
    return cv2.warpAffine(sprite, turn, (turned_width, turned_height), flags=cv2.INTER_LINEAR)


def cropped(sprite: np.ndarray) -> np.ndarray:
    """Crop a picture, uint8 RGBA [h, w, 4], to its visible pixels.

    Raises:
        ValueError: it has none.
    """
    left, top, width, height = cv2.boundingRect((sprite[..., 3] > 64).astype(np.uint8))
    if not width:
        raise ValueError("the picture is transparent everywhere")
    return sprite[top : top + height, left : left + width]


def segmented_pieces(
    photos: Sequence[LabeledPhoto],
    turn_degrees: float,
    seed: int,
    geometry: Geometry,
    longest_side: LongestSide = scaled_mm,
    *,
    sprite_side: int = SPRITE_SIDE,
) -> Iterator[Piece]:
    """Yield segmented items of photos endlessly: each once, in random order, then again.

    Photos whose item cannot be segmented are left out. All items that were yielded stay in memory,
    at most `sprite_side` px long.

    Raises:
        BadInput: a photo cannot be read (when its turn comes).
    """
    rng = np.random.default_rng(seed)
    sprites: dict[int, np.ndarray | None] = {}
    while any(sprites.get(index, photo) is not None for index, photo in enumerate(photos)):
        for index in rng.permutation(len(photos)).tolist():
            if index not in sprites:
                pixels = read_photo(photos[index].path)
                scale = sprite_side / max(pixels.shape[:2])
                pixels = _shrunk(pixels, scale) if scale < 1 else pixels
                mask = segment_item(pixels)
                sprites[index] = None if mask is None else cropped(np.dstack([pixels, mask]))
            sprite, label = sprites[index], photos[index].label
            if sprite is not None:
                longest_mm = longest_side(label, rng)
                turn = rng.uniform(-turn_degrees, turn_degrees)
                yield sprite_piece(label, sprite, longest_mm, turn, geometry)


def debris_pieces(photos: Sequence[LabeledPhoto], seed: int, geometry: Geometry) -> Iterator[Piece]:
    """Yield debris endlessly: segmented from photos, or drawn.

    Raises:
        BadInput: a photo cannot be read (when its turn comes).
    """
    if photos:
        for piece in segmented_pieces(photos, 180.0, seed, geometry):
            yield replace(piece, label=DEBRIS)
    rng = np.random.default_rng(seed)
    while True:
        sprite = cropped(draw_debris(int(rng.integers(2**31))))
        turn = rng.uniform(-180.0, 180.0)
        yield sprite_piece(DEBRIS, sprite, rng.uniform(*DEBRIS_MM), turn, geometry)


def sprite_piece(
    label: str, sprite: np.ndarray, longest_mm: float, turn_degrees: float, geometry: Geometry
) -> Piece:
    """Make a piece of `longest_mm` from a picture, uint8 RGBA [h, w, 4], turned."""

    def draw() -> np.ndarray:
        turned = cropped(turned_sprite(sprite, turn_degrees))
        scale = longest_mm / geometry.mm_per_px / max(turned.shape[:2])
        size = (max(1, round(turned.shape[1] * scale)), max(1, round(turned.shape[0] * scale)))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        return cv2.resize(turned, size, interpolation=way)

    height, width = draw().shape[:2]
    return Piece(label, width * geometry.mm_per_px, height * geometry.mm_per_px, draw)


def mixed(sources: Sequence[tuple[float, Iterator[Piece]]], seed: int) -> Iterator[Piece]:
    """Yield pieces of several sources, chosen by weight, until one of them ends."""
    rng = np.random.default_rng(seed)
    weights = np.array([weight for weight, _ in sources])
    while True:
        chosen = int(rng.choice(len(sources), p=weights / weights.sum()))
        piece = next(sources[chosen][1], None)
        if piece is None:
            return
        yield piece
