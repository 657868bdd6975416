"""Folders in a store that are named by a number, `1`, `2` and so on: each whole or not there.

A store may have a link that names one of them. It is replaced in one step.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.errors import BadInput, Refused
from edge.files import give_to_owner, read_bounded, sync_folder, temporary_beside, write_whole

NUMBER = re.compile(r"[0-9]{1,9}")
ENDING = r"\.[0-9a-f]{16}\.new"
"""Of a temporary name (`edge.files.temporary_beside`), as a pattern."""


def numbers(store: Path) -> list[int]:
    """The numbers of the folders of a store, the least first.

    Raises:
        OSError: it cannot be listed.
    """
    return sorted(int(each.name) for each in store.iterdir() if NUMBER.fullmatch(each.name))


def clear(store: Path, *names: str) -> None:
    """Remove what killed processes left under temporary names of numbers, or of `names`.

    Raises:
        OSError: it cannot be removed.
    """
    kinds = "|".join([r"\d+", *map(re.escape, names)])
    temporary = re.compile(rf"\.({kinds}){ENDING}")
    for left in [entry for entry in store.iterdir() if temporary.fullmatch(entry.name)]:
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def place(
    store: Path,
    number: int,
    files: Mapping[str, bytes],
    *,
    limits: Mapping[str, int],
    check: Callable[[Path], object],
    replaces: bool = False,
) -> None:
    """Write a folder to its place, whole or not at all; it belongs to whom the store does.

    Args:
        store: the folder above.
        number: its place.
        files: name -> content.
        limits: name -> the most bytes of the file.
        check: gets the folder under its temporary name, and raises where it is not right.
        replaces: whether a folder of this number may be there, which goes.

    Raises:
        Refused: a file is too large.
        OSError: it cannot be written.
    """
    staged = temporary_beside(store / str(number))
    try:
        staged.mkdir()
        for name, content in files.items():
            if len(content) > limits[name]:
                raise Refused(f"{store}: {name} would have {len(content):,} bytes, too many")
            write_whole(staged / name, content)
        check(staged)
        give_to_owner(staged, store, files)
        if replaces:
            shutil.rmtree(store / str(number), ignore_errors=True)
        staged.rename(store / str(number))
        sync_folder(store)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def remove(store: Path, number: int) -> None:
    """Take a folder away in one step; what is left of it has a temporary name.

    Raises:
        OSError: it cannot be moved.
    """
    gone = temporary_beside(store / str(number))
    (store / str(number)).rename(gone)
    sync_folder(store)
    shutil.rmtree(gone, ignore_errors=True)


def point(link: Path, number: int | None) -> None:
    """Let the link of a store name a folder of it; None: there is no link.

    Raises:
        OSError: it cannot be written.
    """
    if number is None:
        link.unlink(missing_ok=True)
    else:
        staged = temporary_beside(link)
        staged.symlink_to(str(number))
        staged.replace(link)
    sync_folder(link.parent)


def read_once(path: Path, most: int, *, remedy: str, missing: str = "missing") -> bytes:
    """A file of such a folder: what lies at its name may be another one the next time.

    Args:
        path: the file.
        most: bytes.
        remedy: what to do about a file that cannot be used.
        missing: what the message calls a file that is not there.

    Raises:
        Refused: it is missing, too large, no file, or cannot be read.
    """
    try:
        return read_bounded(path, most)
    except BadInput as error:
        raise Refused(f"{error}; {remedy}") from None
    except FileNotFoundError:
        raise Refused(f"{path}: {missing}; {remedy}") from None
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
