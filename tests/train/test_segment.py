"""Learning to cut items out, for real, from machines drawn on plain backgrounds."""

import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.errors import BadInput
from edge.photos.reading import LabeledPhoto
from edge.synthetic.drawings import background as background
from edge.synthetic.segmentation import segment_item
from train.augmentation.augment import belt_augmenter
from train.data.masks import mask_path, read_masks, squared, unsquared
from train.evaluation.background_swap import segment_items
from train.learning.job import Job, described, job_of_run, material_of, read
from train.learning.segmenter import predict_masks, train_segmenter

SIDE = 96


def machine(rng: np.random.Generator, under: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A pale machine with a dark window on a background, uint8 [S, S, 3], and its mask."""
    photo, mask = under.view(), np.zeros(under.shape[:2], np.uint8)
    width, height = rng.integers(44, 62, 2)
    left, top = rng.integers(10, SIDE - 10 - width), rng.integers(10, SIDE - 10 - height)
    mask[top : top + height, left : left + width] = 255
    photo[mask > 0] = rng.integers(165, 205) + rng.integers(-8, 9, 3)
    window = slice(top + 7, top + height - 7), slice(left + 7, left + width - 18)
    photo[window] = rng.integers(20, 50)
    for knob in (0.25, 0.5, 0.75):
        cv2.circle(photo, (left + width - 9, top + int(knob * height)), 3, (90, 90, 95), -1)
    return cv2.GaussianBlur(photo, (0, 0), 0.6), mask


def wall(rng: np.random.Generator) -> np.ndarray:
    """A background nearly as pale as the machines, with a dark floor."""
    under = np.full((SIDE, SIDE, 3), rng.integers(190, 230), np.float32)
    under[int(rng.integers(70, 90)) :] = (120, 95, 70)
    return (under + rng.normal(0, 4, under.shape)).clip(0, 255).astype(np.uint8)


def overlap(mask: np.ndarray | None, truth: np.ndarray) -> float:
    if mask is None:
        return 0.0
    return np.count_nonzero((mask > 0) & (truth > 0)) / np.count_nonzero((mask > 0) | (truth > 0))


@pytest.fixture(scope="module")
def segmenter():
    rng = np.random.default_rng(0)
    plain = [machine(rng, np.full((SIDE, SIDE, 3), 255, np.uint8))[0] for _ in range(40)]
    crowded = [machine(rng, background._clutter(rng, SIDE))[0] for _ in range(10)]
    pixels = np.stack(plain + crowded)
    return train_segmenter(pixels, np.arange(50) % 2, weights="none", steps=60, seed=1)


@pytest.mark.slow
def test_what_is_learned_on_plain_backgrounds_finds_whole_machines_before_a_wall(segmenter):
    rng = np.random.default_rng(7)
    photos, truths = zip(*(machine(rng, wall(rng)) for _ in range(12)), strict=True)
    likely = predict_masks(segmenter, np.stack(photos))
    assert likely.min() >= 0 and likely.max() <= 1
    rough = [cv2.resize(each, (SIDE, SIDE)) > 0.5 for each in likely]
    assert np.mean(list(map(overlap, rough, truths))) > 0.7
    learned = [segment_item(photo, each) for photo, each in zip(photos, likely, strict=True)]
    by_color = [segment_item(photo) for photo in photos]
    found, before = (np.mean(list(map(overlap, masks, truths))) for masks in (learned, by_color))
    assert found > before


@pytest.mark.slow
def test_the_same_seed_learns_the_same():
    rng = np.random.default_rng(0)
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    pixels = np.stack([machine(rng, white)[0] for _ in range(24)])
    once, again = (
        predict_masks(
            train_segmenter(pixels, np.arange(24) % 2, weights="none", steps=3, seed=1), pixels
        )
        for _ in range(2)
    )
    np.testing.assert_array_equal(once, again)


def test_without_plain_backgrounds_there_is_nothing_to_learn_from():
    rng = np.random.default_rng(0)
    pixels = np.stack([machine(rng, background._clutter(rng, SIDE))[0] for _ in range(25)])
    with pytest.raises(BadInput, match="photos to train on show their item on a plain background"):
        train_segmenter(pixels, np.arange(25) % 2, weights="none", steps=1, seed=0)


@pytest.mark.parametrize(("height", "width"), [(80, 120), (120, 80), (64, 64)])
def test_a_mask_is_framed_as_its_photo_is(height, width):
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 255
    square = squared(mask, 2 * max(height, width))
    back = unsquared(square, height, width)
    assert overlap(np.where(back > 127, 255, 0), mask) > 0.95
    whole = squared(np.full((height, width), 255, np.uint8), 100)
    assert abs((whole > 0).mean() - min(height, width) / max(height, width)) < 0.02


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """A dataset of drawn machines, and the masks that the command made of it."""
    folder = tmp_path_factory.mktemp("machines")
    rng = np.random.default_rng(3)
    for split, count in (("train", 14), ("val", 3), ("test", 3)):
        for label in ("Microwave", "Printer"):
            (folder / "data" / split / label).mkdir(parents=True)
            for number in range(count):
                plain = number % 4 or split == "test"
                under = np.full((SIDE, SIDE, 3), 255, np.uint8) if plain else wall(rng)
                photo = machine(rng, under)[0][:, :90, ::-1]
                cv2.imwrite(str(folder / "data" / split / label / f"{number}.png"), photo)
    run_command(folder, 0)
    return folder


def run_command(folder, code: int) -> str:
    command = [sys.executable, "train/segment.py", "--data", str(folder / "data"), "--out"]
    command += [str(folder / "masks"), "--weights", "none", "--steps", "2", "--image-size", "64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def photos_of(folder, split: str) -> list[LabeledPhoto]:
    paths = sorted((folder / "data" / split).glob("*/*.png"))
    return [LabeledPhoto(path, path.parent.name) for path in paths]


@pytest.mark.e2e
def test_the_command_writes_masks_that_laying_on_other_backgrounds_then_takes(cut):
    photos = photos_of(cut, "test")
    masks = read_masks(cut / "masks", [photo.path for photo in photos])
    assert all(mask is not None and mask.shape == (96, 90) for mask in masks)
    mine = np.zeros((96, 90), np.uint8)
    mine[20:60, 30:70] = 255
    cv2.imwrite(str(mask_path(cut / "masks", photos[0].path)), mine)  # corrected by hand
    mask_path(cut / "masks", photos[1].path).unlink()
    items = list(segment_items(photos, 48, cut / "masks"))
    assert items[1] is None and None not in (items[0], *items[2:])
    assert abs((items[0].mask > 0).mean() - (mine > 0).mean()) < 0.02
    assert items[0].mask.shape == items[0].pixels.shape[:2] == (48, 45)


@pytest.mark.e2e
def test_a_training_takes_its_masks_and_one_continued_takes_them_again(cut, tmp_path):
    job = Job((cut / "data",), "none", image_size=48, masks=cut / "masks")
    dataset = read(job)
    paths = [*dataset.train.paths, *dataset.val.paths]
    whole = np.full((96, 90), 255, np.uint8)
    whole[:, :12] = 0
    cv2.imwrite(str(mask_path(cut / "masks", paths[0])), whole)
    augmenter = material_of(job, dataset, tmp_path).augmenter
    by_itself = material_of(replace(job, masks=None), dataset, tmp_path).augmenter
    views = range(1, 13)
    differing = [np.any(augmenter(0, view) != by_itself(0, view)) for view in views]
    assert 3 <= sum(differing) < len(views)  # those laid on another background
    network = SimpleNamespace(new_layers=())
    (tmp_path / "config.json").write_text(json.dumps(described(job, dataset, network, "float32")))
    assert job_of_run(tmp_path) == replace(job, precision="float32")


@pytest.mark.e2e
def test_masks_are_not_overwritten_nor_taken_for_other_photos(cut, tmp_path):
    assert "holds something; give a folder that is new or empty" in run_command(cut, 2)
    other = tmp_path / "other.png"
    cv2.imwrite(str(other), np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(BadInput, match="holds no mask of these photos"):
        read_masks(cut / "masks", [other])
    mask_path(tmp_path, other).write_bytes(b"no picture")
    with pytest.raises(BadInput, match="not a readable image"):
        read_masks(tmp_path, [other])
    with pytest.raises(BadInput, match="cannot be read"):
        mask_path(tmp_path, tmp_path / "gone.jpg")


def test_training_lays_down_what_the_given_masks_say():
    """A photo red on the left, blue on the right, on white: only the red counts as item."""
    photo = np.full((SIDE, SIDE, 3), 255, np.uint8)
    photo[30:66, 20:48], photo[30:66, 48:76] = (200, 20, 20), (20, 20, 200)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[30:66, 20:48] = 255
    pixels, classes = np.stack([photo] * 2), np.array([0, 1])

    def red_alone(mask: np.ndarray) -> int:
        augmenter = belt_augmenter(pixels, classes, 0, [mask, mask])
        views = [augmenter(0, view).astype(int) for view in range(1, 31)]
        red = [np.count_nonzero(view[..., 0] - view[..., 2] > 80) > 100 for view in views]
        blue = [np.count_nonzero(view[..., 2] - view[..., 0] > 80) > 100 for view in views]
        return np.count_nonzero(np.array(red) & ~np.array(blue))

    both = mask | np.roll(mask, 28, axis=1)
    assert red_alone(mask) >= 5 > 2 >= red_alone(both)


def test_a_mask_may_be_long_clear_or_broken(tmp_path):
    photo = tmp_path / "long.png"
    Image.new("RGB", (8000, 800)).save(photo)
    drawn = Image.new("RGBA", (8000, 800))  # clear, so no item, but for a white part
    drawn.paste("white", (0, 0, 4000, 800))
    drawn.save(mask_path(tmp_path, photo))
    [mask] = read_masks(tmp_path, [photo])
    assert mask.shape == (800, 8000) and mask.mean() == pytest.approx(127.5)
    tracemalloc.start()
    square = squared(mask, 64)
    assert tracemalloc.get_traced_memory()[1] < 40e6  # the square of it would take 64
    tracemalloc.stop()
    assert square.shape == (64, 64) and square.mean() / 255 == pytest.approx(0.05, abs=0.01)
    mask_path(tmp_path, photo).write_bytes(b"no picture")
    with pytest.raises(BadInput, match="not a readable image"):
        read_masks(tmp_path, [photo])
