"""Place items on the simulated belt: apart, touching, or overlapping."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from edge.belt.geometry import Geometry
from edge.simulator.pieces import Piece

MARGIN_MM = 12.0  # between an item and the border of the view
OVERLAP = (0.1, 0.3)  # share of the shorter item that overlaps the other
HOLDERS = ("Mobile", "Player")
"""Classes whose items may hold a battery."""
ASIDE = 0.3  # largest offset between the centers of two touching items, in narrower widths


@dataclass(frozen=True)
class PlacedItem:
    """A piece at its position on the belt.

    Attributes:
        label: its true class.
        position_mm: the belt coordinate of its center.
        offset_mm: its center across the belt, from the middle of the view, down is positive.
        length_mm: its extent along the belt.
        width_mm: its extent across the belt.
        draw: draws it, uint8 RGBA [h, w, 4] at belt resolution, cropped to its visible pixels.
        holds_hazard: it holds a hazard, such as a battery, that no picture shows.
    """

    label: str
    position_mm: float
    offset_mm: float
    length_mm: float
    width_mm: float
    draw: Callable[[], np.ndarray]
    holds_hazard: bool = False


def place_items(
    pieces: Iterator[Piece],
    count: int,
    seed: int,
    geometry: Geometry,
    *,
    gap_mm: tuple[float, float] = (80.0, 250.0),
    start_mm: float | None = None,
    touching: float = 0.0,
    overlapping: float = 0.0,
) -> list[PlacedItem]:
    """Place `count` pieces on the belt, one behind the other, at random distances and offsets.

    Args:
        pieces: the pieces, in order.
        count: the number of items.
        seed: of the distances and offsets.
        geometry: the view; every item stays within it across the belt.
        gap_mm: the minimum and maximum distance between the ends of two neighbors.
        start_mm: the belt coordinate after which items lie; by default they are just out of view,
            upstream, when the encoder reads 0.
        touching: the share of items that touch the one before them, in pairs.
        overlapping: the share of items that partly overlap the one before them, in pairs.

    Returns:
        The items, first on the belt first.
    """
    rng = np.random.default_rng(seed)
    end_mm = geometry.width_mm / 2 if start_mm is None else start_mm
    placed: list[PlacedItem] = []
    paired = True  # nothing lies before the first one
    for piece in islice(pieces, count):
        chance = rng.uniform() if touching + overlapping else 1.0
        if not paired and chance < touching + overlapping:
            overlap = rng.uniform(*OVERLAP) if chance < overlapping else 0.0
            item = _place_against(placed[-1], piece, overlap, rng, geometry)
            paired = True
        else:
            begin_mm = end_mm + rng.uniform(*gap_mm)
            room_mm = _room_mm(piece, geometry)
            offset_mm = rng.uniform(-room_mm, room_mm)
            item = _placed(piece, begin_mm + piece.length_mm / 2, offset_mm)
            paired = False
        placed.append(item)
        end_mm = max(end_mm, item.position_mm + item.length_mm / 2)
    return placed


def with_batteries_inside(
    placed: Sequence[PlacedItem], share: float, seed: int
) -> list[PlacedItem]:
    """Put a battery into this share of the items that may hold one, at random; none is removed."""
    rng = np.random.default_rng([seed, len(placed)])
    return [
        replace(item, holds_hazard=bool(rng.uniform() < share) and item.label in HOLDERS)
        for item in placed
    ]


def _placed(piece: Piece, position_mm: float, offset_mm: float) -> PlacedItem:
    return PlacedItem(
        label=piece.label,
        position_mm=position_mm,
        offset_mm=offset_mm,
        length_mm=piece.length_mm,
        width_mm=piece.width_mm,
        draw=piece.draw,
    )


def _room_mm(piece: Piece, geometry: Geometry) -> float:
    """The maximum offset of a piece from the middle of the view."""
    return max(0.0, (geometry.height_mm - piece.width_mm) / 2 - MARGIN_MM)


def _place_against(
    before: PlacedItem, piece: Piece, overlap: float, rng: np.random.Generator, geometry: Geometry
) -> PlacedItem:
    """Push a piece down the belt until it meets the item before it, and `overlap` farther.

    Args:
        before: the item.
        piece: the piece.
        overlap: a share of the shorter one's length, 0 to 1.
        rng: of the offset between them.
        geometry: the view.
    """
    aside_mm = ASIDE * min(before.width_mm, piece.width_mm)
    room_mm = _room_mm(piece, geometry)
    offset_mm = before.offset_mm + rng.uniform(-aside_mm, aside_mm)
    offset_mm = min(room_mm, max(-room_mm, offset_mm))
    gap_px = gap(before.draw(), piece.draw(), (offset_mm - before.offset_mm) / geometry.mm_per_px)
    closer_mm = gap_px * geometry.mm_per_px + overlap * min(before.length_mm, piece.length_mm)
    bounds_meet_mm = before.position_mm + (before.length_mm + piece.length_mm) / 2
    return _placed(piece, bounds_meet_mm - closer_mm, offset_mm)


def gap(ahead: np.ndarray, behind: np.ndarray, lower_px: float) -> int:
    """Measure how far two pictures whose bounds meet can be pushed together until the items meet.

    Args:
        ahead: the picture farther down the belt, on the right; uint8 RGBA [h, w, 4], straight
            alpha.
        behind: the picture on its left, likewise.
        lower_px: how much lower than the middle of `ahead` the middle of `behind` is.

    Returns:
        The distance, px.
    """
    # The rows that `ahead` and `behind` share.
    shift = round(lower_px + (ahead.shape[0] - behind.shape[0]) / 2)
    first, last = max(0, shift), min(ahead.shape[0], shift + behind.shape[0])
    if first >= last:
        return 0
    right = ahead[first:last, :, 3] > 127
    left = behind[first - shift : last - shift, ::-1, 3] > 127
    both = right.any(axis=1) & left.any(axis=1)
    free = right.argmax(axis=1) + left.argmax(axis=1)
    return int(free[both].min()) if both.any() else 0
