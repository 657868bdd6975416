import cv2
import numpy as np
import pytest

from edge.belt.touching import Outline, body_of, multi_object_score, shape_of

CELL_MM = 2.5


def outline(*shapes) -> Outline:
    """The outline of filled polygons and ellipses, mm, in a view of 400 x 300 mm."""
    mask = np.zeros((120, 160), np.uint8)
    for points in shapes:
        cv2.fillPoly(mask, [np.rint(np.array(points) / CELL_MM).astype(np.int32)], 1)
    left, top, width, height = cv2.boundingRect(mask)
    return Outline(mask[top : top + height, left : left + width].copy(), CELL_MM)


def box(left, top, width, height, turn=0.0):
    corners = cv2.boxPoints(((left + width / 2, top + height / 2), (width, height), turn))
    return corners.tolist()


def ellipse(x, y, half_x, half_y):
    angle = np.linspace(0, 2 * np.pi, 60)
    return np.stack([x + half_x * np.cos(angle), y + half_y * np.sin(angle)], axis=1)


@pytest.mark.parametrize("turn", [0, 20, 45, 70])
@pytest.mark.parametrize("size", [(60, 60), (140, 70), (200, 90), (150, 150)])
def test_a_box_at_any_angle_is_one_object(size, turn):
    assert multi_object_score(shape_of(outline(box(80, 60, *size, turn)))) < 0


def test_a_mouse_with_its_cable_is_one_object():
    mouse = outline(ellipse(100, 150, 35, 55))
    assert multi_object_score(shape_of(mouse)) < 0
    cable = [(130, 150), (250, 100), (250, 105), (130, 156)]
    wired = outline(ellipse(100, 150, 35, 55), cable)
    assert multi_object_score(shape_of(wired)) < 0
    assert shape_of(wired).features == pytest.approx(shape_of(mouse).features, rel=0.25, abs=0.05)


@pytest.mark.parametrize(
    "pair",
    [
        (box(40, 40, 120, 80), box(160, 90, 120, 80)),  # side against side
        (box(40, 40, 120, 80), box(150, 110, 120, 80)),  # a corner over the other
        (ellipse(100, 100, 40, 60), ellipse(180, 120, 40, 60)),
        (box(60, 60, 180, 80), box(120, 130, 70, 140)),  # a T
        (box(60, 60, 150, 70, 45), box(160, 60, 150, 70, -45)),
    ],
)
def test_two_objects_against_or_over_each_other_are_more_than_one(pair):
    assert multi_object_score(shape_of(outline(*pair))) > 0
    assert all(multi_object_score(shape_of(outline(one))) < 0 for one in pair)


def test_holes_belong_to_the_object_and_thin_parts_do_not():
    whole, ring = outline(box(60, 60, 120, 120)), outline(box(60, 60, 120, 120))
    ring.mask[15:30, 15:30] = 0
    assert np.array_equal(body_of(ring), body_of(whole))
    thread = outline(box(20, 20, 200, 5))
    assert body_of(thread).any()  # what is thin everywhere is all there is
