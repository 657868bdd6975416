"""Arrays out of an npz file that anybody may have written: bounded, and never Python objects."""

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection
from typing import Literal

import numpy as np

LARGEST_BYTES = 96 * 2**20
"""Of all arrays asked for together; the largest honest ones take a third of it."""
MOST_MEMBERS = 64
END, END_64 = b"PK\x05\x06", b"PK\x06\x07"
HEADER = re.compile(
    rb"\{'descr': '[<|]([iuf])([1248])', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,9}, ?)*(?:\d{1,9})?)\), \} *\n"
)
"""What NumPy writes for plain numbers; anything else is none of ours."""


def read_arrays(content: bytes, names: Collection[str]) -> dict[str, np.ndarray]:
    """Those of the arrays `names` that an npz file holds, by name; the others are not looked at.

    Raises:
        ValueError: it is no npz file, or one of plain numbers only that fit into memory.
    """
    arrays, left = {}, LARGEST_BYTES
    with open_zip(content) as archive:
        for name in names:
            if f"{name}.npy" in archive.namelist():
                stored = read_member(archive, f"{name}.npy", left)
                left -= len(stored)
                arrays[name] = _parse(name, stored)
    return arrays


def open_zip(content: bytes) -> zipfile.ZipFile:
    """An archive of a few files, as we write them: no comment, no zip64, no name twice.

    Raises:
        ValueError: it is another one, or none.
    """
    end = content[-22:]
    if len(end) < 22 or not end.startswith(END) or content[-42:].startswith(END_64):
        raise ValueError("no zip archive, or an odd one")
    # Counted before the directory is read: a large one takes ten times its size in memory.
    if int.from_bytes(end[10:12], "little") > MOST_MEMBERS:
        raise ValueError(f"an archive of more than {MOST_MEMBERS} files")
    if int.from_bytes(end[12:16], "little") > MOST_MEMBERS * 1024:
        raise ValueError("an archive with an endless directory")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise ValueError(f"a broken archive: {error}") from None
    if len(set(archive.namelist())) < len(archive.namelist()):
        raise ValueError("an archive with a name twice")
    return archive


def read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """One file of an archive, whatever the archive says of its size.

    Raises:
        ValueError: it is longer than `most` bytes, encrypted or broken.
    """
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is packed in another way than ours")
    try:
        with archive.open(name) as member:
            content = member.read(most + 1)
            if len(content) > most or member.read(1):
                raise ValueError(f"{name} is larger than {most} bytes")
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{name} cannot be read: {error}") from None
    except (NotImplementedError, struct.error, zlib.error) as error:
        raise ValueError(f"{name} cannot be unpacked: {error}") from None
    return content


def _parse(name: str, stored: bytes) -> np.ndarray:
    """An array in NumPy's format, version 1.0."""
    length = int.from_bytes(stored[8:10], "little")
    header = HEADER.fullmatch(stored[10 : 10 + length])
    if not stored.startswith(b"\x93NUMPY\x01\x00") or header is None:
        raise ValueError(f"{name} is no array of plain numbers")
    kind, width, by_columns, listed = (part.decode() for part in header.groups())
    try:
        dtype = np.dtype(f"<{kind}{width}")
    except TypeError:
        raise ValueError(f"{name} is no array of plain numbers") from None
    shape = tuple(int(part) for part in listed.replace(" ", "").split(",") if part)
    data = stored[10 + length :]
    if len(shape) > 4 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name} is not of the shape that it states")
    order: Literal["F", "C"] = "F" if by_columns == "True" else "C"
    return np.frombuffer(bytearray(data), dtype).reshape(shape, order=order)
