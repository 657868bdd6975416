"""Folders of labelled photos become arrays ready for the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import BadInput
from edge.photos import find_photos, read_photos
from edge.preprocess import model_input


@dataclass(frozen=True)
class Split:
    """The photos of one split at the model's size.

    Attributes:
        pixels: uint8 RGB [photos, S, S, 3].
        classes: int64 [photos], index into the labels.
        paths: the file of each photo.
        sources: the dataset folder each photo came from.
    """

    pixels: np.ndarray
    classes: np.ndarray
    paths: tuple[Path, ...]
    sources: tuple[Path, ...]

    def of(self, source: Path) -> "Split":
        """Only the photos of one dataset folder."""
        chosen = [index for index, folder in enumerate(self.sources) if folder == source]
        return Split(
            self.pixels[chosen],
            self.classes[chosen],
            tuple(self.paths[index] for index in chosen),
            tuple(source for _ in chosen),
        )


def read_labels(folders: Sequence[Path]) -> tuple[str, ...]:
    """The class names of the train split, sorted.

    Raises:
        BadInput: a folder has no photos, fewer than two classes, or other classes than the first.
    """
    found = {
        folder: tuple(sorted({photo.label for photo in find_photos(folder / "train")}))
        for folder in folders
    }
    labels = found[folders[0]]
    if len(labels) < 2:
        raise BadInput(f"{folders[0]}/train: one class only ({labels[0]}); two or more are needed")
    for folder, other in found.items():
        if other != labels:
            differing = ", ".join(sorted(set(labels) ^ set(other)))
            raise BadInput(f"{folder}/train: other classes than {folders[0]}/train ({differing})")
    return labels


def read_split(
    folders: Sequence[Path],
    split: str,
    labels: Sequence[str],
    size: int,
    skipped: Callable[[str], None],
) -> Split:
    """Read one split of all dataset folders; unreadable photos are named to `skipped`.

    Raises:
        BadInput: the split is missing, a class of it is not among `labels`, or nothing is readable.
    """
    pixels, classes, paths, sources = [], [], [], []
    for folder in folders:
        photos = find_photos(folder / split)
        strange = sorted({photo.label for photo in photos} - set(labels))
        if strange:
            raise BadInput(f"{folder / split}: classes that train lacks: {', '.join(strange)}")
        for photo, image in read_photos(photos, skipped):
            pixels.append(model_input(image, size))
            classes.append(labels.index(photo.label))
            paths.append(photo.path)
            sources.append(folder)
    return Split(np.stack(pixels), np.asarray(classes), tuple(paths), tuple(sources))
