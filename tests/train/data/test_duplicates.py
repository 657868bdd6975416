import cv2
import numpy as np
import pytest
from PIL import Image

from edge.synthetic.items import draw_item, draw_on_background
from train.data.duplicates import find_groups, without_copies

LABELS = ("Battery", "Keyboard", "Mobile", "PCB", "Printer", "Washing Machine")


def recompressed(picture):
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def zoomed(picture, scale=1.06):
    side = picture.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), 0, scale)
    return cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)


def bordered(picture):
    """A stock agency's bar below."""
    return cv2.copyMakeBorder(picture, 0, 16, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def on_white(label, seed):
    item = Image.fromarray(draw_item(label, seed, 160))
    return np.asarray(Image.alpha_composite(Image.new("RGBA", item.size, "white"), item))[..., :3]


CHANGES = {
    "the same pixels": np.copy,
    "recompressed": recompressed,
    "half the size": lambda picture: cv2.resize(picture, None, fx=0.5, fy=0.5),
    "mirrored": lambda picture: np.ascontiguousarray(picture[:, ::-1]),
    "brighter": lambda picture: cv2.convertScaleAbs(picture, alpha=0.85, beta=35),
    "mirrored and recompressed": lambda picture: recompressed(picture[:, ::-1].copy()),
}


@pytest.mark.parametrize("how", CHANGES)
def test_copies_are_found_and_others_are_left_alone(how):
    originals = [draw_on_background(label, seed, 150) for label in LABELS for seed in range(2)]
    count = len(originals)
    groups = find_groups([*originals, *(CHANGES[how](picture) for picture in originals)])
    np.testing.assert_array_equal(groups, np.tile(np.arange(count), 2))


@pytest.mark.parametrize(
    ("change", "least"),
    [(zoomed, 11), (lambda picture: zoomed(picture, 1.15), 9), (bordered, 8)],
    ids=["zoomed", "cropped", "with a bar"],
)
def test_most_copies_with_another_border_are_found_and_none_is_mistaken(change, least):
    originals = [draw_on_background(label, seed, 150) for label in LABELS for seed in range(2)]
    groups = find_groups([*originals, *(change(picture) for picture in originals)])
    first, own = np.arange(12), np.arange(12, 24)
    found, alone = groups[12:] == first, groups[12:] == own
    assert (found | alone).all() and found.sum() >= least
    np.testing.assert_array_equal(groups[:12], first)


def test_different_items_of_one_class_on_white_are_not_copies():
    for label in LABELS:
        groups = find_groups([on_white(label, seed) for seed in range(12)])
        np.testing.assert_array_equal(groups, np.arange(12), label)


def test_copies_of_copies_are_one_group_named_by_its_first():
    picture, other = (draw_on_background("PCB", seed, 150) for seed in (0, 1))
    chain = [other, picture, zoomed(picture), recompressed(zoomed(picture)), other.copy()]
    assert find_groups(chain).tolist() == [0, 1, 1, 1, 0]


def test_pictures_of_nothing_are_copies_of_the_same_nothing_only():
    black, white = (np.full((40, 40, 3), gray, np.uint8) for gray in (0, 255))
    assert find_groups([black, white, black]).tolist() == [0, 1, 0]


def test_copies_of_what_is_judged_are_left_out():
    judged = [on_white(label, seed) for seed, label in enumerate(LABELS)]
    others = [on_white(label, seed + 50) for seed, label in enumerate(LABELS[:3])]
    mixed = [others[0], recompressed(judged[2]), others[1], zoomed(judged[4]), others[2]]
    assert without_copies(mixed, judged).tolist() == [0, 2, 4]
    assert without_copies(mixed, []).tolist() == [0, 1, 2, 3, 4]
