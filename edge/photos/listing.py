"""CSV files that list labeled photos, and what is left out of a dataset."""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edge.cells import from_cell, to_cell
from edge.errors import BadInput
from edge.labels import label_problem, normalized, shown
from edge.photos.reading import LabeledPhoto

SPLITS = ("train", "val", "test")
SPLIT_FILE = "split.csv"
"""In a run directory: a CSV dataset of the photos it used, and for what."""

UNSPLIT = ""
"""The one split of a dataset that does not say which photo is for what."""

Listing = Mapping[str, list[LabeledPhoto]]
"""The photos of a dataset by split: some of SPLITS, or UNSPLIT alone."""

_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "validate", "dev"),
    "test": ("test", "testing"),
}
_ADDED = "set|split|data|dataset|images?|imgs?|pics|pictures?|photos?"
_SPLIT = re.compile(
    rf"(?:(?:{_ADDED}))?"
    + "(?:"
    + "|".join(f"(?P<{split}>{'|'.join(words)})" for split, words in _WORDS.items())
    + rf")(?:{_ADDED})?"
)
"""What collections call their splits, without spaces and signs: `trainset`, `validationimages`."""
_DOUBTFUL = re.compile(
    rf"(?:eval|evaluation|heldout|holdout|(?:cv)?folds?[0-9]+|k?split[0-9]+)(?:{_ADDED})?"
)
_SEPARATORS = re.compile(r"[\s_.-]+")

MOST_BYTES = 256 * 2**20
"""Of a CSV file: a million photos take less than half of it."""


