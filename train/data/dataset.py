"""Labeled photos become arrays ready for the model, no picture on both sides of a split."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import BadInput
from edge.inference.preprocess import model_input
from edge.labels import also_called, labels_problem
from edge.learned.manifest import MANIFEST
from edge.photos.dataset import dataset_names, of_split, survey
from edge.photos.listing import SPLITS, UNSPLIT
from edge.photos.reading import LabeledPhoto, read_photos
from train.data.duplicates import find_groups

log = logging.getLogger(__name__)

OTHER = "other-"
"""How the name of a class begins whose photos show something of no known class."""

OUTSIDE = "outside"
"""The split of sources that are left out of training to judge on."""

HELD_BACK = 0.1
"""Share of a dataset without splits that goes to val, and again to test."""


@dataclass(frozen=True)
class Split:
    """The photos of one split at the model's size.

    Attributes:
        pixels: uint8 RGB [photos, S, S, 3].
        classes: int64 [photos], index into the labels.
        paths: the file of each photo.
        sources: the dataset each photo came from.
    """

    pixels: np.ndarray
    classes: np.ndarray
    paths: tuple[Path, ...]
    sources: tuple[Path, ...]

    def take(self, chosen: np.ndarray) -> "Split":
        """Only the photos at the places `chosen` (int, or bool of all photos)."""
        places = np.arange(len(self.classes))[chosen]
        return Split(
            self.pixels[places],
            self.classes[places],
            tuple(self.paths[place] for place in places),
            tuple(self.sources[place] for place in places),
        )


@dataclass(frozen=True)
class Dataset:
    """What a training needs of its photos.

    Attributes:
        labels: the classes, sorted.
        train, val, test: the splits.
        clean: bool [test photos], False for those with a copy among the other splits' photos.
        left_out: of train and val, how many photos were left out for a copy in a later split.
        groups: of each split, int64 [photos], equal for copies of one picture.
        outside: photos of the sources that were left out; None: none was.
        negatives: files of the classes `other-NAME`, which are none of the labels.
    """

    labels: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    clean: np.ndarray
    left_out: Mapping[str, int]
    groups: Mapping[str, np.ndarray]
    outside: Split | None = None
    negatives: tuple[Path, ...] = ()

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by their names."""
        return {"train": self.train, "val": self.val, "test": self.test}


def read_dataset(
    sources: Sequence[Path],
    size: int,
    seed: int,
    keep_duplicates: bool = False,
    left_out_sources: Sequence[Path] = (),
) -> Dataset:
    """Read photos, find the copies among them, and see that none is in two splits.

    A photo of train with a copy in val or test is left out, and one of val with a copy in test,
    unless `keep_duplicates`. A source without splits is split by `seed` (`split_photos`). All
    photos of the sources that are left out are outside; one of train or val with a copy there is
    left out too. Photos of classes `other-NAME` are no part of the splits.
    Logs each unreadable photo, and what else a person should know of the sources.

    Raises:
        BadInput: a source cannot be used, one class only, a class in val or test that train lacks,
            or nothing of a class is left to train on.
    """
    dataset_names(sources)  # refuses one that is given twice
    everything = _list_photos(sources)
    listed = [each for each in everything if not each[2].label.startswith(OTHER)]
    trained = [each for each in listed if each[0] not in left_out_sources]
    labels = _labels(trained)
    listed = [
        (source, split if source not in left_out_sources else OUTSIDE, photo)
        for source, split, photo in listed
        if source not in left_out_sources or photo.label in labels
    ]
    # Not by equality: one file may be listed in two splits.
    origins = {id(photo): (source, split) for source, split, photo in listed}
    photos, pixels = [], []
    for photo, image in read_photos((photo for *_, photo in listed)):
        photos.append(photo)
        pixels.append(model_input(image, size))
    origin = [origins[id(photo)] for photo in photos]
    splits = np.array([split for _, split in origin], dtype="<U7")
    classes = np.array([labels.index(photo.label) for photo in photos])
    groups = find_groups(pixels)
    _check_different(labels, classes, groups)
    for source in dict.fromkeys(source for source, *_ in trained):
        unsplit = np.array([pair == (source, UNSPLIT) for pair in origin])
        if unsplit.any():
            splits[unsplit] = split_photos(
                classes[unsplit], groups[unsplit], labels, seed, few_train=source != trained[0][0]
            )
    crossing = {split: find_crossing(groups, splits, split) for split in ("train", "val")}
    kept = np.ones(len(photos), dtype=bool)
    if not keep_duplicates:
        kept = ~(crossing["train"] | crossing["val"])

    def part(name: str) -> Split:
        places = np.flatnonzero(kept & (splits == name))
        if not len(places):
            raise BadInput(f"no photo is left in {name}; add some that are in no other split")
        return Split(
            np.stack([pixels[place] for place in places]),
            classes[places],
            tuple(photos[place].path for place in places),
            tuple(origin[place][0] for place in places),
        )

    train, val, test = (part(name) for name in SPLITS)
    _check_classes(labels, train)
    learned = np.isin(splits, ("train", "val"))
    seen = np.isin(groups[splits == "test"], groups[learned])
    left_out = {name: int((crossing[name] & ~kept).sum()) for name in crossing}
    grouped = {name: groups[kept & (splits == name)] for name in SPLITS}
    return Dataset(
        labels=labels,
        train=train,
        val=val,
        test=test,
        clean=~seen,
        left_out=left_out,
        groups=grouped,
        outside=part(OUTSIDE) if (splits == OUTSIDE).any() else None,
        negatives=tuple(
            photo.path
            for source, _, photo in everything
            if photo.label.startswith(OTHER) and source not in left_out_sources
        ),
    )


