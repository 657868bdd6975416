"""Photos that bear none of the labels: unlabeled ones, and negatives."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import BadInput
from edge.inference.preprocess import model_input
from edge.photos.dataset import photos_below
from edge.photos.reading import LabeledPhoto, read_photos
from train.data.dataset import Dataset
from train.data.duplicates import without_copies

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OtherPhotos:
    """Photos without a label, at the model's size.

    Attributes:
        pixels: uint8 RGB [photos, S, S, 3].
        negative: bool [photos], True for a thing of no known class, False where nobody knows.
        paths: the file of each photo.
    """

    pixels: np.ndarray
    negative: np.ndarray
    paths: tuple[Path, ...]


def read_other_photos(
    dataset: Dataset, size: int, unlabeled: Sequence[Path], negatives: Sequence[Path]
) -> OtherPhotos:
    """Read the photos below the folders, without those that have a copy in val, test, or outside.

    Negatives are also the dataset's own photos of classes that are called `other-NAME`.

    Raises:
        BadInput: a folder is missing or holds no usable photo.
    """
    listed = [(photo, True) for photo in dataset.negatives]
    for option, folders in (("unlabeled", unlabeled), ("negatives", negatives)):
        for folder in folders:
            found = photos_below(folder)
            if not found:
                raise BadInput(f"--{option} {folder}: holds no photo")
            listed += [(path, option == "negatives") for path in found]
    if not listed:
        return OtherPhotos(np.zeros((0, size, size, 3), np.uint8), np.zeros(0, bool), ())
    is_negative = dict(listed)
    pixels, paths = [], []
    for photo, image in read_photos(LabeledPhoto(path, "") for path in is_negative):
        pixels.append(model_input(image, size))
        paths.append(photo.path)
    judged = [split.pixels for split in (dataset.val, dataset.test, dataset.outside) if split]
    fixed = [picture for part in judged for picture in part]
    kept = without_copies(pixels, fixed)
    if len(kept) < len(pixels):
        log.info(f"left out for a copy in val or test: {len(pixels) - len(kept)} other photos")
    return OtherPhotos(
        np.stack([pixels[place] for place in kept])
        if len(kept)
        else np.zeros((0, size, size, 3), np.uint8),
        np.array([is_negative[paths[place]] for place in kept], bool),
        tuple(paths[place] for place in kept),
    )
