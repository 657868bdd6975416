"""Reading photos, on the workstation and the device alike."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from edge.errors import BadInput

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


@dataclass(frozen=True)
class LabelledPhoto:
    """One photo of a dataset: where it lies and what is on it."""

    path: Path
    label: str


def read_photo(path: Path) -> np.ndarray:
    """Read an image file as uint8 RGB [height, width, 3].

    Grayscale and CMYK are converted, transparency is put on white, the EXIF orientation is applied.

    Raises:
        BadInput: the file is missing, empty or not a readable image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                image = ImageOps.exif_transpose(opened)
                if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                    image = image.convert("RGBA")
                    ground = Image.new("RGBA", image.size, "white")
                    image = Image.alpha_composite(ground, image)
                return np.asarray(image.convert("RGB"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such image file") from None
    except UnidentifiedImageError:
        raise BadInput(
            f"{path}: not a readable image (empty, damaged or of another kind)"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning) as error:
        raise BadInput(f"{path}: not a readable image ({error})") from None


def read_photos(
    photos: Iterable[LabelledPhoto], skipped: Callable[[str], None]
) -> Iterator[tuple[LabelledPhoto, np.ndarray]]:
    """Read photos one by one; unreadable ones are left out, and `skipped` gets a line for each.

    Yields pairs of the photo and its uint8 RGB [height, width, 3] pixels; only one is in memory.

    Raises:
        BadInput: not one photo could be read (at the end).
    """
    read = 0
    for photo in photos:
        try:
            pixels = read_photo(photo.path)
        except BadInput as error:
            skipped(f"skipped {error}")
            continue
        read += 1
        yield photo, pixels
    if not read:
        raise BadInput("none of the photos could be read; check the dataset")
