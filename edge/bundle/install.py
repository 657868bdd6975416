"""Bundles on a device: the one in use, the one before it, and the way between them.

A store is a folder of numbered bundles, `1`, `2` and so on, and a link `current` to one of them.
The link alone says what is in use, and is replaced in one step: whatever happens to the process or
the power, it names a whole bundle, the old one or the new one. A line reads its bundle when it
starts, so one that is running keeps the old one until then.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.bundle import Bundle, load_bundle, read_bundle
from edge.bundle.verify import Demands, verify
from edge.errors import BadInput, EwasteError, Refused
from edge.files import make_private_folder, sync_folder, temporary_beside, write_whole

CURRENT = "current"
TEMPORARY = re.compile(r"\.(\d+|current)\.[0-9a-f]{16}\.new")
MOST_SHOWN = 10
"""A store holds two bundles, unless somebody put more into it."""


@dataclass(frozen=True)
class InstalledBundle:
    """A bundle in a store.

    Attributes:
        number: its place in the store.
        in_use: whether it is the one that a line takes at its next start.
        bundle: it, without its files but the manifest; None: it cannot be read.
        problem: why it cannot be read, one line; empty if it can.
    """

    number: int
    in_use: bool
    bundle: Bundle | None
    problem: str = ""


def install(
    bundle: Path,
    store: Path,
    trusted: Sequence[str] = (),
    *,
    threads: int = 2,
    demands: Demands = Demands(),
    forced: bool = False,
    fits: Callable[[Bundle], object] | None = None,
) -> Bundle:
    """Verify a bundle, copy what was verified into a store, and make the copy the one in use.

    The one in use before stays, for `roll_back`; older ones are removed. `forced` takes one that
    was converted before the one in use, which may be an old, signed one with a known fault. `fits`
    raises where a bundle that was proved does not fit the configuration.

    Raises:
        BadInput: `bundle` is no bundle at all.
        Refused: it cannot be proved, or is older than the one in use; nothing has changed then.
        EwasteError: the store cannot be written, or another install is at work in it.
    """
    proved, _ = verify(bundle, trusted, threads, None, demands).require()
    if fits is not None:
        fits(proved)
    try:
        make_private_folder(store.parent, (store.name,))  # the state of the line
        make_private_folder(store, (CURRENT,))
        with _alone(store):
            if not forced:
                _check_newer(proved, store)
            before = current_number(store)
            number = (before or 0) + 1
            _clear(store)
            staged = temporary_beside(store / str(number))
            try:
                _copy(proved, staged)
                if load_bundle(staged).digest != proved.digest:
                    raise Refused(f"{staged}: not what was verified; install it again")
                # What a killed install left, or what was rolled back from.
                shutil.rmtree(store / str(number), ignore_errors=True)
                staged.rename(store / str(number))
                sync_folder(store)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
            _point(store, number)
            _remove_all_but(store, {before, number})
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error}); check space and rights") from None
    return load_bundle(store / str(number))


def roll_back(
    store: Path,
    trusted: Sequence[str] = (),
    threads: int = 2,
    demands: Demands = Demands(),
    *,
    fits: Callable[[Bundle], object] | None = None,
) -> Bundle:
    """Make the bundle before the one in use the one in use again; `fits` is as for `install`.

    Raises:
        BadInput: there is none.
        Refused: it cannot be proved any more; nothing has changed then.
        EwasteError: the store cannot be written, or another install is at work in it.
    """
    now = current_number(store)
    if now is None:
        raise BadInput(f"{store}: nothing is installed, so there is nothing to go back to")
    try:
        with _alone(store):
            earlier = [number for number in _numbers(store) if number < now]
            if not earlier:
                raise BadInput(f"{store}: no earlier bundle to go back to")
            found, _ = verify(store / str(earlier[-1]), trusted, threads, None, demands).require()
            if fits is not None:
                fits(found)
            _point(store, earlier[-1])
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error})") from None
    return found


def _check_newer(bundle: Bundle, store: Path) -> None:
    """See that a bundle is no older than the one in use; one that cannot be read is no measure."""
    try:
        used = read_bundle(store / CURRENT).manifest
    except EwasteError:
        return
    if bundle.manifest.created < used.created:
        raise Refused(
            f"{bundle.path}: converted {bundle.manifest.created:%Y-%m-%d %H:%M:%S}, before the one "
            f"in use ({used.name}, {used.created:%Y-%m-%d %H:%M:%S}); to go back take "
            "ewaste-edge rollback, or install it with --force"
        )


def installed_in(store: Path) -> list[InstalledBundle]:
    """The bundles of a store, the newest first, at most `MOST_SHOWN`; their files are not read.

    Raises:
        BadInput: the store cannot be read.
    """
    try:
        numbers = _numbers(store)[::-1][:MOST_SHOWN]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"{store}: cannot be read ({error.strerror})") from None
    current = current_number(store)
    return [_installed(store, number, number == current) for number in numbers]


def _installed(store: Path, number: int, in_use: bool) -> InstalledBundle:
    try:
        return InstalledBundle(number, in_use, read_bundle(store / str(number)))
    except EwasteError as error:
        return InstalledBundle(number, in_use, None, str(error))


def current_number(store: Path) -> int | None:
    """The number of the bundle in use; None: nothing is installed.

    Raises:
        BadInput: it may not be read.
    """
    try:
        name = (store / CURRENT).readlink().name
    except PermissionError as error:
        raise BadInput(f"{store / CURRENT}: cannot be read ({error.strerror})") from None
    except OSError:
        return None
    return int(name) if name.isdecimal() else None


@contextmanager
def _alone(store: Path) -> Iterator[None]:
    """Within: no other process installs into the store. The lock ends with the process."""
    handle = os.open(store, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise EwasteError(
            f"{store}: another install is at work; try again when it is done"
        ) from None
    finally:
        os.close(handle)


def _clear(store: Path) -> None:
    """Remove what killed installs left under temporary names."""
    for left in [entry for entry in store.iterdir() if TEMPORARY.fullmatch(entry.name)]:
        if left.is_symlink():
            left.unlink()
        else:
            shutil.rmtree(left, ignore_errors=True)


def _copy(bundle: Bundle, staged: Path) -> None:
    """Write what was verified, and nothing else that lies beside it."""
    staged.mkdir()
    for name, content in bundle.contents.items():
        write_whole(staged / name, content)


def _point(store: Path, number: int) -> None:
    link = temporary_beside(store / CURRENT)
    link.symlink_to(str(number))
    link.replace(store / CURRENT)
    sync_folder(store)


def _numbers(store: Path) -> list[int]:
    return sorted(int(entry.name) for entry in store.iterdir() if entry.name.isdecimal())


def _remove_all_but(store: Path, kept: set[int | None]) -> None:
    for number in _numbers(store):
        if number not in kept:
            shutil.rmtree(store / str(number))
