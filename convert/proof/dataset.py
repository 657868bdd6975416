"""Which photos of a dataset calibrate a model and which compare it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from edge.errors import BadInput
from edge.labels import also_called, normalized
from edge.photos.dataset import find_dataset, name_in_dataset, of_split, survey
from edge.photos.listing import SPLIT_FILE, UNSPLIT, Listing
from edge.photos.reading import LabeledPhoto


@dataclass(frozen=True)
class Split:
    """One split of one dataset.

    Attributes:
        data: the dataset, a folder or a CSV file.
        name: `train`, `val` or `test`.
        photos: what is in it.
        title: what the dataset is called among others.
    """

    data: Path
    name: str
    photos: tuple[LabeledPhoto, ...]
    title: str

    def name_of(self, photo: LabeledPhoto) -> str:
        """The photo's path within the dataset, after the dataset's own name."""
        return f"{self.title}/{name_in_dataset(self.data, photo.path)}"


def find_splits(data: Path, run: Path, say: Callable[[str], None]) -> Listing:
    """List a dataset by split; one without splits is split as it was for training.

    `say` is told what is left out.

    Raises:
        BadInput: it cannot be listed, or the run does not know its photos.
    """
    surveyed = survey(data)
    for note in surveyed.notes():
        say(note)
    listing = surveyed.listing
    if UNSPLIT not in listing:
        return listing
    split_file = run / SPLIT_FILE
    if not split_file.is_file():
        raise BadInput(f"{data}: has no splits, and there is no {split_file} to say them")
    ours = {photo.path.resolve() for photo in listing[UNSPLIT]}
    trained = {
        split: [photo for photo in photos if photo.path.resolve() in ours]
        for split, photos in find_dataset(split_file).items()
    }
    if not trained.get("train"):
        raise BadInput(f"{data}: has no splits, and {split_file} names none of its photos")
    return trained


def find_split(data: Path, listing: Listing, name: str, labels: Sequence[str], title: str) -> Split:
    """One split of a listed dataset.

    Raises:
        BadInput: there is no such split, or a class is not among `labels`.
    """
    photos = of_split(data, listing, name)
    theirs = {normalized(label): label for label in labels}
    strange = sorted({photo.label for photo in photos} - set(theirs))
    if strange:
        named = ", ".join(f"{label}{also_called(label, labels)}" for label in strange)
        raise BadInput(f"{data / name}: the run has no class {named}")
    known = tuple(LabeledPhoto(photo.path, theirs[photo.label]) for photo in photos)
    return Split(data, name, known, title)


def find_judged(
    data: Path,
    listing: Listing,
    wanted: Sequence[str],
    labels: Sequence[str],
    title: str,
    say: Callable[[str], None],
) -> list[Split]:
    """The splits that models are judged on: those of `wanted` that there are.

    `say` is told of a missing one.

    Raises:
        BadInput: there is none of them, or a class is not among `labels`.
    """
    present = [name for name in wanted if name in listing]
    if not present:
        raise BadInput(
            f"{data}: has neither {'/ nor '.join(wanted)}/; photos to compare on are needed"
        )
    for name in wanted:
        if name not in present:
            say(f"{data}: has no {name} split; comparing on {' and '.join(present)} only")
    return [find_split(data, listing, name, labels, title) for name in present]


def stratify(photos: Sequence[LabeledPhoto], seed: int) -> list[LabeledPhoto]:
    """Order photos so that every beginning of the list holds the classes as evenly as possible."""
    generator = np.random.default_rng(seed)
    classes: dict[str, list[LabeledPhoto]] = {}
    for index in generator.permutation(len(photos)):
        classes.setdefault(photos[index].label, []).append(photos[index])
    rounds = zip_longest(*(classes[label] for label in sorted(classes)))
    return [photo for photo in chain.from_iterable(rounds) if photo is not None]


def fingerprint(datasets: Sequence[Path]) -> str:
    """SHA-256 over the sorted relative names and digests of all photos of some datasets."""
    lines = []
    for data in datasets:
        for photo in chain.from_iterable(find_dataset(data).values()):
            try:
                digest = hashlib.sha256(photo.path.read_bytes()).hexdigest()
            except OSError:  # one that could not be read was used for nothing
                digest = "unreadable"
            lines.append(f"{name_in_dataset(data, photo.path)} {digest}\n")
    text = "".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()
