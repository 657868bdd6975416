"""Masks of photos in a folder, by `train/segment.py` or by hand: STEM-DIGEST.png, white the item.

A photo without one has no item that could be segmented.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.errors import BadInput
from edge.files import read_bounded
from edge.inference.preprocess import PADDED_SIDE
from edge.photos.reading import MOST_BYTES, read_photo

LONGEST_STEM = 200
"""Bytes of a photo's name that are part of its mask's: a file name ends at 255."""


def mask_path(masks: Path, photo: Path) -> Path:
    """Where the mask of a photo lies; by what is in the photo, wherever it lies itself.

    Raises:
        BadInput: the photo cannot be read.
    """
    try:
        digest = hashlib.sha256(read_bounded(photo, MOST_BYTES)).hexdigest()
    except OSError as error:
        raise BadInput(f"{photo}: cannot be read ({error.strerror})") from None
    stem = os.fsdecode(os.fsencode(photo.stem)[:LONGEST_STEM])
    return masks / f"{stem}-{digest[:8]}.png"


def read_masks(masks: Path, photos: Sequence[Path]) -> list[np.ndarray | None]:
    """The masks of photos, uint8 [H, W] 0 or 255 of any size; None: it has none.

    Raises:
        BadInput: no photo has one, or one cannot be read.
    """
    paths = [mask_path(masks, photo) for photo in photos]
    found = [_read(path) if path.is_file() else None for path in paths]
    if all(mask is None for mask in found):
        raise BadInput(f"{masks}: holds no mask of these photos; train/segment.py makes them")
    return found


def fitted(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """A mask, uint8 [H, W], at another size."""
    resized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(resized > 127, np.uint8(255), np.uint8(0))


def squared(mask: np.ndarray, size: int) -> np.ndarray:
    """A photo's mask, uint8 [H, W], as `edge.inference.preprocess.model_input` frames the photo.

    Returns uint8 [size, size]; what repeats the photo's border is no item.
    """
    height, width = mask.shape
    if (longest := max(height, width)) > PADDED_SIDE:  # or the square would be much too large
        scale = PADDED_SIDE / longest
        height, width = (max(1, round(length * scale)) for length in (height, width))
        mask = fitted(mask, height, width)
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side), np.uint8)
    square[top : top + height, left : left + width] = mask
    return fitted(square, size, size)


def unsquared(square: np.ndarray, height: int, width: int) -> np.ndarray:
    """The part [height, width] of a square, any size, that `model_input` framed a photo with."""
    side = max(height, width)
    whole = cv2.resize(square, (side, side), interpolation=cv2.INTER_LINEAR)
    top, left = (side - height) // 2, (side - width) // 2
    return whole[top : top + height, left : left + width]


def _read(path: Path) -> np.ndarray:
    mask = cv2.cvtColor(read_photo(path, background="black"), cv2.COLOR_RGB2GRAY)
    return np.where(mask > 127, np.uint8(255), np.uint8(0))
