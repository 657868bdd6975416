"""The photos of a dataset that calibrate a model, and those that it is compared on."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from edge.errors import BadInput
from edge.labels import also_called, normalized
from edge.photos.dataset import find_dataset, name_in_dataset, of_split, survey
from edge.photos.listing import SPLIT_FILE, UNSPLIT, Listing
from edge.photos.reading import LabeledPhoto

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhotoSplit:
    """One split of one dataset.

    Attributes:
        data: the dataset, a folder or a CSV file.
        name: `train`, `val` or `test`.
        photos: its photos.
        title: the unique name of the dataset.
    """

    data: Path
    name: str
    photos: tuple[LabeledPhoto, ...]
    title: str

    def name_of(self, photo: LabeledPhoto) -> str:
        """The path of a photo within the dataset, prefixed with the name of the dataset."""
        return f"{self.title}/{name_in_dataset(self.data, photo.path)}"


def find_splits(data: Path, run: Path) -> Listing:
    """List a dataset by split; a dataset without splits is split as it was for training.

    Args:
        data: the dataset, a folder or a CSV file.
        run: the training run directory.

    Raises:
        BadInput: the dataset cannot be listed, or the run does not know its photos.
    """
    surveyed = survey(data)
    for note in surveyed.notes():
        log.warning(note)
    listing = surveyed.listing
    if UNSPLIT not in listing:
        return listing
    split_file = run / SPLIT_FILE
    if not split_file.is_file():
        raise BadInput(f"{data}: has no splits, and there is no {split_file} that defines them")
    known = {photo.path.resolve() for photo in listing[UNSPLIT]}
    by_split = {
        split: [photo for photo in photos if photo.path.resolve() in known]
        for split, photos in find_dataset(split_file).items()
    }
    if not by_split.get("train"):
        raise BadInput(f"{data}: has no splits, and {split_file} names none of its photos")
    return by_split


def find_split(
    data: Path, listing: Listing, *, name: str, labels: Sequence[str], title: str
) -> PhotoSplit:
    """One split of a listed dataset, with the class names of the run.

    Args:
        data: the dataset.
        listing: its photos by split.
        name: `train`, `val` or `test`.
        labels: the class names of the run.
        title: the unique name of the dataset.

    Raises:
        BadInput: there is no such split, or a class is not among `labels`.
    """
    photos = of_split(data, listing, name)
    canonical = {normalized(label): label for label in labels}
    unknown = sorted({photo.label for photo in photos} - set(canonical))
    if unknown:
        named = ", ".join(f"{label}{also_called(label, labels)}" for label in unknown)
        raise BadInput(f"{data / name}: the run has no class {named}")
    known = tuple(LabeledPhoto(photo.path, canonical[photo.label]) for photo in photos)
    return PhotoSplit(data, name, known, title)


def find_comparison_splits(
    data: Path,
    listing: Listing,
    *,
    names: Sequence[str],
    labels: Sequence[str],
    title: str,
) -> list[PhotoSplit]:
    """The splits that models are compared on: those of `names` that the dataset has.

    Args:
        data: the dataset.
        listing: its photos by split.
        names: the requested splits.
        labels: the class names of the run.
        title: the unique name of the dataset.

    Raises:
        BadInput: the dataset has none of them, or a class is not among `labels`.
    """
    present = [name for name in names if name in listing]
    if not present:
        raise BadInput(
            f"{data}: has neither {'/ nor '.join(names)}/; photos to compare on are needed"
        )
    for name in names:
        if name not in present:
            log.warning(f"{data}: has no {name} split; comparing on {' and '.join(present)} only")
    return [find_split(data, listing, name=name, labels=labels, title=title) for name in present]


def stratify(photos: Sequence[LabeledPhoto], seed: int) -> list[LabeledPhoto]:
    """Order photos so that every prefix of the list holds the classes as evenly as possible.

    Args:
        photos: the photos, in any order.
        seed: of the order within a class.
    """
    generator = np.random.default_rng(seed)
    classes: dict[str, list[LabeledPhoto]] = {}
    for index in generator.permutation(len(photos)):
        classes.setdefault(photos[index].label, []).append(photos[index])
    rounds = zip_longest(*(classes[label] for label in sorted(classes)))
    return [photo for photo in chain.from_iterable(rounds) if photo is not None]


def fingerprint(datasets: Sequence[Path]) -> str:
    """SHA-256 over the sorted relative paths and SHA-256 digests of all photos of the datasets."""
    lines = []
    for data in datasets:
        for photo in chain.from_iterable(find_dataset(data).values()):
            try:
                digest = hashlib.sha256(photo.path.read_bytes()).hexdigest()
            except OSError:  # an unreadable photo was not used
                digest = "unreadable"
            lines.append(f"{name_in_dataset(data, photo.path)} {digest}\n")
    text = "".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()
