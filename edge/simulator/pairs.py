"""Single items and pairs on a simulated belt, and what the line's detector makes of each.

Pairs lie against each other, or one over a part of the other, in any direction.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from math import cos, pi, sin

import numpy as np

from edge.belt.detector import Detector
from edge.belt.geometry import Geometry
from edge.belt.observer import TouchingEvidence
from edge.belt.touching import shape_of
from edge.belt.tracker import TrackedItem, Tracker
from edge.belt.view import crop
from edge.simulator.layout import MARGIN_MM, PlacedItem
from edge.simulator.pieces import Piece
from edge.simulator.scene import Scene

VIEW = Geometry()
GAP_MM = (150.0, 250.0)
SPEED_MM_S = 250.0
DEEPEST = 0.35
"""Items overlap by at most this share of the smaller extent of the two."""
OUTLINES_KEPT, VIEWS_KEPT = 3, 2
"""Of each track."""
Group = tuple[PlacedItem, ...]


class Lie(Enum):
    """How the items of a group lie."""

    SINGLE = "single"
    TOUCHING = "touching"
    OVERLAPPING = "overlapping"


@dataclass
class Track:
    """One track of the tracker.

    Attributes:
        item: its item.
        evidence: whether it touches another.
        figures: of its outlines (`edge.belt.touching.Shape.features`).
        views: crops of its first whole sightings, uint8 RGB [height, width, 3].
    """

    item: TrackedItem
    evidence: TouchingEvidence
    figures: list[tuple[float, ...]] = field(default_factory=list)
    views: list[np.ndarray] = field(default_factory=list)


def against(
    first: np.ndarray, second: np.ndarray, direction: float, reach_px: int, step_px: int = 3
) -> int:
    """The distance of the centers of two images at which their items just do not touch, px.

    Args:
        first: uint8 RGBA [h, w, 4].
        second: the item that is moved toward it, uint8 RGBA [h, w, 4].
        direction: direction from the first to the second, radians.
        reach_px: initial distance, px.
        step_px: step of the distance, px.
    """
    lies = np.argwhere(first[::step_px, ::step_px, 3] > 127) * step_px
    lies = lies - np.array(first.shape[:2]) // 2
    mask = second[..., 3] > 127
    corner = np.array(mask.shape) // 2
    for apart in range(reach_px, 0, -step_px):
        place = np.round(np.array([sin(direction), cos(direction)]) * apart).astype(int)
        at = lies - place + corner
        inside = ((at >= 0) & (at < mask.shape)).all(axis=1)
        if mask[tuple(at[inside].T)].any():
            return apart + step_px
    return 0


def groups(pieces: Iterator[Piece], lie: Lie, count: int, seed: int) -> list[Group]:
    """Place single items or pairs one behind the other; pairs lie in any direction.

    Fewer than `count` of them, if the pieces end before.
    """
    rng, end_mm = np.random.default_rng(seed), VIEW.width_mm
    placed: list[Group] = []
    together = 1 if lie is Lie.SINGLE else 2
    while len(placed) < count:
        taken = list(islice(pieces, together))
        if len(taken) < together:
            break
        corners = [(0.0, 0.0)]
        if len(taken) == 2:
            corners.append(_pushed(taken[0], taken[1], lie, rng))
        ends = [
            (along - piece.length_mm / 2, along + piece.length_mm / 2)
            for piece, (along, _) in zip(taken, corners, strict=True)
        ]
        sides = [
            (across - piece.width_mm / 2, across + piece.width_mm / 2)
            for piece, (_, across) in zip(taken, corners, strict=True)
        ]
        low, high = min(side[0] for side in sides), max(side[1] for side in sides)
        room_mm = VIEW.height_mm / 2 - MARGIN_MM
        if high - low > 2 * room_mm:
            continue
        offset_mm = rng.uniform(-room_mm - low, room_mm - high)
        begin_mm = end_mm + rng.uniform(*GAP_MM) - min(end[0] for end in ends)
        placed.append(
            tuple(
                PlacedItem(
                    piece.label,
                    begin_mm + along,
                    offset_mm + across,
                    piece.length_mm,
                    piece.width_mm,
                    piece.draw,
                )
                for piece, (along, across) in zip(taken, corners, strict=True)
            )
        )
        end_mm = begin_mm + max(end[1] for end in ends)
    return placed


def _pushed(first: Piece, second: Piece, lie: Lie, rng: np.random.Generator) -> tuple[float, float]:
    """The offset of the center of the second from the first, mm along and across the belt."""
    direction = rng.uniform(-pi, pi)
    reach_mm = np.hypot(first.length_mm, first.width_mm) + np.hypot(
        second.length_mm, second.width_mm
    )
    reach_px = round(reach_mm / 2 / VIEW.mm_per_px) + 4
    apart_mm = against(first.draw(), second.draw(), direction, reach_px) * VIEW.mm_per_px
    if lie is Lie.OVERLAPPING:
        extents = [
            abs(piece.length_mm * cos(direction)) + abs(piece.width_mm * sin(direction))
            for piece in (first, second)
        ]
        apart_mm -= rng.uniform(0.08, DEEPEST) * min(extents)
    # The belt coordinate grows to the left of the picture.
    return -apart_mm * cos(direction), apart_mm * sin(direction)


def tracks(
    placed: list[Group], seed: int, step_mm: float, certain: float = 0.0
) -> list[list[Track]]:
    """The tracks of each group, found by the detector and tracker of the line.

    Args:
        placed: the groups.
        seed: of the belt's looks.
        step_mm: how far the belt moves between two frames.
        certain: the median score of outlines above which they are of several items.
    """
    if not placed:
        return []
    scene = Scene([item for group in placed for item in group], VIEW, seed)
    detector, tracker = Detector(VIEW), Tracker()
    found: dict[int, Track] = {}
    encoder_mm = 0.0
    while encoder_mm < scene.end_mm:
        frame, at = scene.render(encoder_mm), encoder_mm / SPEED_MM_S
        for item, detection in tracker.update(detector.detect(frame), VIEW, encoder_mm, at):
            track = found.setdefault(item.number, Track(item, TouchingEvidence(certain=certain)))
            track.item = item
            track.evidence.add(detection)
            if not detection.whole or detection.outline is None:
                continue
            if len(track.figures) < OUTLINES_KEPT:
                track.figures.append(shape_of(detection.outline).features)
            if len(track.views) < VIEWS_KEPT:
                track.views.append(crop(frame, detection.box))
        encoder_mm += step_mm
    ends = [
        (
            min(item.position_mm - item.length_mm / 2 for item in group),
            max(item.position_mm + item.length_mm / 2 for item in group),
        )
        for group in placed
    ]
    return [
        [each for each in found.values() if low <= each.item.position_mm <= high]
        for low, high in ends
    ]
