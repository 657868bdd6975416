"""Folders of labeled photos: which files belong, under which label, and what is left out."""

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from edge.errors import BadInput
from edge.labels import label_problem, normalized, shown
from edge.photos.class_folders import SYSTEM_NAMES, read_class_folders
from edge.photos.listing import (
    SPLITS,
    UNSPLIT,
    LeftOut,
    LeftOutReason,
    Listing,
    is_doubtful_split,
    read_listing,
    split_named,
)
from edge.photos.reading import PHOTO_SUFFIXES, LabeledPhoto

DEEPEST = 16
"""Folders within a class folder, one within the other, that are looked into."""
MOST_FILES = 2_000_000


@dataclass(frozen=True)
class Survey:
    """A dataset as it lies there.

    Attributes:
        data: the folder or CSV file.
        listing: its photos.
        left_out: files and folders that are not used.
        nested: folder within a class folder -> how many photos lie there.
        renamed: what the dataset calls a split -> what it is taken for, where they differ.
    """

    data: Path
    listing: Listing
    left_out: tuple[LeftOut, ...] = ()
    nested: tuple[tuple[Path, int], ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def notes(self) -> list[str]:
        """What a person should know of it: a line for each thing that is not as it seems."""
        name, notes = shown(str(self.data)), []
        if self.renamed:
            taken = (f"{shown(name)} is taken as {split}" for name, split in self.renamed)
            notes.append(f"{name}: {', '.join(taken)}")
        if alike := _alike(photo.label for photos in self.listing.values() for photo in photos):
            notes.append(
                f"{name}: classes that differ only in how they are written: {'; '.join(alike)}; "
                "give them one name if they are one"
            )
        if self.nested:
            count = sum(count for _, count in self.nested)
            notes.append(
                f"{name}: {count} photos lie in folders within their class "
                f"({_some(folder for folder, _ in self.nested)})"
            )
        if self.left_out:
            notes.append(f"{name}: {len(self.left_out)} left out: {_by_reason(self.left_out)}")
        return notes


def find_photos(folder: Path) -> list[LabeledPhoto]:
    """List the photos of `folder/CLASS/`, sorted by class and name; see `survey_photos`.

    Raises:
        BadInput: the folder is missing, has no class folder, or a class folder holds no image.
    """
    return survey_photos(folder).listing[UNSPLIT]


def photos_below(folder: Path) -> list[Path]:
    """List the photos in a folder and in the folders within it, sorted; their names say nothing.

    Raises:
        BadInput: the folder is missing or cannot be read.
    """
    if not _is_folder(folder):
        raise BadInput(f"{shown(str(folder))}: no such folder of photos")
    return sorted(_Walk().photos_in(folder, splits=True))


def find_dataset(data: Path) -> Listing:
    """List the photos of a dataset, as `survey` does.

    Raises:
        BadInput: it is none, or incomplete.
    """
    return survey(data).listing


def survey(data: Path) -> Survey:
    """Look through a dataset, which is one of

    - a folder `SPLIT/CLASS/*` with splits `train`, `val`, `test`, by whatever usual name,
    - a folder `CLASS/*` without splits,
    - a CSV file with a header and the columns `path` (relative to the file), `label` and, if it
      knows splits, `split`.

    Raises:
        BadInput: it is none of them, or incomplete.
    """
    try:
        kind = data.stat().st_mode
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise BadInput(
                f"{shown(str(data))}: no such folder of photos, nor a CSV file that lists them"
            ) from None
        raise BadInput(f"{shown(str(data))}: cannot be read ({error.strerror})") from None
    if stat.S_ISREG(kind):
        listing, left_out = read_listing(data)
        return Survey(data, listing, left_out)
    if not stat.S_ISDIR(kind):
        raise BadInput(f"{shown(str(data))}: neither a folder of photos nor a CSV file")
    splits = _split_folders(data)
    if not splits:
        return survey_photos(data)
    labels = read_class_folders(data)
    surveys = {split: survey_photos(data / name, labels) for split, name in splits.items()}
    others = _beside_splits(data, splits)
    return Survey(
        data,
        {split: each.listing[UNSPLIT] for split, each in surveys.items()},
        (*others, *(left for each in surveys.values() for left in each.left_out)),
        tuple(pair for each in surveys.values() for pair in each.nested),
        tuple((name, split) for split, name in splits.items() if name != split),
    )


def survey_photos(folder: Path, labels: Mapping[str, str] = MappingProxyType({})) -> Survey:
    """Look through a folder `CLASS/`: all photos below it, in folders of its own too, are of CLASS.

    Names are taken in Unicode's composed form, so that two folders of one name are one class.
    `class-folders.csv` names the labels of folders that are called otherwise. Hidden folders and
    those of the system are no classes.

    Args:
        folder: holds the class folders.
        labels: folder -> label, of a `class-folders.csv` beside the folder; its own goes before.

    Raises:
        BadInput: the folder is missing, has no class folder, a class folder holds no image, or what
            should be classes holds the classes.
    """
    if not _is_folder(folder):
        raise BadInput(
            f"{shown(str(folder))}: no such folder of photos (expected one subfolder per class)"
        )
    walk = _Walk()
    labels = {**labels, **read_class_folders(folder)}
    photos: list[LabeledPhoto] = []
    nested: list[tuple[Path, int]] = []
    for entry in _entries(folder):
        place = Path(entry.path)
        if not _is_folder(place):
            walk.see_beside(entry)
            continue
        if reason := _no_class(entry.name):
            walk.leave_out(place, reason)
            continue
        label = labels.get(normalized(entry.name), normalized(entry.name))
        before = len(walk.left_out)
        found = sorted(walk.photos_in(place))
        if not found:
            left = walk.left_out[before:]
            held = f" ({len(left)} left out: {_by_reason(left)})" if left else ""
            raise BadInput(
                f"{shown(str(place))}: the class has no image{held}; add some or remove the folder"
            )
        _check_label(label, place)
        photos += [LabeledPhoto(path, label) for path in found]
        within = Counter(path.parent for path in found if path.parent != place)
        nested += sorted(within.items())
    if not photos:
        raise BadInput(
            f"{shown(str(folder))}: holds no class folder with images (expected CLASS/*.jpg)"
        )
    _check_not_splits(folder, photos)
    return Survey(folder, {UNSPLIT: photos}, tuple(walk.left_out), tuple(nested))


def of_split(data: Path, listing: Listing, split: str) -> list[LabeledPhoto]:
    """The photos of one split of a dataset that has splits.

    Raises:
        BadInput: the split is missing.
    """
    if split in listing:
        return listing[split]
    if data.is_file():
        raise BadInput(f"{shown(str(data))}: no row of the split {split}")
    raise BadInput(
        f"{shown(str(data / split))}: no such folder of photos, though {shown(str(data))} has "
        "other splits"
    )


def name_in_dataset(data: Path, photo: Path) -> str:
    """A photo's path from the dataset's folder (that of the CSV file) on, with slashes."""
    folder = data.parent if data.is_file() else data
    return Path(os.path.relpath(photo, folder)).as_posix()


def dataset_names(sources: Collection[Path]) -> dict[Path, str]:
    """A name for each dataset: that of its folder or file, with as many parents as make it unique.

    Raises:
        BadInput: one dataset is given twice.
    """
    resolved: set[Path] = set()
    for source in sources:
        before = len(resolved)
        resolved.add(source.resolve())
        if len(resolved) == before:
            raise BadInput(f"--data {shown(str(source))}: given twice")
    parts = {source: source.resolve().parts[1:] or ("/",) for source in sources}
    names = {}
    for source, own in parts.items():
        others = [each for other, each in parts.items() if other != source]
        length = next(
            count
            for count in range(1, len(own) + 1)
            if count == len(own) or all(each[-count:] != own[-count:] for each in others)
        )
        names[source] = shown("/".join(own[-length:]))
    return names


def _check_not_splits(folder: Path, photos: Sequence[LabeledPhoto]) -> None:
    """Refuse folders that hold the same folders and no photo: those within are the classes.

    Raises:
        BadInput: it is so.
    """
    holding: dict[str, set[str]] = {}  # folder within a class folder -> class folders
    for photo in photos:
        first, *rest = photo.path.relative_to(folder).parts[:-1]
        if not rest:
            return
        holding.setdefault(rest[0], set()).add(first)
    for name, outer in sorted(holding.items()):
        if len(outer) > 1:
            raise BadInput(
                f"{shown(str(folder))}: {_some(sorted(outer))} each hold a folder {shown(name)} "
                f"and no photo; if they are splits, name them {', '.join(SPLITS)}; if they are "
                "classes, move the photos up into them"
            )


def _alike(labels: Iterable[str]) -> list[str]:
    """Labels that differ only in case, spaces and signs, as `PCB and pcb`."""
    forms: dict[str, set[str]] = {}
    for label in labels:
        signs = [each for each in label.casefold() if each not in " _-"]
        forms.setdefault("".join(signs), set()).add(label)
    return [
        " and ".join(map(shown, sorted(form))) for _, form in sorted(forms.items()) if len(form) > 1
    ]


class _Walk:
    """Looks through class folders, and keeps what is left out."""

    def __init__(self) -> None:
        self.left_out: list[LeftOut] = []
        self._files = 0

    def leave_out(self, path: Path, reason: LeftOutReason) -> None:
        self.left_out.append(LeftOut(path, reason))

    def see_beside(self, entry: os.DirEntry) -> None:
        """Take note of a picture, or what could be a class, that is in no class folder."""
        path = Path(entry.path)
        if entry.is_symlink() and not path.exists():
            self.leave_out(path, LeftOutReason.BROKEN_LINK)
        elif _is_photo(path) and not _no_class(entry.name):
            self.leave_out(path, LeftOutReason.BESIDE)

    def photos_in(self, class_folder: Path, splits: bool = False) -> list[Path]:
        """The photos in a class folder and the folders within it.

        Raises:
            BadInput: the class folder cannot be read, or holds splits, unless `splits` allows them.
        """
        depth = 1 if splits else 0
        return list(self._within(class_folder, {_identity(class_folder)}, depth))

    def _within(self, folder: Path, above: set[object], depth: int) -> Iterator[Path]:
        for entry in _entries(folder):
            self._files += 1
            if self._files > MOST_FILES:
                raise BadInput(
                    f"{shown(str(folder))}: more than {MOST_FILES:,} files; give a folder of photos"
                )
            path = Path(entry.path)
            if reason := _no_class(entry.name):
                self.leave_out(path, reason)
                continue
            try:
                mode = entry.stat().st_mode
            except PermissionError:
                self.leave_out(path, LeftOutReason.NOT_READABLE)
                continue
            except OSError:
                self.leave_out(path, LeftOutReason.BROKEN_LINK)
                continue
            if stat.S_ISDIR(mode):
                yield from self._below(entry, above, depth)
            elif not _is_photo(path):
                self.leave_out(path, LeftOutReason.ENDING)
            elif not stat.S_ISREG(mode):
                self.leave_out(path, LeftOutReason.NOT_A_FILE)
            else:
                yield path

    def _below(self, entry: os.DirEntry, above: set[object], depth: int) -> Iterator[Path]:
        path = Path(entry.path)
        if depth == 0 and split_named(entry.name):
            raise BadInput(
                f"{shown(str(path.parent))}: holds a split ({shown(entry.name)}) itself, so it is "
                f"no class folder; give it as --data, or rename {shown(str(path))}"
            )
        here = _identity(path)
        if here in above or (entry.is_symlink() and _leads_up(path)):
            self.leave_out(path, LeftOutReason.LINK_UP)
        elif depth >= DEEPEST:
            self.leave_out(path, LeftOutReason.TOO_DEEP)
        elif not os.access(path, os.R_OK | os.X_OK):
            self.leave_out(path, LeftOutReason.NOT_READABLE)
        else:
            above.add(here)  # a folder that two links lead to is visited once
            yield from self._within(path, above, depth + 1)


def _leads_up(link: Path) -> bool:
    """Whether a link leads to a folder that it lies in itself."""
    return link.parent.resolve().is_relative_to(link.resolve())


def _identity(folder: Path) -> object:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _no_class(name: str) -> LeftOutReason | None:
    """Why a name is none of a class or a photo; None: it may be."""
    if name.casefold() in SYSTEM_NAMES:
        return LeftOutReason.SYSTEM
    return LeftOutReason.HIDDEN if name.startswith(".") else None


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise BadInput(f"{shown(str(folder))}: cannot be read ({error.strerror})") from None


def _check_label(label: str, folder: Path) -> None:
    if problem := label_problem(label):
        raise BadInput(f"{shown(str(folder))}: {problem}; rename the folder")


def _split_folders(data: Path) -> dict[str, str]:
    """The folders of a dataset that are splits: split -> name, in the order of SPLITS.

    Raises:
        BadInput: two folders are the same split, or nobody can say which one a folder is.
    """
    found: dict[str, str] = {}
    for entry in _entries(data):
        split = split_named(entry.name)
        path = Path(entry.path)
        if split is None and is_doubtful_split(entry.name) and _holds_folder(path):
            raise BadInput(
                f"{shown(str(path))}: holds folders, and may be for training or for testing; "
                f"rename it to one of {', '.join(SPLITS)}, or move it away"
            )
        if split is None or not _is_folder(path):
            continue
        if split in found:
            raise BadInput(
                f"{shown(str(data))}: {found[split]} and {entry.name} are both a {split} split; "
                "move one away"
            )
        found[split] = entry.name
    return {split: found[split] for split in SPLITS if split in found}


def _beside_splits(data: Path, splits: dict[str, str]) -> list[LeftOut]:
    """What lies beside the splits and is left out.

    Raises:
        BadInput: class folders do, and a split is missing: the dataset is half sorted.
    """
    left_out = []
    for entry in _entries(data):
        path = Path(entry.path)
        reason = _no_class(entry.name)
        if entry.name in splits.values():
            continue
        if reason and _is_folder(path):
            left_out.append(LeftOut(path, reason))
        elif not reason and (_is_photo(path) or _is_folder(path)):
            left_out.append(LeftOut(path, LeftOutReason.BESIDE))
    folders = [left.path.name for left in left_out if _holds_photo(left)]
    if folders and len(splits) < len(SPLITS):
        raise BadInput(
            f"{shown(str(data))}: holds the split {' and '.join(splits.values())} and beside it "
            f"folders of photos ({_some(folders)}); put all of them into splits, or rename "
            f"{' and '.join(splits.values())}"
        )
    return left_out


def _holds_folder(path: Path) -> bool:
    return _is_folder(path) and any(_is_folder(Path(entry.path)) for entry in _entries(path))


def _holds_photo(left: LeftOut) -> bool:
    """Whether a folder beside the splits could be a class: it holds a photo."""
    if left.reason is not LeftOutReason.BESIDE or not _is_folder(left.path):
        return False
    return any(_is_photo(Path(entry.path)) for entry in _entries(left.path))


def _by_reason(left_out: Sequence[LeftOut]) -> str:
    """How many are left out for which reason, the commonest first."""
    reasons = Counter(left.reason for left in left_out)
    parts = []
    for reason, count in reasons.most_common():
        paths = [left.path for left in left_out if left.reason is reason]
        if reason is LeftOutReason.ENDING:
            endings = Counter(path.suffix.lower() or "none" for path in paths)
            named = ", ".join(f"{shown(each)} {count}" for each, count in endings.most_common(8))
        else:
            named = _some(paths)
        parts.append(f"{count} {reason.value} ({named})")
    return ", ".join(parts)


def _some(names: "Iterator[Path | str] | Sequence[Path | str]", most: int = 3) -> str:
    listed = [shown("/".join(Path(name).parts[-2:])) for name in names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
