from collections import Counter
from itertools import islice

import numpy as np
import pytest

from edge.belt.geometry import Geometry
from edge.photos.reading import LabeledPhoto
from edge.simulator.layout import PlacedItem, place_items
from edge.simulator.pieces import card, drawn_pieces, photo_pieces
from edge.simulator.scene import Scene
from edge.synthetic.drawings.rubber import BELT_COLOR
from edge.synthetic.items import CLASSES, SIZE_MM

VIEW = Geometry()


def block(position_mm, offset_mm=0.0, length_mm=100.0, width_mm=80.0, color=(250, 10, 10)):
    size = (round(width_mm / VIEW.mm_per_px), round(length_mm / VIEW.mm_per_px))
    sprite = np.full((*size, 4), (*color, 255), np.uint8)
    return PlacedItem("Mouse", position_mm, offset_mm, length_mm, width_mm, lambda: sprite)


def red(pixels):
    """The box (left, top, right, bottom) of what is plainly red."""
    rows, columns = np.nonzero((pixels[..., 0] > 180) & (pixels[..., 1] < 60))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_item_is_where_geometry_says_and_moves_right_with_the_belt():
    scene = Scene([block(1000.0, offset_mm=50.0)], VIEW, seed=0)
    assert red(scene.render(1000.0)) == (560, 376, 720, 504)
    assert red(scene.render(1062.5)) == (660, 376, 820, 504)
    assert red(scene.render(620.0)) == (0, 376, 112, 504)  # entering, cut off by the border


def test_belt_is_dark_rubber_whose_texture_scrolls_and_repeats():
    scene = Scene([], VIEW, seed=3)
    first, moved = scene.render(0.0).astype(int), scene.render(62.5).astype(int)
    assert np.abs(first.mean(axis=(0, 1)) - BELT_COLOR).max() < 8
    middle = np.s_[200:500, 500:700]
    shifted = np.s_[200:500, 600:800]
    still, scrolled = moved[middle] - first[middle], moved[shifted] - first[middle]
    assert scrolled.std() < still.std()
    for reading in (-5000.0, 1999.9, 2000.0, 123456.7):
        assert scene.render(reading).shape == (720, 1280, 3)


def test_noise_differs_from_frame_to_frame_but_not_from_run_to_run():
    one, other = Scene([], VIEW, seed=3), Scene([], VIEW, seed=3)
    first, second = one.render(0.0), one.render(0.0)
    assert (first != second).any()
    assert np.abs(first.astype(int) - second).max() <= 5
    assert np.array_equal(first, other.render(0.0))
    assert np.array_equal(second, other.render(0.0))


def test_items_have_a_soft_shadow():
    pixels = Scene([block(0.0)], VIEW, seed=0).render(0.0).astype(int)
    beside, away = pixels[300:420, 722:726].mean(), pixels[300:420, 780:800].mean()
    assert beside < away - 5


def test_only_items_in_view_are_drawn_and_kept():
    drawn = []

    def draw(index):
        drawn.append(index)
        return np.full((100, 100, 4), 255, np.uint8)

    items = [
        PlacedItem("Mouse", 300.0 * index, 0.0, 62.5, 62.5, lambda index=index: draw(index))
        for index in range(50)
    ]
    scene = Scene(items, VIEW, seed=0)
    most = 0
    for encoder_mm in range(0, 15000, 50):
        scene.render(float(encoder_mm))
        most = max(most, len(scene._layers))
    assert drawn == list(range(50))
    assert most <= 4


def test_a_removed_item_is_gone():
    scene = Scene([block(0.0)], VIEW, seed=0)
    scene.remove(0)
    assert scene.render(0.0).max() < 140


def test_drawn_items_of_all_classes_lie_in_view_without_touching():
    items = place_items(drawn_pieces(7, VIEW), 20, seed=7, geometry=VIEW)
    assert Counter(item.label for item in items) == dict.fromkeys(CLASSES, 2)
    ends = [400.0]
    for item in items:
        assert abs(item.offset_mm) + item.width_mm / 2 <= 225.0
        assert 80.0 <= item.position_mm - item.length_mm / 2 - ends[-1] <= 250.0
        ends.append(item.position_mm + item.length_mm / 2)
        longest = max(item.length_mm, item.width_mm)
        assert SIZE_MM[item.label][0] <= longest + 1e-6
        assert longest <= SIZE_MM[item.label][1] + 1e-6
        height, width = item.draw().shape[:2]
        assert abs(width * VIEW.mm_per_px - item.length_mm) < 5
        assert abs(height * VIEW.mm_per_px - item.width_mm) < 5
    again = place_items(drawn_pieces(7, VIEW), 20, seed=7, geometry=VIEW)
    assert [item.position_mm for item in again] == [item.position_mm for item in items]
    assert np.array_equal(again[3].draw(), items[3].draw())


def test_each_photo_lies_on_the_belt_once_before_any_lies_there_twice(card_photos):
    pieces = list(islice(photo_pieces(card_photos, 1, VIEW), 25))
    assert Counter(piece.label for piece in pieces[:20]) == {"Mouse": 10, "Printer": 10}
    for piece in pieces:
        height, width = piece.draw().shape[:2]
        assert abs(width * VIEW.mm_per_px - piece.length_mm) < 2
        assert abs(height * VIEW.mm_per_px - piece.width_mm) < 2


def test_card_shows_the_whole_photo_turned_within_a_rotated_mask():
    photo = np.full((40, 80, 3), 200, np.uint8)
    straight = card(photo, 160, 0.0)
    assert straight.shape == (80, 160, 4)
    assert (straight[2:-2, 2:-2] == (200, 200, 200, 255)).all()
    turned = card(photo, 160, 10.0)
    assert turned[0, 0, 3] == 0
    assert (turned[..., 3] > 127).sum() == pytest.approx(160 * 80, rel=0.03)


def test_no_photos_place_nothing():
    nothing: list[LabeledPhoto] = []
    assert place_items(photo_pieces(nothing, 0, VIEW), 5, 0, VIEW) == []
