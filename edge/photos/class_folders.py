"""Folders named after labels: any label has one, and reading them back gives the label.

A label is a folder's name where that is safe everywhere. `CD/DVD` is not: its folder is `CD%2FDVD`,
and `class-folders.csv` beside it (columns `folder`, `label`) names the class of the folder.
"""

import csv
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

from edge.cells import from_cell, to_cell
from edge.errors import BadInput
from edge.files import read_text
from edge.labels import normalized, shown
from edge.photos.listing import split_named

CLASS_FOLDERS = "class-folders.csv"
COLUMNS = ["folder", "label"]
LONGEST = 150
"""Bytes of a folder's name; file systems allow 255, some encryption of theirs 143."""
MOST_BYTES = 4 * 2**20
SYSTEM_NAMES = frozenset(
    {
        *("__macosx", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "lost+found"),
        *("system volume information", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini"),
    }
)
"""What Macs, Windows, NAS and file systems leave in folders."""

_RESERVED = frozenset({"con", "prn", "aux", "nul"})
"""Names that Windows keeps for devices, as COM1 to LPT9."""
_UNSAFE = frozenset('/\\<>:"|?*%')


def folder_name(label: str, taken: Mapping[str, str]) -> str:
    """The name of a label's folder, which is safe on any file system and no other label's.

    Args:
        label: any text but an empty one.
        taken: folder -> label, of the folders beside it.
    """
    others = {_folded(name) for name, other in taken.items() if other != label}
    name = _cut(_quoted(label), label, LONGEST, 0)
    for digits in (8, 16, 32, 64):
        if _folded(name) not in others:
            break
        name = _cut(_quoted(label), label, LONGEST, digits)
    return name


def _folded(name: str) -> str:
    """What names share that are one on a Mac or a memory card."""
    return normalized(normalized(name).casefold())


def _quoted(label: str) -> str:
    signs = [
        each if each.isprintable() and each not in _UNSAFE else _percent(each) for each in label
    ]
    name = "".join(signs)
    device = name.split(".")[0].casefold()
    odd = device in _RESERVED or (device[:3] in ("com", "lpt") and device[3:].isdigit())
    if odd or name[0] in ".~=+-@' " or name.casefold() in SYSTEM_NAMES or split_named(name):
        signs[0] = _percent(label[0])
    if name[-1] in ". ":
        signs[-1] = _percent(label[-1])
    return "".join(signs)


def _percent(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))


def _cut(name: str, label: str, longest: int, digits: int) -> str:
    """The name, if it is too long or `digits` are asked for, ending with a digest of the label."""
    if len(name.encode()) <= longest and not digits:
        return name
    digest = hashlib.sha256(label.encode("utf-8", "surrogatepass")).hexdigest()
    ending = f"~{digest[: digits or 16]}"
    kept = name.encode()[: longest - len(ending)].decode("utf-8", "ignore")
    return kept + ending


def class_folders_text(labels: Mapping[str, str]) -> str:
    """The content of `class-folders.csv`; empty when every folder is called as its label.

    Args:
        labels: folder -> label.
    """
    rows = [pair for pair in labels.items() if pair[0] != pair[1]]
    if not rows:
        return ""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((to_cell(folder), to_cell(label)) for folder, label in sorted(rows))
    return lines.getvalue()


def read_class_folders(folder: Path) -> dict[str, str]:
    """The label of each folder that is called otherwise; empty without `class-folders.csv`.

    Raises:
        BadInput: the file cannot be read, or is not as it should be.
    """
    path = folder / CLASS_FOLDERS
    if not path.exists():
        return {}
    labels: dict[str, str] = {}
    rows = csv.reader(io.StringIO(read_text(path, MOST_BYTES), newline=""), strict=True)
    try:
        if next(rows, []) != COLUMNS:
            raise BadInput(f"{shown(str(path))}: the first line must be {','.join(COLUMNS)}")
        for row in rows:
            if len(row) != len(COLUMNS):
                raise BadInput(
                    f"{shown(str(path))}: line {rows.line_num}: needs a folder and a label"
                )
            name, label = map(from_cell, row)
            labels[normalized(name)] = normalized(label)
    except csv.Error as error:
        raise BadInput(f"{shown(str(path))}: line {rows.line_num}: not CSV ({error})") from None
    return labels
