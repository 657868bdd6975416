"""Packed bundles: a zip archive of a bundle's files, at the top or in one folder.

`python -m zipfile -c bundle.zip DIRECTORY` makes one. Whoever packed it may have written anything.
"""

import stat
import zipfile
from pathlib import Path, PurePosixPath

from edge.arrays import open_zip, read_member
from edge.bundle.bundle import MOST_FILE_BYTES
from edge.errors import Refused, one_line
from edge.files import write_whole

MOST_PACKED_BYTES = 64 * 2**20
"""Of an archive; the shipped bundle takes half of it."""
MOST_UNPACKED_BYTES = 128 * 2**20
"""Of all files together; the shipped bundle takes 34 MB, an unquantized one of its kind 100."""


def unpack(content: bytes, folder: Path) -> None:
    """Write the files of a packed bundle into an empty folder. Nothing is proved yet.

    Args:
        content: the archive, at most `MOST_PACKED_BYTES` long.
        folder: it exists; nothing is ever written outside of it.

    Raises:
        Refused: it is no such archive, or holds anything but the files of one bundle.
        OSError: it cannot be written.
    """
    if len(content) > MOST_PACKED_BYTES:
        raise Refused(f"the archive has more than {MOST_PACKED_BYTES >> 20} MB")
    try:
        with open_zip(content) as archive:
            left = MOST_UNPACKED_BYTES
            for name, member in _members(archive).items():
                file = read_member(archive, member, min(left, MOST_FILE_BYTES[name]))
                left -= len(file)
                write_whole(folder / name, file)
    except ValueError as error:
        reason = one_line(error, 200)
        raise Refused(f"no packed bundle: {reason}; pack the files of a bundle as zip") from None


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    """The names of the files of a bundle, and what the archive calls them.

    Raises:
        ValueError: there is anything else in it, or too much.
    """
    members: dict[str, str] = {}
    folders: set[PurePosixPath] = set()
    for each in archive.infolist():
        path, shown = PurePosixPath(each.filename), one_line(each.filename, 60)
        if path.is_absolute() or ".." in path.parts or "\\" in each.filename:
            raise ValueError(f"{shown!r} leads out of the archive")
        if stat.S_IFMT(each.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"{shown!r} is a link or a device")
        if each.is_dir():
            if len(path.parts) > 1:
                raise ValueError(f"{shown!r} is a folder in a folder")
            continue
        if path.name not in MOST_FILE_BYTES or len(path.parts) > 2 or path.name in members:
            raise ValueError(f"{shown!r} is no file of one bundle")
        members[path.name] = each.filename
        folders.add(path.parent)
    if len(folders) != 1:
        raise ValueError("its files lie in several folders" if folders else "it is empty")
    if sum(each.file_size for each in archive.infolist()) > MOST_UNPACKED_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_UNPACKED_BYTES >> 20} MB")
    return members
