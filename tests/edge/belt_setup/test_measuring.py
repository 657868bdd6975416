"""What is measured by rendered sheets, against the truth of the camera that rendered them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.belt_setup.detection import Flaw, Unusable
from edge.belt_setup.grades import CLIPPED, Grade, exposure
from edge.belt_setup.measuring import MeasuredView, SheetSighting, look, measure
from edge.belt_setup.motion import Direction
from edge.belt_setup.sheet import boards_printed
from edge.belt_setup.watching import UNCLEAR, Watched
from tests.support.sheet_camera import Look, folded_picture, picture, printed

SMALL = Look(width=960, height=540, focal_px=960, blur_px=0.7, noise=2)
LOOKS = (
    (SMALL, (-150, -100), 0),
    (replace(SMALL, tilt_x=15), (-150, -100), 3),
    (replace(SMALL, tilt_y=15, k1=0.1, shadow=0.4), (-150, -100), -5),
    (replace(SMALL, tilt_x=-8, tilt_y=10, k1=-0.15), (-180, -120), 8),
    (replace(SMALL, tilt_x=15, tilt_y=-15, noise=4), (-130, -90), 0),
    (replace(SMALL, k1=-0.15, blur_px=1.5, shadow=0.5), (-150, -100), 12),
    (replace(SMALL, focal_px=700, k1=-0.1, width=1280, height=720), (-150, -100), 2),
    (replace(SMALL, focal_px=1500, k1=0.1, tilt_y=-12, blur_px=2), (-140, -100), 180),
)


def sighting(pixels: np.ndarray, at: float = 0.0) -> SheetSighting:
    seen = look(pixels, at, None)
    assert isinstance(seen, SheetSighting), seen
    return seen


def measured(*sightings: SheetSighting) -> MeasuredView:
    found = measure(sightings)
    assert isinstance(found, MeasuredView), found
    return found


@pytest.mark.parametrize(("camera", "sheet_mm", "angle"), LOOKS)
def test_one_picture_gives_the_scale_at_the_middle(camera, sheet_mm, angle):
    if angle == 180:
        sheet_mm = (-sheet_mm[0], -sheet_mm[1])
    found = measured(sighting(picture(camera, sheet_mm=sheet_mm, angle=angle)))
    assert found.scale.along == pytest.approx(camera.mm_per_px, rel=0.005)
    tilt = np.degrees(np.arccos(camera.rotation[2, 2]))
    assert found.scale.tilt_degrees == pytest.approx(tilt, abs=2)
    arrow = np.radians(angle)
    ends = camera.to_px(np.array([[0, 0], [np.cos(arrow), np.sin(arrow)]]))
    truth = np.degrees(np.arctan2(*(ends[1] - ends[0])[::-1]))
    assert (found.arrow_angle - truth + 180) % 360 - 180 == pytest.approx(0, abs=0.3)
    assert found.motion is None and found.scale.residual_px < 0.3


@pytest.mark.parametrize(
    ("camera", "speed"),
    [
        (replace(SMALL, tilt_x=5, tilt_y=-6, k1=-0.12, shadow=0.3), 250.0),
        (replace(SMALL, tilt_y=8, k1=0.1, smear_px=5), 480.0),
    ],
)
def test_a_carried_sheet_gives_speed_direction_and_a_better_scale(camera, speed):
    steps = 150.0 * np.arange(5) / 2
    found = measured(
        *(
            sighting(picture(camera, sheet_mm=(-300, -110), belt_mm=step), step / speed)
            for step in steps
        )
    )
    assert found.motion is not None and found.motion.direction is Direction.RIGHT
    assert found.motion.speed_mm_s == pytest.approx(speed, rel=0.01)
    assert found.motion.way_mm == pytest.approx(steps[-1], rel=0.003)
    assert found.scale.along == pytest.approx(camera.mm_per_px, rel=0.003)
    ends = camera.to_mm(np.array([[0, 269.5], [1, 269.5], [958, 269.5], [959, 269.5]]))
    left, right = np.linalg.norm(ends[1::2] - ends[::2], axis=1)
    assert (found.scale.left, found.scale.right) == pytest.approx((left, right), rel=0.03)
    assert found.smear_px == pytest.approx(camera.smear_px if camera.smear_px else 0, abs=1.2)


def test_a_belt_that_stops_between_does_not_lower_the_speed():
    steps, at = (0.0, 50.0, 100.0, 100.0, 100.0, 150.0), (0.0, 0.2, 0.4, 1.4, 2.4, 2.6)
    found = measured(
        *(
            sighting(picture(SMALL, sheet_mm=(-250, -100), belt_mm=step), time)
            for step, time in zip(steps, at, strict=True)
        )
    )
    assert found.motion is not None
    assert found.motion.speed_mm_s == pytest.approx(250, rel=0.01)


@pytest.mark.parametrize(
    ("turned", "direction"), [(2, Direction.LEFT), (1, Direction.UP), (3, Direction.DOWN)]
)
def test_a_picture_that_is_turned_shows_another_direction(turned, direction):
    frames = [picture(SMALL, sheet_mm=(-180, -100), belt_mm=step) for step in (0.0, 60.0)]
    found = measured(
        *(sighting(np.rot90(frame, turned).copy(), n) for n, frame in enumerate(frames))
    )
    assert found.motion is not None and found.motion.direction is direction


def test_a_print_of_another_size_is_allowed_for():
    page = cv2.resize(printed("a4"), None, fx=0.97, fy=0.97, interpolation=cv2.INTER_AREA)
    frame = picture(SMALL, page=page)
    seen = look(frame, 0.0, None, boards_printed(97.0))
    assert isinstance(seen, SheetSighting)
    assert measured(seen).scale.along == pytest.approx(SMALL.mm_per_px, rel=0.005)


@pytest.mark.parametrize(
    ("change", "grade"),
    [
        ({}, Grade.GOOD),
        ({"paper": 120}, Grade.POOR),
        ({"paper": 80}, Grade.BAD),
        ({"paper": 300}, Grade.BAD),
        ({"shadow": 0.85}, Grade.POOR),
        ({"ink": 150}, Grade.POOR),
    ],
)
def test_exposure_is_judged(change, grade):
    seen = sighting(picture(replace(SMALL, noise=1, **change)))
    assert exposure(seen.light).grade is grade
    assert (seen.light.clipped > CLIPPED[0]) == (change.get("paper", 0) > 255)


@pytest.mark.parametrize(("blur", "width"), [(0.5, 1.9), (1.0, 2.8), (2.0, 5.2)])
def test_edges_are_as_wide_as_the_blur_makes_them(blur, width):
    found = sighting(picture(replace(SMALL, blur_px=blur))).widths
    assert found.arrow == pytest.approx(width, rel=0.12)
    assert found.cross == pytest.approx(width, rel=0.12)


def board_of(size: tuple[int, int], dictionary: int, first: int = 0) -> np.ndarray:
    """A4 with a board that is not ours."""
    ids = np.arange(first, first + size[0] * size[1] // 2, dtype=np.int32)
    kind = cv2.aruco.getPredefinedDictionary(dictionary)
    board = cv2.aruco.CharucoBoard(size, 30.0, 21.0, kind, ids)
    page = np.full_like(printed("a4"), 255)
    height, width = size[1] * 180, size[0] * 180
    page[72 : 72 + height, 72 : 72 + width] = board.generateImage((width, height), marginSize=0)
    return page


@pytest.mark.parametrize(
    ("page", "flaw"),
    [
        (board_of((8, 5), cv2.aruco.DICT_4X4_50), Flaw.OTHER_BOARD),
        (board_of((6, 5), cv2.aruco.DICT_4X4_100, 50), Flaw.OTHER_BOARD),
        (board_of((8, 5), cv2.aruco.DICT_5X5_100), Flaw.OTHER_DICTIONARY),
        (np.full_like(printed("a4"), 255), Flaw.NO_SHEET),
    ],
)
def test_another_sheet_is_refused(page, flaw):
    assert reason(picture(SMALL, page=page)) is flaw


def test_a_mirrored_sheet_is_refused():
    assert reason(picture(SMALL)[:, ::-1].copy()) is Flaw.MIRRORED


def test_a_sheet_partly_out_of_view_is_used_or_refused_by_its_corners():
    few = look(picture(SMALL, sheet_mm=(320, -100)), 0.0, None)
    assert isinstance(few, Unusable) and few.flaw is Flaw.TOO_FEW_CORNERS and few.measured < 12
    part = sighting(picture(SMALL, sheet_mm=(230, -100)))
    assert 12 <= len(part.found.corners_px) < 28


def test_a_sheet_with_a_ridge_is_refused():
    seen = look(folded_picture(SMALL, (-150, -100), 30), 0.0, None)
    assert isinstance(seen, Unusable) and seen.flaw in {Flaw.BENT, Flaw.NOT_FLAT}
    places = [(-330.0, -100.0), (-200.0, -100.0), (-70.0, -100.0), (60.0, -100.0)]
    for ridge, usable in ((0.0, True), (12.0, False)):
        seen = [look(folded_picture(SMALL, place, ridge), 0.0, None) for place in places]
        flat = [each for each in seen if isinstance(each, SheetSighting)]
        assert len(flat) == 4 or not usable
        assert (bool(flat) and isinstance(measure(flat), MeasuredView)) is usable


def reason(pixels: np.ndarray) -> Flaw:
    """Why a picture is refused, as the command finds out."""
    seen = look(pixels, 0.0, None)
    assert isinstance(seen, Unusable)
    watched = Watched()
    watched.add(seen)
    if seen.flaw in UNCLEAR:
        watched.blank = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return watched.reason().flaw
