"""Export of records to a CSV file, and of reviewed pictures to a dataset for training."""

import csv
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from edge.cells import to_cell
from edge.errors import BadInput, EwasteError
from edge.files import sync_folder, temporary_beside
from edge.labels import UNKNOWN
from edge.photos.class_folders import CLASS_FOLDERS, class_folders_text, folder_name
from edge.records.item_masses import ItemMass
from edge.records.record import COLUMN_NAMES, ItemRecord
from edge.terminal import ReaderGone

LISTING = "items.csv"
LISTING_COLUMNS = (
    "path",
    "label",
    "reviewed",
    "predicted",
    "confidence",
    "review",
    "reason",
    "detail",
    "item_id",
)
CSV_BEGINNING = ",".join(COLUMN_NAMES[:5]).encode()
"""The beginning of every CSV file of records, also of earlier versions."""
MASS_COLUMNS = ("mass_g", "mass_low_g", "mass_high_g", "mass_weighings")
"""The estimated mass of an item, its 95 % interval, and the weighings of its class."""
MassOf = Callable[[ItemRecord], ItemMass | None]
LONGEST_ID = 100
"""Most characters of an item's id in the name of its picture."""
LONGEST_DESCRIPTOR = 9
"""Most digits of the number of an open file, which is a C int."""
OWN_DESCRIPTOR = re.compile(r"/dev/(?:fd/([0-9]+)|std(?:in|out|err))|/proc/self/fd/([0-9]+)")


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        pictures: number of pictures.
        reviewed: number of those whose label a person gave; the others are in the folder of the
            model's label.
    """

    pictures: int
    reviewed: int


def own_descriptor(path: Path) -> int | None:
    """Return the open file of this process that a path such as /dev/stdout names, or None.

    Raises:
        BadInput: no file can have that number.
    """
    named = OWN_DESCRIPTOR.fullmatch(str(path))
    if named is None:
        return None
    number = named[1] or named[2]
    if number is None:
        return ("in", "out", "err").index(path.name[3:])
    if len(number) > LONGEST_DESCRIPTOR:
        raise BadInput(f"{path}: there is no such open file")
    return int(number)


def export_csv(
    records: Iterable[ItemRecord],
    path: Path,
    sources: Sequence[Path] = (),
    mass_of: MassOf | None = None,
) -> int:
    """Write the records, but for their pictures, to a CSV file; returns how many.

    Links are followed, and pipes and terminals written to. A file that is there is replaced if it
    is empty or of such records. Texts are written as `edge.cells.to_cell` has them.

    Args:
        records: what to write.
        path: where to.
        sources: files that it must not be.
        mass_of: estimates the mass of an item, for `MASS_COLUMNS`; None: they are left out.

    Raises:
        BadInput: a folder or something else is there.
        ReaderGone: it is our own output, and who read it has had enough.
        EwasteError: it cannot be written; nothing is left behind.
    """
    try:
        with _writable(path, sources) as file:
            names = COLUMN_NAMES if mass_of is None else (*COLUMN_NAMES, *MASS_COLUMNS)
            return write_rows(file, names, (_cells(record, mass_of) for record in records))
    except (OSError, RuntimeError) as error:  # a link that leads to itself is a RuntimeError
        raise _not_written(path, error) from None


def _cells(record: ItemRecord, mass_of: MassOf | None) -> dict[str, Any]:
    cells = {name: getattr(record, name) for name in COLUMN_NAMES}
    cells["reason"] = record.reason.value
    found = mass_of(record) if mass_of else None
    if found is not None:
        mass = found.mass
        grams = (f"{each * 1000:.4g}" for each in (mass.kg, mass.low_kg, mass.high_kg))
        cells.update(zip(MASS_COLUMNS, (*grams, found.weighings), strict=True))
    return cells


def write_rows(file: TextIO, names: Sequence[str], rows: Iterable[dict[str, Any]]) -> int:
    """Write a CSV file with a header; returns the number of rows."""
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow(
            {name: to_cell(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        )
        count += 1
    return count


def export_text(text: str, path: Path, beginning: str) -> None:
    """Write a text to a file; what is there is replaced if it is empty or begins the same way.

    Links are followed, and pipes and terminals written to.

    Args:
        text: what to write.
        path: where to.
        beginning: how every such file begins.

    Raises:
        BadInput: a folder or something else is there.
        ReaderGone: it is our own output, and who read it has had enough.
        EwasteError: it cannot be written; nothing is left behind.
    """
    try:
        with _writable(path, (), beginning.encode()) as file:
            file.write(text)
    except (OSError, RuntimeError) as error:  # a link that leads to itself is a RuntimeError
        raise _not_written(path, error) from None


def _not_written(path: Path, error: Exception) -> Exception:
    if isinstance(error, BrokenPipeError) and own_descriptor(path) == 1:
        return ReaderGone()
    reason = getattr(error, "strerror", None) or error
    return EwasteError(f"{path}: cannot be written ({reason})")


@contextmanager
def _writable(
    path: Path, sources: Sequence[Path], beginning: bytes = CSV_BEGINNING
) -> Iterator[TextIO]:
    """Within: a file to write the content of `path` to."""
    descriptor = own_descriptor(path)
    if descriptor is not None:
        with _text(os.dup(descriptor)) as file:
            yield file
        return
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None
    if found is None or stat.S_ISREG(found.st_mode):
        target = path.resolve()
        if found is not None:
            _require_export(path, found, sources, beginning)
        with _replacing(target, found) as file:
            yield file
        return
    if stat.S_ISDIR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a disk"
        raise BadInput(f"{path}: is {kind}; name a file")
    with _text(os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)) as file:
        yield file


def _text(handle: int) -> TextIO:
    return os.fdopen(handle, "w", encoding="utf-8", newline="")


def _require_export(
    path: Path, found: os.stat_result, sources: Sequence[Path], beginning: bytes
) -> None:
    """Raise BadInput unless a regular file may be replaced."""
    for source in sources:
        with suppress(OSError):
            if os.path.samestat(found, source.stat()):
                raise BadInput(f"{path}: holds the records themselves; name another file")
    if found.st_size:
        with path.open("rb") as file:
            if file.read(len(beginning)) != beginning:
                raise BadInput(
                    f"{path}: holds something else than is written here; name another file or "
                    "delete it"
                )


@contextmanager
def _replacing(target: Path, found: os.stat_result | None) -> Iterator[TextIO]:
    """Within: a file under a temporary name. At the end it is renamed, or copied into the existing
    file if that has further names.
    """
    staged = temporary_beside(target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(staged, flags, 0o666)
    try:
        with _text(handle) as file:
            if found is not None:
                _copy_owner(handle, found)
            yield file
            file.flush()
            os.fsync(handle)
        if found is not None and found.st_nlink > 1:
            shutil.copyfile(staged, target)
        else:
            staged.replace(target)
            sync_folder(target.parent)
    finally:
        staged.unlink(missing_ok=True)


def _copy_owner(handle: int, found: os.stat_result) -> None:
    """Give a file or folder the owner and mode of what it replaces, as far as allowed."""
    with suppress(OSError):
        os.fchown(handle, found.st_uid, found.st_gid)
    with suppress(OSError):
        os.fchmod(handle, stat.S_IMODE(found.st_mode))


def export_review(
    records: Iterable[ItemRecord], folder: Path, on_skipped: Callable[[str], None]
) -> Exported:
    """Write pictures as a dataset `folder/CLASS/*.jpg`, which train/fine_tune.py takes as --data.

    CLASS is the label that a person gave, else the most probable class; its folder is named by
    `edge.photos.class_folders`. A person reviews the folders, moves wrong pictures, and deletes bad
    ones. File names begin with the confidence, so that the doubtful pictures come first.
    `items.csv` describes each picture.

    Args:
        records: records with crops.
        folder: folder to write; it must be new or empty.
        on_skipped: receives one line for each picture without a class.

    Raises:
        BadInput: the folder holds something, or there is nothing to export.
        EwasteError: it cannot be written; nothing is left behind.
    """
    with filled_folder(folder) as staged:
        return _write_pictures(records, staged, on_skipped)


@contextmanager
def filled_folder(folder: Path) -> Iterator[Path]:
    """Within: a folder to fill, whose content is in `folder` at the end, all of it or nothing.

    Raises:
        BadInput: it is not new or empty.
        EwasteError: it cannot be written; nothing is left behind.
    """
    try:
        target = folder.resolve()
        found = _empty_folder(folder)
        with _filled(target, found) as staged:
            yield staged
    except (OSError, RuntimeError) as error:  # a link that leads to itself is a RuntimeError
        reason = getattr(error, "strerror", None) or error
        raise EwasteError(f"{folder}: cannot be written ({reason})") from None


def _empty_folder(folder: Path) -> os.stat_result | None:
    """Return the status of an empty folder, or None if it does not exist.

    Raises:
        BadInput: it is not empty, or not a folder.
    """
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        raise BadInput(f"{folder}: is no folder; give one that is new or empty")
    with os.scandir(folder) as entries:
        if next(entries, None) is not None:
            raise BadInput(f"{folder}: holds something; give a folder that is new or empty")
    return found


@contextmanager
def _filled(target: Path, found: os.stat_result | None) -> Iterator[Path]:
    """Within: a folder to fill. At the end its content is in `target`; after a failure it is gone.

    The folder is made beside `target` and then renamed. It is made within `target` where that is
    another disk, or where nothing may be written beside it.
    """
    made = _make_parents(target.parent)
    staged = temporary_beside(target)
    try:
        within = found is not None and os.path.ismount(target)
        if not within:
            try:
                staged.mkdir()
            except PermissionError:
                if found is None:
                    raise
                within = True
        if within:
            staged = target / staged.name
            staged.mkdir()
        yield staged
        if within:
            _move_up(staged)
        else:
            if found is not None:
                handle = os.open(staged, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                _copy_owner(handle, found)
                os.close(handle)
            staged.rename(target)  # an empty folder may be there
            sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        raise


def _make_parents(folder: Path) -> list[Path]:
    """Make a folder and its parents; returns the new ones, the innermost first."""
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _move_up(staged: Path) -> None:
    """Move the content of a folder to its parent, all of it or nothing."""
    moved: list[Path] = []
    try:
        for entry in sorted(staged.iterdir()):
            moved.append(entry.rename(staged.parent / entry.name))
        staged.rmdir()
    except BaseException:
        for entry in moved:
            with suppress(OSError):
                entry.rename(staged / entry.name)
        raise


def _write_pictures(
    records: Iterable[ItemRecord], staged: Path, on_skipped: Callable[[str], None]
) -> Exported:
    folders: dict[str, str] = {}  # folder -> label
    named: dict[str, str] = {}  # label -> folder
    listed: list[dict[str, object]] = []
    without = 0
    for record in records:
        label = label_of(record)
        if not label:
            on_skipped(f"{record.item_id}: no class to put it under; left out")
            without += 1
            continue
        if label not in named:
            named[label] = folder_name(label, folders)
            folders[named[label]] = label
            (staged / named[label]).mkdir()
        place = _write_picture(record, staged / named[label])
        listed.append(
            {
                "path": place.relative_to(staged).as_posix(),
                "label": label,
                "reviewed": bool(record.reviewed),
                "predicted": record.label,
                "confidence": record.confidence,
                "review": record.review,
                "reason": record.reason.value,
                "detail": record.detail,
                "item_id": record.item_id,
            }
        )
    if not listed and without:
        raise BadInput(f"{without} pictures wait for review, but none has a class to put it under")
    if not listed:
        raise BadInput("no picture waits for review")
    with (staged / LISTING).open("x", encoding="utf-8", newline="") as file:
        write_rows(file, LISTING_COLUMNS, listed)
    if text := class_folders_text(folders):
        (staged / CLASS_FOLDERS).write_text(text, encoding="utf-8")
    return Exported(len(listed), sum(bool(row["reviewed"]) for row in listed))


def _write_picture(record: ItemRecord, folder: Path) -> Path:
    """Write a picture under a unique name, also where two records have the same id."""
    stem, number = picture_name(record), 1
    while True:
        place = folder / (f"{stem}.jpg" if number == 1 else f"{stem}-{number}.jpg")
        try:
            with place.open("xb") as file:
                file.write(record.crop)
            return place
        except FileExistsError:
            number += 1


def label_of(record: ItemRecord) -> str:
    """Return the label of a picture; empty when nothing says what it may be."""
    predicted = record.label if record.label != UNKNOWN else record.top_label
    return record.reviewed or predicted


def picture_name(record: ItemRecord) -> str:
    """Return the file name of a picture without its suffix; it begins with the confidence."""
    confidence = min(max(record.confidence, 0.0), 1.0)  # NaN stays so
    name = quote(record.item_id, safe="")
    if len(name) > LONGEST_ID:
        digest = hashlib.sha256(record.item_id.encode("utf-8", "replace")).hexdigest()
        name = f"{name[:LONGEST_ID]}~{digest[:16]}"
    return f"{confidence:.3f}-{name}"
