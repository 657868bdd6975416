import cv2
import numpy as np
import pytest

from edge.synthetic.drawings import background as background
from edge.synthetic.items import draw_item
from edge.synthetic.segmentation import (
    NO_JITTER,
    PasteJitter,
    paste,
    paste_and_mask,
    segment_item,
)

SIDE = 160


def lay(item: np.ndarray, under: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A drawn item in the middle of a background, JPEG-compressed: the photo and its true mask."""
    side, room = item.shape[0], under.shape[0] - item.shape[0]
    alpha = np.pad(item[..., 3:] / 255, ((room // 2, room - room // 2),) * 2 + ((0, 0),))
    colors = np.pad(item[..., :3], ((room // 2, room - room // 2),) * 2 + ((0, 0),))
    assert alpha.shape[0] == under.shape[0] and side < under.shape[0]
    photo = np.rint(under * (1 - alpha) + colors * alpha).astype(np.uint8)
    packed = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return cv2.imdecode(packed, cv2.IMREAD_COLOR), alpha[..., 0] > 0.5


def plain(color: tuple[int, int, int]) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), color, np.uint8)


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    return np.count_nonzero((mask > 0) & truth) / np.count_nonzero((mask > 0) | truth)


@pytest.mark.parametrize("color", [(255, 255, 255), (8, 8, 8), (70, 130, 200)])
@pytest.mark.parametrize("label", ["Battery", "Mobile", "PCB", "Keyboard"])
def test_an_item_on_a_plain_background_is_segmented(label, color):
    photo, truth = lay(draw_item(label, 4, 120), plain(color))
    mask = segment_item(photo)
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 255}
    assert overlap(mask, truth) > 0.85


def test_items_on_wood_are_mostly_segmented():
    rng, overlaps = np.random.default_rng(2), []
    for seed, label in enumerate(["Battery", "Mobile", "PCB", "Printer", "Mouse", "Television"]):
        photo, truth = lay(draw_item(label, seed, 120), background._wood(rng, SIDE))
        mask = segment_item(photo)
        overlaps.append(0.0 if mask is None else overlap(mask, truth))
    assert np.median(overlaps) > 0.85


@pytest.mark.parametrize("body", [(175, 165, 150), (150, 150, 150)])
def test_a_machine_that_fills_the_photo_is_more_than_its_dark_window(body):
    y, x = np.mgrid[:SIDE, :SIDE]
    wall = 120 + 12 * np.sin(x / 7) + 10 * np.sin(y / 11)
    wall = wall + np.random.default_rng(0).normal(0, 6, (SIDE, SIDE))
    photo = np.repeat(wall.clip(0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    cv2.rectangle(photo, (10, 18), (150, 142), body, cv2.FILLED)
    cv2.rectangle(photo, (24, 34), (100, 126), (25, 22, 20), cv2.FILLED)
    cv2.rectangle(photo, (112, 52), (138, 60), (40, 200, 80), cv2.FILLED)
    truth = np.zeros((SIDE, SIDE), bool)
    truth[18:143, 10:151] = True
    assert overlap(segment_item(photo), truth) > 0.95


def test_a_white_machine_on_white_keeps_its_body():
    photo = plain((255, 255, 255))
    photo[20:140, 40:120] = (
        253  # hardly distinguishable from the background, but for its door and panel
    )
    cv2.circle(photo, (80, 90), 28, (60, 60, 70), 4)
    photo[24:34, 46:114] = 150
    truth = np.zeros((SIDE, SIDE), bool)
    truth[20:124, 46:114] = True
    mask = segment_item(photo)
    assert mask[90, 80] and mask[50, 80], "the flood ran through the machine"
    assert overlap(mask, truth) > 0.6


def test_background_seen_through_a_hole_of_one_part_stays_with_the_item():
    photo = plain((250, 250, 250))
    cv2.circle(photo, (80, 80), 40, (30, 60, 30), 12)
    assert segment_item(photo)[80, 80] == 255


@pytest.mark.parametrize("what", ["nothing", "texture"])
def test_a_photo_without_an_item_apart_from_its_background_is_left_whole(what):
    rng = np.random.default_rng(1)
    photo = plain((120, 120, 120)) if what == "nothing" else rng.integers(0, 256, (SIDE, SIDE, 3))
    assert segment_item(photo.astype(np.uint8)) is None


def test_cutting_out_depends_on_the_photo_alone_and_keeps_its_shape():
    photo, _ = lay(draw_item("PCB", 1, 120), background._wood(np.random.default_rng(3), SIDE))
    wide = cv2.resize(photo, (500, 300))
    np.testing.assert_array_equal(segment_item(wide), segment_item(wide.copy()))
    assert segment_item(wide).shape == (300, 500)


def test_pasted_as_it_was_the_item_stays_and_the_background_changes():
    photo, truth = lay(draw_item("Battery", 4, 120), plain((255, 255, 255)))
    under = plain((20, 90, 20))
    laid = paste(photo, segment_item(photo), under, np.random.default_rng(0), NO_JITTER)
    inner = cv2.erode(truth.astype(np.uint8), np.ones((9, 9))) > 0
    assert np.abs(laid[inner].astype(int) - photo[inner]).max() <= 2
    outside = cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))) == 0
    assert (laid[outside] <= under[outside]).all(), "only a shadow may lie on the background"
    assert (laid[:8] > 0).all() and not (laid[outside] > 200).any(), "the white background is gone"


def test_a_paste_depends_on_its_seed_alone():
    photo, truth = lay(draw_item("Mouse", 4, 120), plain((255, 255, 255)))
    mask = np.where(truth, np.uint8(255), np.uint8(0))
    first, again, other = (
        paste(photo, mask, plain((60, 60, 60)), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 1


def test_a_stretched_item_keeps_its_area_and_its_place():
    photo = np.full((120, 120, 3), 255, np.uint8)
    mask = np.zeros((120, 120), np.uint8)
    mask[40:80, 40:80] = 255
    background = np.zeros((120, 120, 3), np.uint8)
    aspects = []
    for seed in range(30):
        jitter = PasteJitter(0, (1, 1), 0, 0, stretch=2)
        rng = np.random.default_rng(seed)
        _, alpha = paste_and_mask(photo, mask, background, rng, jitter)
        rows, columns = np.nonzero(alpha > 0.5)
        assert abs(alpha.sum() - 38 * 38) < 120
        assert abs(rows.mean() - 59.5) < 1 and abs(columns.mean() - 59.5) < 1
        aspects.append(np.ptp(columns) / np.ptp(rows))
    assert min(aspects) < 0.7 and max(aspects) > 1.4 and max(aspects) < 2.2
