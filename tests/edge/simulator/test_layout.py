from itertools import cycle

import numpy as np

from edge.belt.geometry import Geometry
from edge.simulator.layout import gap, place_items
from edge.simulator.pieces import Piece, drawn_pieces
from edge.simulator.scene import Scene
from edge.simulator.score import touching_groups

VIEW = Geometry()


def disc(diameter_px):
    y, x = np.mgrid[:diameter_px, :diameter_px] - (diameter_px - 1) / 2
    inside = (x * x + y * y <= diameter_px**2 / 4) * 255
    return np.dstack([np.full((diameter_px, diameter_px, 3), 250), inside]).astype(np.uint8)


def disc_piece(diameter_px):
    length_mm = diameter_px * VIEW.mm_per_px
    return Piece("Mouse", length_mm, length_mm, lambda: disc(diameter_px))


def test_discs_beside_one_line_are_pushed_together_until_they_meet():
    assert gap(disc(100), disc(100), 0) == 0
    # Two discs whose centers are 60 px apart across meet when they are 80 px apart along.
    assert abs(gap(disc(100), disc(100), 60) - 20) <= 1
    assert gap(disc(100), disc(100), 300) == 0  # they would never meet


def test_items_that_touch_meet_in_the_picture_and_others_do_not():
    pieces = cycle([disc_piece(120), disc_piece(90)])
    items = place_items(pieces, 40, seed=3, geometry=VIEW, touching=0.4)
    groups = touching_groups(items)
    assert 8 <= len(groups) <= 16 and all(len(group) == 2 for group in groups)
    scene = Scene([item for group in groups[:1] for item in map(items.__getitem__, group)], VIEW, 0)
    first, second = scene.items
    middle_mm = (first.position_mm + second.position_mm) / 2
    bright = scene.render(middle_mm)[..., 0] > 150
    columns = np.flatnonzero(bright.any(axis=0))
    assert np.diff(columns).max() == 1  # no belt between them
    apart_mm = np.hypot(second.position_mm - first.position_mm, second.offset_mm - first.offset_mm)
    assert abs(apart_mm - 105 * VIEW.mm_per_px) < 2


def test_overlapping_items_lie_deeper_than_touching_ones():
    def reach_mm(**how):
        items = place_items(drawn_pieces(1, VIEW), 60, seed=1, geometry=VIEW, **how)
        pairs = [[items[index] for index in sorted(group)] for group in touching_groups(items)]
        return np.mean(
            [(a.length_mm + b.length_mm) / 2 - (b.position_mm - a.position_mm) for a, b in pairs]
        )

    assert reach_mm(overlapping=0.4) > reach_mm(touching=0.4) + 10


def test_the_same_seed_lays_the_same_items():
    def laid():
        items = place_items(drawn_pieces(5, VIEW), 10, seed=2, geometry=VIEW, touching=0.3)
        return [(item.label, item.position_mm, item.offset_mm) for item in items]

    assert laid() == laid()