class LeftOutReason(str, Enum):
    """Why a file or folder of a dataset is left out."""

    ENDING = "with an unknown file extension"
    HIDDEN = "hidden"
    SYSTEM = "of the system"
    BROKEN_LINK = "broken links"
    LINK_UP = "links to a folder that is already included"
    NOT_A_FILE = "no regular files"
    NOT_READABLE = "that may not be read"
    TOO_DEEP = "too deep in folders"
    BESIDE = "beside the class folders"
    TWICE = "listed twice"


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that could belong to a dataset and is not used."""

    path: Path
    reason: LeftOutReason


def split_named(name: str) -> str | None:
    """The split that a folder or a column calls `name`, such as `valid`; None: it is none."""
    found = _SPLIT.fullmatch(_SEPARATORS.sub("", name.casefold()))
    return found and found.lastgroup


def is_doubtful_split(name: str) -> bool:
    """Whether a name is of a part of a collection of which only its owner knows what it is for."""
    return _DOUBTFUL.fullmatch(_SEPARATORS.sub("", name.casefold())) is not None


def read_listing(path: Path) -> tuple[Listing, tuple[LeftOut, ...]]:
    """Read a CSV dataset (`edge.photos.dataset.find_dataset`).

    Raises:
        BadInput: it is none; the message names the line.
    """
    rows = _rows(path, _text(path))
    _, header = next(rows, (0, []))
    columns = _columns(path, header)
    listing: dict[str, list[LabeledPhoto]] = {}
    seen: dict[str, list[tuple[str, str, int]]] = {}
    left_out = []
    for line, fields in rows:
        where = f"{path}: line {line}"
        if len(fields) != len(header):
            raise BadInput(
                f"{where}: {len(fields)} fields, but the first line names {len(header)} columns"
            )
        cells = {name: fields[place].strip() for name, place in columns.items()}
        photo, split = _photo(cells, where, path.parent)
        known = seen.setdefault(os.path.normpath(photo.path), [])
        for label, of_split, before in known:
            if label != photo.label:
                raise BadInput(
                    f"{where}: {shown(str(photo.path))} is labeled {photo.label}, but {label} in "
                    f"line {before}"
                )
            if of_split == split:
                left_out.append(LeftOut(photo.path, LeftOutReason.TWICE))
                break
        else:
            known.append((photo.label, split, line))
            listing.setdefault(split, []).append(photo)
    if not listing:
        raise BadInput(f"{path}: lists no photos")
    if UNSPLIT in listing and len(listing) > 1:
        count = len(listing[UNSPLIT])
        raise BadInput(f"{path}: {count} photos have no split; fill the column for all or for none")
    return listing, tuple(left_out)


def listing_text(rows: Iterable[Sequence[str]]) -> bytes:
    """The content of a CSV dataset; file names that are no UTF-8 keep their bytes.

    What a spreadsheet would compute is written as `to_cell` has it, which is read back.
    """
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("path", "label", "split"))
    writer.writerows([to_cell(cell) for cell in row] for row in rows)
    return lines.getvalue().encode("utf-8", "surrogateescape")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path}: larger than {MOST_BYTES >> 20} MB; no list of photos is")
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{path}: is UTF-16; save it as CSV in UTF-8")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise BadInput(
            f"{path}: not a CSV file in UTF-8: line {line} holds a NUL byte (UTF-16, or no text)"
        )
    # A file name may be no UTF-8: its bytes are kept, and a label of such is refused.
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the line that it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadInput(
                f"{path}: line {begin}: not CSV ({error}); is there a quote too many?"
            ) from None
        if reader.line_num > begin and not _names_a_file(path.parent, row):
            raise BadInput(
                f"{path}: line {begin}: a field in quotes goes on to line {reader.line_num}; is "
                "there a quote too many?"
            )
        if row:
            yield begin, row
        begin = reader.line_num + 1


def _names_a_file(folder: Path, row: Sequence[str]) -> bool:
    """Whether the line breaks in a row are those of a file's name, odd as it is."""
    broken = [field for field in row if "\n" in field or "\r" in field]
    return len(broken) == 1 and _is_file(folder / broken[0])


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """The places of the columns that matter."""
    names = [name.strip().casefold() for name in header]
    missing = {"path", "label"} - set(names)
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if missing and {"path", "label"} <= {
            part.strip().casefold() for name in header for part in name.split(separator)
        }:
            raise BadInput(f"{path}: fields are separated by {called}; save it with commas")
    if missing:
        raise BadInput(
            f"{path}: no column {' and '.join(sorted(missing))} (the first line must name "
            "the columns: path,label and, if need be, split)"
        )
    twice = sorted({name for name in ("path", "label", "split") if names.count(name) > 1})
    if twice:
        raise BadInput(f"{path}: line 1: names the column {' and '.join(twice)} twice")
    return {name: names.index(name) for name in ("path", "label", "split") if name in names}


def _photo(cells: Mapping[str, str], where: str, folder: Path) -> tuple[LabeledPhoto, str]:
    named, label = cells["path"], normalized(from_cell(cells["label"]))
    if not named or not label:
        raise BadInput(f"{where}: no {'label' if named else 'path'}")
    if problem := label_problem(label):
        raise BadInput(f"{where}: label '{shown(label[:80])}': {problem}")
    given = cells.get("split", "")
    split = split_named(given) if given else UNSPLIT
    if split is None:
        raise BadInput(f"{where}: split {given!r}; it must be one of {', '.join(SPLITS)}")
    # A Mac types accents otherwise than it stores them in file names.
    forms = dict.fromkeys(
        form
        for text in (named, from_cell(named))
        for form in (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    )
    for form in forms:
        if _is_file(folder / form):
            return LabeledPhoto(folder / form, label), split
    raise BadInput(f"{where}: labeled {label}, but {_why_no_file(folder, named)}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _why_no_file(folder: Path, named: str) -> str:
    path = folder / named
    name = shown(str(path))
    try:
        path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            return f"{name} is a broken link"
        if "\\" in named:
            return f"there is no file {name}; write folders with /"
        if name.isascii() and "\\x" in name:
            return f"there is no file {name}; save the list as UTF-8"
        return f"there is no file {name}"
    except OSError as error:
        if len(name) > 200:
            name = f"{name[:100]}..."
        return f"{name} cannot be read ({error.strerror})"
    return f"{name} is no file"
