"""Packed bundles: a zip or tar archive of a bundle's files, at the top or in one folder.

`python -m zipfile -c bundle.zip DIRECTORY` makes one, or `tar -cf bundle.tar DIRECTORY`. Whoever
packed it may have written anything.
"""

import io
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge.arrays import MOST_MEMBERS, open_zip, read_member
from edge.bundle.bundle import MOST_FILE_BYTES
from edge.errors import BadInput, EwasteError, Refused, one_line
from edge.files import folder_beside, make_private_folder, read_bounded, write_whole

MOST_PACKED_BYTES = 64 * 2**20
"""Of an archive; the shipped bundle takes half of it."""
MOST_UNPACKED_BYTES = 128 * 2**20
"""Of all files together; the shipped bundle takes 34 MB, an unquantized one of its kind 100."""
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257


@dataclass(frozen=True)
class Member:
    """What an archive says of one of its members.

    Attributes:
        name: its path in the archive.
        is_folder: it is a folder.
        is_plain: it is a folder or a regular file, no link and no device.
        size: bytes of the file, unpacked, as the archive says.
    """

    name: str
    is_folder: bool
    is_plain: bool
    size: int


@contextmanager
def bundle_folder(path: Path, state: Path) -> Iterator[Path]:
    """The folder of a bundle: `path` itself, or one beside the state that it is unpacked into.

    The second is removed at the end. An error names the archive then, not that folder.

    Args:
        path: the folder of a bundle, or a packed one.
        state: the state folder of the line.

    Raises:
        BadInput: it cannot be read.
        Refused: it is an archive, but none of a bundle.
        EwasteError: it cannot be unpacked here.
    """
    if not path.is_file():
        yield path
        return
    try:
        content = read_bounded(path, MOST_PACKED_BYTES)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    with unpacked(content, state) as folder:
        del content
        try:
            yield folder
        except EwasteError as error:
            raise type(error)(str(error).replace(str(folder), str(path))) from None


@contextmanager
def unpacked(content: bytes, state: Path) -> Iterator[Path]:
    """The files of a packed bundle, in a folder within `state` that is removed at the end.

    Raises:
        Refused: it is no packed bundle.
        EwasteError: it cannot be written.
    """
    try:
        make_private_folder(state.parent, (state.name,))
        make_private_folder(state, ("bundles",))
        with folder_beside(state / "upload") as folder:
            unpack(content, folder)
            yield folder
    except OSError as error:
        raise EwasteError(f"{state}: cannot be written ({error.strerror})") from None


def pack(contents: Mapping[str, bytes]) -> bytes:
    """The files of a bundle, by name, as a zip archive; the same files give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            member = zipfile.ZipInfo(name)  # of 1980, whenever it is packed
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, contents[name], zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Write the files of a packed bundle into an empty folder. Nothing is proved yet.

    Args:
        content: the archive, zip or tar, at most `MOST_PACKED_BYTES` long.
        folder: it exists; nothing is ever written outside of it.

    Raises:
        Refused: it is no such archive, or holds anything but the files of one bundle.
        OSError: it cannot be written.
    """
    if len(content) > MOST_PACKED_BYTES:
        raise Refused(f"the archive has more than {MOST_PACKED_BYTES >> 20} MB")
    is_tar = content[TAR_MAGIC_AT:].startswith(TAR_MAGIC) if len(content) > TAR_MAGIC_AT else False
    try:
        for name, file in (_from_tar if is_tar else _from_zip)(content):
            write_whole(folder / name, file)
    except ValueError as error:
        reason = one_line(error, 200)
        raise Refused(f"no packed bundle: {reason}; pack the files of a bundle as zip") from None


def _from_zip(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Each file of a bundle in a zip archive: its name and what it holds."""
    with open_zip(content) as archive:
        listed = [
            Member(
                each.filename,
                each.is_dir(),
                stat.S_IFMT(each.external_attr >> 16) in (0, stat.S_IFREG, stat.S_IFDIR),
                each.file_size,
            )
            for each in archive.infolist()
        ]
        left = MOST_UNPACKED_BYTES
        for name, member in _members(listed).items():
            file = read_member(archive, member, min(left, MOST_FILE_BYTES[name]))
            left -= len(file)
            yield name, file


def _from_tar(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Each file of a bundle in a tar archive that is not compressed."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            found: dict[str, tarfile.TarInfo] = {}
            listed: list[Member] = []
            for each in archive:
                if len(listed) >= MOST_MEMBERS:
                    raise ValueError(f"an archive of more than {MOST_MEMBERS} files")
                if each.size < 0:
                    raise ValueError("a file of less than no bytes")
                is_plain = (each.isreg() and not each.issparse()) or each.isdir()
                listed.append(Member(each.name, each.isdir(), is_plain, each.size))
                found[each.name] = each
            for name, member in _members(listed).items():
                file = archive.extractfile(found[member])
                most = MOST_FILE_BYTES[name]
                read = b"" if file is None else file.read(most + 1)
                if len(read) > most:
                    raise ValueError(f"{name} is larger than {most} bytes")
                if len(read) != found[member].size:
                    raise ValueError(f"{name} cannot be read: it is cut off")
                yield name, read
    except (tarfile.TarError, EOFError, OverflowError, RecursionError) as error:
        raise ValueError(f"a broken archive: {error}") from None


def _members(listed: Iterable[Member]) -> dict[str, str]:
    """The names of the files of a bundle, and what the archive calls them.

    Raises:
        ValueError: there is anything else in it, or too much.
    """
    members: dict[str, str] = {}
    folders: set[PurePosixPath] = set()
    unpacked_bytes = 0
    for each in listed:
        path, shown = PurePosixPath(each.name), one_line(each.name, 60)
        if path.is_absolute() or ".." in path.parts or "\\" in each.name:
            raise ValueError(f"{shown!r} leads out of the archive")
        if not each.is_plain:
            raise ValueError(f"{shown!r} is a link or a device")
        if each.is_folder:
            if len(path.parts) > 1:
                raise ValueError(f"{shown!r} is a folder in a folder")
            continue
        if path.name not in MOST_FILE_BYTES or len(path.parts) > 2 or path.name in members:
            raise ValueError(f"{shown!r} is no file of one bundle")
        members[path.name] = each.name
        unpacked_bytes += each.size
        folders.add(path.parent)
    if len(folders) != 1:
        raise ValueError("its files lie in several folders" if folders else "it is empty")
    if unpacked_bytes > MOST_UNPACKED_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_UNPACKED_BYTES >> 20} MB")
    return members
