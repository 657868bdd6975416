"""Reading photos and folders of labelled photos, on the workstation and the device alike."""

import csv
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from edge.errors import BadInput

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
SPLITS = ("train", "val", "test")
SPLIT_FILE = "split.csv"
"""In a run directory: a CSV dataset of the photos it used, and for what."""

UNSPLIT = ""
"""The one split of a dataset that does not say which photo is for what."""

Listing = Mapping[str, list["LabelledPhoto"]]
"""The photos of a dataset by split: some of SPLITS, or UNSPLIT alone."""


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


def find_dataset(data: Path) -> Listing:
    """List the photos of a dataset, which is one of

    - a folder `SPLIT/CLASS/*` with splits `train`, `val`, `test`,
    - a folder `CLASS/*` without splits,
    - a CSV file with a header and the columns `path` (relative to the file), `label` and, if it
      knows splits, `split`.

    Raises:
        BadInput: it is none of them, or incomplete.
    """
    if data.is_file():
        return _read_listing(data)
    if not data.is_dir():
        raise BadInput(f"{data}: no such folder of photos, nor a CSV file that lists them")
    splits = [split for split in SPLITS if (data / split).is_dir()]
    if not splits:
        return {UNSPLIT: find_photos(data)}
    return {split: find_photos(data / split) for split in splits}


def of_split(data: Path, listing: Listing, split: str) -> list[LabelledPhoto]:
    """The photos of one split of a dataset that has splits.

    Raises:
        BadInput: the split is missing.
    """
    if split in listing:
        return listing[split]
    if data.is_file():
        raise BadInput(f"{data}: no row of the split {split}")
    raise BadInput(f"{data / split}: no such folder of photos, though {data} has other splits")


def name_in_dataset(data: Path, photo: Path) -> str:
    """A photo's path from the dataset's folder (that of the CSV file) on, with slashes."""
    folder = data.parent if data.is_file() else data
    return Path(os.path.relpath(photo, folder)).as_posix()


def _read_listing(path: Path) -> Listing:
    listing: dict[str, list[LabelledPhoto]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = {"path", "label"} - set(rows.fieldnames or ())
            if missing:
                raise BadInput(
                    f"{path}: no column {' and '.join(sorted(missing))} (the first line must name "
                    "the columns: path,label and, if need be, split)"
                )
            for row in rows:
                photo, split = _read_row(row, f"{path}: line {rows.line_num}", path.parent)
                listing.setdefault(split, []).append(photo)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: not a CSV file in UTF-8 ({error})") from None
    if not listing:
        raise BadInput(f"{path}: lists no photos")
    if UNSPLIT in listing and len(listing) > 1:
        count = len(listing[UNSPLIT])
        raise BadInput(f"{path}: {count} photos have no split; fill the column for all or for none")
    return listing


def _read_row(row: Mapping[str, str | None], where: str, folder: Path) -> tuple[LabelledPhoto, str]:
    named, label, split = ((row.get(key) or "").strip() for key in ("path", "label", "split"))
    if not named or not label:
        raise BadInput(f"{where}: no {'label' if named else 'path'}")
    if split not in (*SPLITS, UNSPLIT):
        raise BadInput(f"{where}: split {split!r}; it must be one of {', '.join(SPLITS)}")
    if not (folder / named).is_file():
        raise BadInput(f"{where}: labelled {label}, but there is no file {folder / named}")
    return LabelledPhoto(folder / named, label), split


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
