"""The images of a calibration, on drawn photos."""

from pathlib import Path

import numpy as np
import pytest

from convert.proof.calibration_images import calibration_images
from convert.proof.dataset import stratify
from edge.errors import BadInput
from edge.inference.preprocess import model_input
from edge.photos.dataset import find_photos
from edge.photos.reading import LabeledPhoto, read_photos
from tests.support.drawn import LABELS, SIZE


@pytest.fixture(scope="module")
def photos(drawn_data: Path) -> list[LabeledPhoto]:
    return stratify(find_photos(drawn_data / "train"), seed=0)[:12]


def test_each_photo_is_followed_by_a_view_of_it(photos: list[LabeledPhoto]) -> None:
    images = calibration_images(photos, labels=LABELS, size=SIZE, seed=0)
    assert images.shape == (24, SIZE, SIZE, 3) and images.dtype == np.uint8
    plain = [model_input(pixels, SIZE) for _, pixels in read_photos(photos)]
    assert np.array_equal(images[::2], plain)
    assert all((view != photo).any() for photo, view in zip(images[::2], images[1::2], strict=True))


def test_the_seed_makes_the_views(photos: list[LabeledPhoto]) -> None:
    first, again, other = (
        calibration_images(photos, labels=LABELS, size=SIZE, seed=seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_missing_class_is_named(photos: list[LabeledPhoto]) -> None:
    some = [photo for photo in photos if photo.label != LABELS[1]]
    with pytest.raises(BadInput, match=f"no photo of {LABELS[1]} among the {len(some)} calibr"):
        calibration_images(some, labels=LABELS, size=SIZE, seed=0)
