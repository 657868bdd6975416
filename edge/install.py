"""Bundles on a device: the one in use, the one before it, and the way between them.

A store is a folder of numbered bundles, `1`, `2` and so on, and a link `current` to one of them.
The link alone says what is in use, and is replaced in one step: whatever happens to the process or
the power, it names a whole bundle, the old one or the new one. A line reads its bundle when it
starts, so one that is running keeps the old one until then.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from edge.bundle import Bundle
from edge.errors import BadInput, EwasteError
from edge.files import sync_folder, write_whole
from edge.manifest import MANIFEST
from edge.signature import SIGNATURE
from edge.verify import verify

CURRENT = "current"


def install(bundle: Path, store: Path, trusted: Sequence[str] = (), threads: int = 2) -> Bundle:
    """Verify a bundle, copy it into a store, verify the copy, and make it the one in use.

    The one in use before stays, for `roll_back`; older ones are removed.

    Raises:
        BadInput: `bundle` is no bundle at all.
        Refused: it, or its copy, cannot be proved; nothing has changed then.
        EwasteError: the store cannot be written.
    """
    proved, _ = verify(bundle, trusted, threads).require()
    try:
        store.mkdir(parents=True, exist_ok=True)
        before = current_number(store)
        number = (before or 0) + 1
        fresh = store / str(number)
        # What a killed install left, or what was rolled back from.
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            _copy(proved, fresh)
            installed, _ = verify(fresh, trusted, threads).require()
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        _point(store, number)
        _remove_all_but(store, {before, number})
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error}); check space and rights") from None
    return installed


def roll_back(store: Path, trusted: Sequence[str] = (), threads: int = 2) -> Bundle:
    """Make the bundle before the one in use the one in use again.

    Raises:
        BadInput: there is none.
        Refused: it cannot be proved any more; nothing has changed then.
        EwasteError: the store cannot be written.
    """
    now = current_number(store)
    earlier = [number for number in _numbers(store) if now is not None and number < now]
    if not earlier:
        raise BadInput(f"{store}: no earlier bundle to go back to")
    found, _ = verify(store / str(earlier[-1]), trusted, threads).require()
    try:
        _point(store, earlier[-1])
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error})") from None
    return found


def current_number(store: Path) -> int | None:
    """The number of the bundle in use; None: nothing is installed."""
    try:
        name = (store / CURRENT).readlink().name
    except OSError:
        return None
    return int(name) if name.isdecimal() else None


def _copy(bundle: Bundle, fresh: Path) -> None:
    """Copy the files that belong to a bundle, and nothing else that lies there."""
    names = [MANIFEST, *bundle.manifest.files]
    if (bundle.path / SIGNATURE).is_file():
        names.append(SIGNATURE)
    fresh.mkdir()
    for name in names:
        write_whole(fresh / name, (bundle.path / name).read_bytes())


def _point(store: Path, number: int) -> None:
    link = store / f".{CURRENT}.new"
    link.unlink(missing_ok=True)
    link.symlink_to(str(number))
    link.replace(store / CURRENT)
    sync_folder(store)


def _numbers(store: Path) -> list[int]:
    return sorted(int(entry.name) for entry in store.iterdir() if entry.name.isdecimal())


def _remove_all_but(store: Path, kept: set[int | None]) -> None:
    for number in _numbers(store):
        if number not in kept:
            shutil.rmtree(store / str(number))
