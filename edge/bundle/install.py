"""Bundles on a device: the one in use, the one before it, and the way between them.

A store is a folder of numbered bundles, `1`, `2` and so on, and a link `current` to one of them.
The link alone says what is in use, and is replaced in one step: whatever happens to the process or
the power, it names a whole bundle, the old one or the new one. A running line follows the link
(`edge.bundle_watch`). `history.json` holds what became of each bundle (`edge.bundle.history`).
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.bundle.bundle import MOST_FILE_BYTES, Bundle, load_bundle, read_bundle
from edge.bundle.history import (
    HISTORY_NAME,
    InstallEntry,
    Standing,
    ended,
    read_history,
    write_history,
)
from edge.bundle.verify import Demands, verify
from edge.errors import BadInput, EwasteError, Refused
from edge.files import (
    give_to_owner,
    make_private_folder,
)
from edge.inference.backend import DEFAULT_BACKEND, Backend
from edge.numbered_folders import clear, numbers, place, point

CURRENT = "current"
MOST_SHOWN = 10
"""A store holds two bundles, unless somebody put more into it."""


@dataclass(frozen=True)
class InstalledBundle:
    """A bundle in a store.

    Attributes:
        number: its place in the store.
        in_use: whether it is the one that a line takes.
        bundle: it, without its files but the manifest; None: it cannot be read.
        problem: why it cannot be read, one line; empty if it can.
        is_previous: whether it is the one that `roll_back` goes to.
        entry: what became of it; None: it is not known.
    """

    number: int
    in_use: bool
    bundle: Bundle | None
    problem: str = ""
    is_previous: bool = False
    entry: InstallEntry | None = None


@dataclass(frozen=True)
class Allowed:
    """What an install is refused for unless it is asked for.

    Attributes:
        older: a bundle that was converted before the one in use: it may be an old, signed one with
            a known fault.
        again: a bundle that a line has rolled back.
    """

    older: bool = False
    again: bool = False


def install(
    bundle: Path,
    store: Path,
    trusted: Sequence[str] = (),
    *,
    threads: int = 2,
    demands: Demands = Demands(),
    allowed: Allowed = Allowed(),
    fits: Callable[[Bundle], object] | None = None,
    at_once: bool = False,
    running: str = "",
    now: float | None = None,
    backend: Backend = DEFAULT_BACKEND,
) -> Bundle:
    """Verify a bundle, copy what was verified into a store, and make the copy the one in use.

    Verification runs the model on the golden inputs, so what comes into use has answered here. The
    one in use before stays, for `roll_back`, or the one that a line runs where the one in use still
    waits for it (`edge.bundle.window`); all others are removed.

    Args:
        bundle: its directory.
        store: the folder of the installed bundles.
        trusted: the public keys of which one must have signed it; none: anyone may.
        threads: of an inference.
        demands: of this device.
        allowed: what is not refused.
        fits: raises where a bundle that was proved does not fit the configuration.
        at_once: whether a running line is to take it also while its belt moves.
        running: digest of the bundle that a line at work runs; empty: none is known.
        now: unix seconds; None: by the clock of the system.
        backend: what computes the model.

    Raises:
        BadInput: `bundle` is no bundle at all.
        Refused: it cannot be proved, is older than the one in use, or was rolled back; nothing has
            changed then.
        EwasteError: the store cannot be written, or another install is at work in it.
    """
    proved, _ = verify(bundle, trusted, threads, None, demands, backend=backend).require()
    if fits is not None:
        fits(proved)
    try:
        make_private_folder(store.parent, (store.name,))  # the state of the line
        make_private_folder(store, (CURRENT,))
        give_to_owner(store, store.parent, MOST_FILE_BYTES)
        with _alone(store):
            if not allowed.older:
                _check_newer(proved.path, proved.manifest.created, store)
            if not allowed.again:
                _check_not_rolled_back(proved, store)
            before = _number_before(store, running)
            number = (current_number(store) or 0) + 1
            clear(store, CURRENT, HISTORY_NAME)
            _place(proved, store, number)
            entry = _begun(proved, store, number, before)
            at = time.time() if now is None else now
            _note_begin(store, entry.model_copy(update={"installed_at": at, "at_once": at_once}))
            point(store / CURRENT, number)
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
    why: str = "",
    only_from: tuple[int, ...] | None = None,
    now: float | None = None,
    backend: Backend = DEFAULT_BACKEND,
) -> Bundle:
    """Make the bundle before the one in use the one in use again.

    Args:
        store: the folder of the installed bundles.
        trusted: as for `install`.
        threads: of an inference.
        demands: of this device.
        fits: as for `install`.
        why: why a line does so by itself; that bundle is not taken again unless it is asked for.
            Empty: a person does.
        only_from: `identity` of the bundle in use; nothing is done where another one is by now.
        now: as for `install`.
        backend: what computes the model.

    Raises:
        BadInput: there is none, or another one is in use than `only_from`.
        Refused: it cannot be proved any more; nothing has changed then.
        EwasteError: the store cannot be written, or another install is at work in it.
    """
    number = current_number(store)
    if number is None:
        raise BadInput(f"{store}: nothing is installed, so there is nothing to go back to")
    try:
        with _alone(store):
            if only_from is not None and identity(store) != only_from:
                raise BadInput(f"{store}: another bundle is in use by now")
            number = current_number(store) or 0
            earlier = [each for each in numbers(store) if each < number]
            if not earlier:
                raise BadInput(f"{store}: no earlier bundle to go back to")
            before = store / str(earlier[-1])
            found, _ = verify(before, trusted, threads, None, demands, backend=backend).require()
            if fits is not None:
                fits(found)
            # First of all: a line that finds it noted and still in use goes back itself.
            _note_end(store, number, why, time.time() if now is None else now)
            _note_target(store, earlier[-1], found, time.time() if now is None else now)
            point(store / CURRENT, earlier[-1])
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error})") from None
    return found


def identity(store: Path) -> tuple[int, ...] | None:
    """Which bundle is in use: another one has another value; None: none is.

    A number is given again after a roll back, so the folder itself is looked at.
    """
    try:
        found = (store / CURRENT).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _place(proved: Bundle, store: Path, number: int) -> None:
    """Copy a bundle to its place in a store, whole or not at all.

    Raises:
        Refused: what was written is not what was verified.
    """

    def check(staged: Path) -> None:
        if load_bundle(staged).digest != proved.digest:
            raise Refused(f"{staged}: not what was verified; install it again")

    # What a killed install left, or what was rolled back from, is replaced.
    files = proved.contents
    place(store, number, files, limits=MOST_FILE_BYTES, check=check, replaces=True)


def _number_before(store: Path, running: str) -> int | None:
    """The number of the bundle that another one takes the place of; None: there is none.

    That is the one in use, unless it still waits for a line, which runs the one before it.
    """
    current = current_number(store)
    if current is None or not running or _digest_at(store, current) == running:
        return current
    runs = number_of(store, running)
    return current if runs is None else runs


def _digest_at(store: Path, number: int) -> str:
    """The digest of a bundle in a store; empty where it cannot be read."""
    try:
        return read_bundle(store / str(number)).digest
    except EwasteError:
        return ""


def _begun(proved: Bundle, store: Path, number: int, before: int | None) -> InstallEntry:
    """What is known of a bundle that comes into use."""
    # What cannot be read is nothing to go back to.
    digest = "" if before is None else _digest_at(store, before)
    return InstallEntry(
        number=number,
        digest=proved.digest,
        name=proved.manifest.name,
        installed_at=0.0,
        standing=Standing.ON_PROBATION if digest else Standing.UNWATCHED,
        before=digest,
    )


def number_of(store: Path, digest: str) -> int | None:
    """The newest number of a bundle before the one in use; None: it is not there.

    Raises:
        BadInput: the store may not be read.
    """
    current = current_number(store) or 0
    try:
        found = [each for each in numbers(store) if _digest_at(store, each) == digest]
    except OSError as error:
        raise BadInput(f"{store}: cannot be read ({error.strerror})") from None
    return max((each for each in found if each < current), default=None)


def _note_begin(store: Path, entry: InstallEntry) -> None:
    """Write down that a bundle comes into use, and that one that waited does not."""
    history = read_history(store)
    waited = history.at(current_number(store) or 0)
    is_passed_over = waited is not None and waited.digest not in (entry.before, entry.digest)
    if waited is not None and is_passed_over and waited.standing is Standing.ON_PROBATION:
        why = f"replaced by {entry.name} before a line took it"
        history = history.with_entry(ended(waited, Standing.LEFT, why, entry.installed_at))
    write_history(store, history.with_entry(entry))


def _note_target(store: Path, number: int, found: Bundle, now: float) -> None:
    """Write down that a running line takes a bundle again at once, also while its belt moves."""
    history = read_history(store)
    entry = history.at(number)
    if entry is None or entry.digest != found.digest:
        entry = InstallEntry(
            number=number,
            digest=found.digest,
            name=found.manifest.name,
            installed_at=now,
            standing=Standing.UNWATCHED,
        )
    write_history(store, history.with_entry(entry.model_copy(update={"at_once": True})))


def take_at_once(store: Path) -> Bundle:
    """Let a running line take the bundle in use also while its belt moves.

    Raises:
        BadInput: nothing is installed, or it cannot be read.
        EwasteError: the store cannot be written, or another install is at work in it.
    """
    number = current_number(store)
    if number is None:
        raise BadInput(f"{store}: nothing is installed")
    try:
        with _alone(store):
            number = current_number(store) or number
            found = read_bundle(store / str(number))
            _note_target(store, number, found, time.time())
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error.strerror})") from None
    return found


def _note_end(store: Path, number: int, why: str, now: float) -> None:
    """Write down that the bundle in use is left."""
    history = read_history(store)
    entry = history.at(number)
    if entry is not None:
        standing = Standing.ROLLED_BACK if why else Standing.LEFT
        done = ended(entry, standing, why or "rolled back by hand", now)
        write_history(store, history.with_entry(done))


def note(store: Path, entry: InstallEntry) -> None:
    """Write down what is known of an install by now.

    Raises:
        EwasteError: the store cannot be written, or another install is at work in it.
    """
    try:
        with _alone(store):
            write_history(store, read_history(store).with_entry(entry))
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error.strerror})") from None


def _check_not_rolled_back(bundle: Bundle, store: Path) -> None:
    """See that no line has rolled a bundle back."""
    entry = read_history(store).last(bundle.digest)
    if entry is not None and entry.standing is Standing.ROLLED_BACK:
        raise Refused(
            f"{bundle.path}: was rolled back ({entry.why}); convert another, or install it with "
            "--again"
        )


def _check_newer(shown: object, created: datetime, store: Path) -> None:
    """See that a bundle is no older than the one in use; one that cannot be read is no measure."""
    try:
        used = read_bundle(store / CURRENT).manifest
    except EwasteError:
        return
    if created < used.created:
        raise Refused(
            f"{shown}: converted {created:%Y-%m-%d %H:%M:%S}, before the one "
            f"in use ({used.name}, {used.created:%Y-%m-%d %H:%M:%S}); to go back take "
            "ewaste-edge rollback, or install it with --older"
        )


def is_in_use(store: Path, digest: str) -> bool:
    """Whether a bundle is the one in use; it may still wait for a running line."""
    try:
        return read_bundle(store / CURRENT).digest == digest
    except EwasteError:
        return False


def check_offered(store: Path, digest: str, created: datetime, shown: object) -> None:
    """See that a bundle may come into use by itself, before it is fetched.

    Args:
        store: the folder of the installed bundles.
        digest: of the bundle.
        created: when it was converted.
        shown: its name for messages.

    Raises:
        Refused: it is older than the one in use, or a line or a person went back from it.
    """
    _check_newer(shown, created, store)
    entry = read_history(store).last(digest)
    if entry is not None and entry.standing in (Standing.ROLLED_BACK, Standing.LEFT):
        raise Refused(
            f"{shown}: was in use here and was left ({entry.why}); publish another, or install it "
            "by hand with --again"
        )


def installed_in(store: Path) -> list[InstalledBundle]:
    """The bundles of a store, the newest first, at most `MOST_SHOWN`; their files are not read.

    Raises:
        BadInput: the store cannot be read.
    """
    try:
        listed = numbers(store)[::-1][:MOST_SHOWN]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"{store}: cannot be read ({error.strerror})") from None
    current, history = current_number(store), read_history(store)
    previous = next((each for each in listed if current is not None and each < current), None)
    found = []
    for number in listed:
        in_use, is_previous = number == current, number == previous
        try:
            bundle = read_bundle(store / str(number))
        except EwasteError as error:
            found.append(InstalledBundle(number, in_use, None, str(error), is_previous))
            continue
        entry = history.at(number)
        if entry is not None and entry.digest != bundle.digest:
            entry = None  # somebody put another bundle there
        found.append(InstalledBundle(number, in_use, bundle, "", is_previous, entry))
    return found


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


def _remove_all_but(store: Path, kept: set[int | None]) -> None:
    for number in numbers(store):
        if number not in kept:
            shutil.rmtree(store / str(number))
