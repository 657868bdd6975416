"""Which photos of a dataset calibrate a model and which compare it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from edge.errors import BadInput
from edge.photos import SPLITS, LabelledPhoto, find_photos


@dataclass(frozen=True)
class Split:
    """One split of one dataset folder.

    Attributes:
        folder: the dataset folder, which holds `train/`, `val/` and `test/`.
        name: which of them this is.
        photos: what is in it.
    """

    folder: Path
    name: str
    photos: tuple[LabelledPhoto, ...]

    def name_of(self, photo: LabelledPhoto) -> str:
        """The photo's path, from the name of the dataset folder on."""
        return f"{self.folder.name}/{photo.path.relative_to(self.folder).as_posix()}"


def find_split(folder: Path, name: str, labels: Sequence[str]) -> Split:
    """List the photos of `folder/name/CLASS`.

    Raises:
        BadInput: there are none, or a class is not among `labels`.
    """
    photos = find_photos(folder / name)
    strange = sorted({photo.label for photo in photos} - set(labels))
    if strange:
        raise BadInput(f"{folder / name}: the run has no class {', '.join(strange)}")
    return Split(folder, name, tuple(photos))


def find_judged(folder: Path, labels: Sequence[str], say: Callable[[str], None]) -> Split:
    """The split that models are judged on: `test`, else `val`, which `say` is told.

    Raises:
        BadInput: the folder has neither, or a class is not among `labels`.
    """
    if (folder / "test").is_dir():
        return find_split(folder, "test", labels)
    if (folder / "val").is_dir():
        say(f"{folder}: has no test split; comparing on val, which training has looked at")
        return find_split(folder, "val", labels)
    raise BadInput(f"{folder}: has neither test/ nor val/; photos to compare on are needed")


def stratify(photos: Sequence[LabelledPhoto], seed: int) -> list[LabelledPhoto]:
    """Order photos so that every beginning of the list holds the classes as evenly as possible."""
    generator = np.random.default_rng(seed)
    classes: dict[str, list[LabelledPhoto]] = {}
    for index in generator.permutation(len(photos)):
        classes.setdefault(photos[index].label, []).append(photos[index])
    rounds = zip_longest(*(classes[label] for label in sorted(classes)))
    return [photo for photo in chain.from_iterable(rounds) if photo is not None]


def fingerprint(folders: Sequence[Path]) -> str:
    """SHA-256 over the sorted relative names and digests of all photos of some dataset folders."""
    lines = []
    for folder in folders:
        for split in SPLITS:
            if (folder / split).is_dir():
                for photo in find_photos(folder / split):
                    digest = hashlib.sha256(photo.path.read_bytes()).hexdigest()
                    lines.append(f"{photo.path.relative_to(folder).as_posix()} {digest}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