def find_crossing(groups: np.ndarray, splits: np.ndarray, split: str) -> np.ndarray:
    """Which photos of a split have a copy in a later one (train, val, test, outside): bool."""
    later = np.isin(splits, (*SPLITS[SPLITS.index(split) + 1 :], OUTSIDE))
    return (splits == split) & np.isin(groups, groups[later])


def split_photos(
    classes: np.ndarray,
    groups: np.ndarray,
    labels: Sequence[str],
    seed: int,
    few_train: bool = False,
) -> np.ndarray:
    """Split photos 80/10/10, class by class, copies together; the same seed splits the same way.

    Args:
        classes: int [photos]. A group of copies goes by the class of its first photo.
        groups: int [photos], as of `find_groups`.
        labels: names of the classes.
        seed: of the order.
        few_train: a class of fewer than three different photos goes to train as a whole.

    Returns the split of each photo, str [photos].

    Raises:
        BadInput: a class has fewer than three different photos, unless `few_train`.
    """
    rng = np.random.default_rng(seed)
    names, first, of_photo = np.unique(groups, return_index=True, return_inverse=True)
    sizes, group_classes = np.bincount(of_photo), classes[first]
    of_group = np.empty(len(names), dtype="<U5")
    for number in np.unique(classes):
        members = rng.permutation(np.flatnonzero(group_classes == number))
        if len(members) < 3 and few_train:
            of_group[members] = "train"
            continue
        if len(members) < 3:
            raise BadInput(
                f"{labels[number]}: {len(members)} different photos; a dataset without splits "
                "needs three of each class"
            )
        total = sizes[members].sum()
        held_back = max(1, round(HELD_BACK * total))
        needed = {"train": total - 2 * held_back, "val": held_back, "test": held_back}
        for group in sorted(members, key=lambda group: -sizes[group]):
            split = max(SPLITS, key=lambda name: needed[name])
            of_group[group] = split
            needed[split] -= sizes[group]
    return of_group[of_photo]


def _list_photos(sources: Sequence[Path]) -> list[tuple[Path, str, LabeledPhoto]]:
    """All photos as (source, split, photo); the split is UNSPLIT throughout a source or nowhere."""
    listed = []
    for source in sources:
        surveyed = survey(source)
        for note in surveyed.notes():
            log.warning(note)
        listing = surveyed.listing
        splits = [UNSPLIT] if UNSPLIT in listing else SPLITS
        for split in splits:
            listed += [(source, split, photo) for photo in of_split(source, listing, split)]
    return listed


def _labels(listed: Sequence[tuple[Path, str, LabeledPhoto]]) -> tuple[str, ...]:
    """The class names of the photos to train on, sorted; further sources may have some of them.

    Only one that a device exported after it was taught (`edge.learned.export`) brings new ones.
    """
    trained: dict[Path, set[str]] = {}
    for source, split, photo in listed:
        if split in (UNSPLIT, "train"):
            trained.setdefault(source, set()).add(photo.label)
    first, labels = next(iter(trained.items()))
    if len(labels) < 2:
        raise BadInput(f"{first}: one class only ({', '.join(labels)}); two or more are needed")
    labels = labels.union(*(of for source, of in trained.items() if (source / MANIFEST).is_file()))
    for source, others in trained.items():
        if not others <= labels:
            differing = ", ".join(
                f"{label}{also_called(label, sorted(labels))}" for label in sorted(others - labels)
            )
            raise BadInput(f"{source}: other classes to train on than {first} ({differing})")
    for source, split, photo in listed:
        if photo.label not in labels:
            raise BadInput(
                f"{source}: {split} has the class {photo.label}, which train lacks"
                f"{also_called(photo.label, sorted(labels))}"
            )
    if problem := labels_problem(sorted(labels)):
        raise BadInput(f"{first}: {problem}; give it another name")
    return tuple(sorted(labels))


def _check_different(labels: Sequence[str], classes: np.ndarray, groups: np.ndarray) -> None:
    """Check that no two classes show the same pictures.

    Raises:
        BadInput: half of a class's pictures, or more, are also in another class.
    """
    for number, label in enumerate(labels):
        own = np.unique(groups[classes == number])
        for other in range(number + 1, len(labels)):
            theirs = np.unique(groups[classes == other])
            shared = len(np.intersect1d(own, theirs))
            if 2 * shared >= max(1, min(len(own), len(theirs))):
                raise BadInput(
                    f"the classes {label} and {labels[other]} show the same photos ({shared} of "
                    f"{min(len(own), len(theirs))}); remove one of them, or see train/audit.py"
                )


def _check_classes(labels: Sequence[str], train: Split) -> None:
    counts = Counter(train.classes.tolist())
    lost = [label for number, label in enumerate(labels) if not counts[number]]
    if lost:
        raise BadInput(
            f"no photo to train on is left of {', '.join(lost)}: all are unreadable, or copies of "
            "photos in val or test (see train/audit.py)"
        )
