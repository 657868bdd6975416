"""The images that the ranges of a model's activations are taken from."""

from collections.abc import Sequence

import numpy as np

from edge.errors import BadInput
from edge.inference.preprocess import model_input
from edge.photos.reading import LabeledPhoto, read_photos
from train.augmentation.augment import belt_augmenter


def calibration_images(
    photos: Sequence[LabeledPhoto], *, labels: Sequence[str], size: int, seed: int
) -> np.ndarray:
    """Each photo, followed by an augmented view of it: uint8 RGB [2 * photos, size, size, 3].

    The belt shows items on backgrounds, at angles, and in lights that few photos have, and what is
    beyond the range of an activation is clipped.

    Args:
        photos: of all classes; an unreadable one is left out.
        labels: the class names.
        size: side of the model's input, px.
        seed: of the views.

    Raises:
        BadInput: a class is missing, so activations that are large for it only would be clipped.
    """
    images, names = [], []
    for photo, pixels in read_photos(photos):
        images.append(model_input(pixels, size))
        names.append(photo.label)
    missing = [label for label in labels if label not in names]
    if missing:
        raise BadInput(
            f"no photo of {', '.join(missing)} among the {len(images)} calibration photos; "
            "give train photos of every class, or a larger --calibration"
        )
    classes = np.array([labels.index(name) for name in names])
    view_of = belt_augmenter(np.stack(images), classes, seed)
    return np.stack([view_of(photo, view) for photo in range(len(images)) for view in (0, 1)])
