import os
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.files import temporary_beside
from edge.synthetic import items
from edge.synthetic.items import CLASSES, SIZE_MM, draw_item, draw_on_background, write_dataset

SIZE = 96


@pytest.mark.parametrize("label", CLASSES)
def test_an_item_is_one_opaque_shape_clear_of_the_border(label: str) -> None:
    for seed in range(4):
        drawn = draw_item(label, seed, SIZE)
        assert drawn.dtype == np.uint8 and drawn.shape == (SIZE, SIZE, 4)
        alpha = drawn[..., 3]
        assert not np.concatenate([alpha[:2], alpha[-2:], alpha[:, :2].T, alpha[:, -2:].T]).any()
        solid = (alpha > 127).astype(np.uint8)
        assert 0.1 < solid.mean() < 0.9
        spans = np.ptp(np.argwhere(solid), axis=0) + 1
        assert spans.max() > 0.85 * SIZE
        inside = cv2.erode(solid, np.ones((5, 5), np.uint8)) > 0
        assert (alpha[inside] == 255).mean() > 0.99
        _, _, stats, _ = cv2.connectedComponentsWithStats(solid)
        assert stats[1:, cv2.CC_STAT_AREA].max() > 0.97 * solid.sum()


@pytest.mark.parametrize("label", CLASSES)
def test_a_seed_gives_the_same_item_and_another_seed_another(label: str) -> None:
    drawn = [draw_item(label, seed, 48) for seed in range(6)]
    assert np.array_equal(drawn[0], draw_item(label, 0, 48))
    assert np.array_equal(draw_on_background(label, 3, 48), draw_on_background(label, 3, 48))
    seen = [item[..., :3] * (item[..., 3:] / 255.0) for item in drawn]
    apart = [np.abs(one - other).mean() for one, other in combinations(seen, 2)]
    assert min(apart) > 3
    assert np.mean(apart) > 15


def test_an_item_keeps_its_look_at_any_size() -> None:
    large = Image.fromarray(draw_item("Mobile", 5, 192)).resize((64, 64), Image.Resampling.BOX)
    small = draw_item("Mobile", 5, 64)
    assert np.abs(np.asarray(large, float) - small).mean() < 12


def test_a_picture_shows_the_item_on_a_background() -> None:
    for seed in range(14):  # enough to meet each kind of background
        picture = draw_on_background("Keyboard", seed, 64)
        assert picture.dtype == np.uint8 and picture.shape == (64, 64, 3)
        assert picture.std() > 5


def test_an_unknown_class_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'Toaster'.*Battery, .*Washing Machine"):
        draw_item("Toaster", 0)


def test_every_class_has_a_size_on_the_belt() -> None:
    assert set(SIZE_MM) == set(CLASSES)
    assert all(0 < least < most for least, most in SIZE_MM.values())


def test_a_dataset_is_an_image_folder_whose_splits_share_no_picture(tmp_path: Path) -> None:
    out = tmp_path / "drawn"
    out.mkdir()  # an empty folder is taken
    write_dataset(out, {"train": 2, "test": 1}, seed=7, size=32)
    assert sorted(path.name for path in out.iterdir()) == ["test", "train"]
    for split, count in (("train", 2), ("test", 1)):
        assert {folder.name for folder in (out / split).iterdir()} == set(CLASSES)
        assert all(len(list(folder.glob("*.jpg"))) == count for folder in (out / split).iterdir())
    photos = sorted(out.rglob("*.jpg"))
    assert Image.open(photos[0]).size == (32, 32)
    assert len({photo.read_bytes() for photo in photos}) == 3 * len(CLASSES)
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]


def test_a_dataset_does_not_overwrite(tmp_path: Path) -> None:
    kept = tmp_path / "drawn" / "notes.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    with pytest.raises(FileExistsError, match="drawn: is not empty"):
        write_dataset(kept.parent, {"train": 1}, seed=0, size=32)
    assert [path.name for path in kept.parent.iterdir()] == ["notes.txt"]
    assert kept.read_text() == "mine"


def test_a_dataset_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_until_full(label: str, seed: int, size: int) -> np.ndarray:
        if label == "Keyboard":
            raise OSError("no space left on device")
        return np.zeros((size, size, 3), np.uint8)

    monkeypatch.setattr(items, "draw_on_background", draw_until_full)
    with pytest.raises(OSError, match="no space"):
        write_dataset(tmp_path / "drawn", {"train": 1}, seed=0, size=32)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    left = temporary_beside(tmp_path / "drawn")  # by a killed run
    (left / "train").mkdir(parents=True)
    os.utime(left, (0, 0))
    write_dataset(tmp_path / "drawn", {"val": 1}, seed=0, size=32)
    assert [path.name for path in (tmp_path / "drawn").iterdir()] == ["val"]
    assert not left.exists()
