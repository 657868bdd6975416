"""Reading photos and folders of labelled photos, on the workstation and the device alike."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from edge.errors import BadInput

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
SPLITS = ("train", "val", "test")


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


def find_photos(folder: Path) -> list[LabelledPhoto]:
    """List the photos of `folder/CLASS/*`, sorted by class and name.

    Raises:
        BadInput: the folder is missing, has no class folder, or a class folder holds no image.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder of photos (expected one subfolder per class)")
    photos: list[LabelledPhoto] = []
    for class_folder in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        of_class = [
            LabelledPhoto(path, class_folder.name)
            for path in sorted(class_folder.iterdir())
            if path.suffix.lower() in PHOTO_SUFFIXES
        ]
        if not of_class:
            raise BadInput(f"{class_folder}: the class has no image; add some or remove the folder")
        photos += of_class
    if not photos:
        raise BadInput(f"{folder}: holds no class folder with images (expected CLASS/*.jpg)")
    return photos


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
