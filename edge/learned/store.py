"""Generations on a device: what it has learned, the one in use, and the way between them.

A store is a folder of numbered generations, `1`, `2` and so on, and a link `current` to one of
them. The link alone says what is in use, and is replaced in one step: whatever happens to the
process or the power, it names a whole generation, or there is none and the bundle decides alone. A
number is never given twice. `history.json` holds who did what and when (`edge.bundle.history`).
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle.bundle import sha256
from edge.bundle.history import (
    HISTORY_NAME,
    InstallEntry,
    InstallHistory,
    Standing,
    ended,
    read_history,
    write_history,
)
from edge.bundle.install import CURRENT, current_number, identity
from edge.bundle.signature import check_signature, sign
from edge.errors import BadInput, EwasteError, Refused
from edge.files import (
    give_to_owner,
    make_private_folder,
)
from edge.folder_lock import folder_lock
from edge.learned.device_key import CONTEXT, KEY_NAME, device_key, own_public_key
from edge.learned.manifest import (
    ADAPTER,
    CROPS,
    MANIFEST,
    REMEDY,
    LearnedManifest,
    parse_learned,
)
from edge.numbered_folders import clear, numbers, place, point, read_once, remove

log = logging.getLogger(__name__)

LEARNED_NAME = "learned"
"""The folder of the store in the state folder."""
SIGNATURE = "learned.sig"
MOST_FILE_BYTES: Mapping[str, int] = {
    MANIFEST: 4 * 2**20,
    SIGNATURE: 2**12,
    ADAPTER: 16 * 2**20,
    CROPS: 96 * 2**20,
}
MOST_GENERATIONS = 5
"""So many of the newest generations stay, beside the one in use and the one before it."""
BUSY = "another command learns or goes back; try again when it is done"


@dataclass(frozen=True)
class Generation:
    """What a device has learned beside one bundle.

    Attributes:
        number: its place in the store.
        path: its folder.
        manifest: what it is.
        digest: SHA-256 of `learned.json`, hence of everything in it.
        contents: its files by name, as far as they were read.
    """

    number: int
    path: Path
    manifest: LearnedManifest
    digest: str
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class StoredGeneration:
    """A generation in a store, for a list.

    Attributes:
        number: its place.
        in_use: whether the link names it.
        generation: it, its manifest only; None: it cannot be read.
        problem: why, one line; empty: it can.
        entry: what became of it; None: it is not known.
    """

    number: int
    in_use: bool
    generation: Generation | None
    problem: str = ""
    entry: InstallEntry | None = None


@dataclass(frozen=True)
class LearnedStep:
    """What made a generation.

    Attributes:
        what: in a few words, such as "taught Phone".
        by: who did it.
        parent: digest of the generation that it was derived from; empty: of none.
        now: unix seconds.
        at_once: whether a running line takes it also while its belt moves.
    """

    what: str
    by: str = ""
    parent: str = ""
    now: float | None = None
    at_once: bool = False


def add_generation(
    store: Path, manifest: LearnedManifest, contents: Mapping[str, bytes], step: LearnedStep
) -> Generation:
    """Sign a generation, put it into a store whole, and make it the one in use.

    Args:
        store: the folder of the generations.
        manifest: what it is; its digests are added here.
        contents: its `required_files` by name.
        step: what made it.

    Raises:
        BadInput: the generation in use is not `step.parent` any more, or another command works with
            the store.
        Refused: what would be written is no valid generation.
        EwasteError: the store cannot be written.
    """
    digests = {name: sha256(contents[name]) for name in manifest.required_files}
    sealed = manifest.model_copy(update={"files": digests}).as_json
    now = time.time() if step.now is None else step.now
    try:
        make_private_folder(store.parent, (store.name,))  # the state of the line
        make_private_folder(store, (CURRENT, KEY_NAME))
        give_to_owner(store, store.parent)
        with folder_lock(store, BUSY):
            clear(store, CURRENT, HISTORY_NAME, KEY_NAME)
            history = _settled(store, now)
            if digest_in_use(store) != step.parent:
                raise BadInput(f"{store}: something else was learned meanwhile; try again")
            number = max([0, *numbers(store), *(each.number for each in history.entries)]) + 1
            signature = sign(device_key(store), sealed, CONTEXT)
            files = {MANIFEST: sealed, SIGNATURE: signature}
            files |= {name: contents[name] for name in digests}
            place(
                store,
                number,
                files,
                limits=MOST_FILE_BYTES,
                check=lambda staged: parse_learned(staged / MANIFEST, sealed),
            )
            entry = InstallEntry(
                number=number,
                digest=sha256(sealed),
                name=step.what,
                installed_at=now,
                standing=Standing.ON_PROBATION,
                before=step.parent or manifest.base,
                at_once=step.at_once,
                base=manifest.base,
                by=step.by,
            )
            write_history(store, _passed_over(history, store, step, now).with_entry(entry))
            point(store / CURRENT, number)
            _prune(store)
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error}); check space and rights") from None
    return load_generation(store, number)


def roll_back(
    store: Path,
    *,
    by: str = "",
    why: str = "",
    only_from: tuple[int, ...] | None = None,
    now: float | None = None,
) -> Generation | None:
    """Make the generation before the one in use the one in use again; None: none was before it.

    Args:
        store: the folder of the generations.
        by: who does so; empty: a line does, by itself.
        why: for what; empty: a person wishes it.
        only_from: `identity` of the generation in use; nothing is done where another one is by now.
        now: unix seconds; None: by the clock of the system.

    Raises:
        BadInput: none is in use, or another one than `only_from`, or another command works with the
            store.
        EwasteError: the store cannot be written.
    """
    if current_number(store) is None:
        raise BadInput(f"{store}: nothing is learned, so there is nothing to go back to")
    now = time.time() if now is None else now
    try:
        with folder_lock(store, BUSY):
            if only_from is not None and identity(store) != only_from:
                raise BadInput(f"{store}: another generation is in use by now")
            history, number = read_history(store), current_number(store) or 0
            entry = history.at(number)
            before = _before(store, entry)
            if entry is not None:  # first of all: a line that finds it noted goes back itself
                standing = Standing.LEFT if by or not why else Standing.ROLLED_BACK
                history = history.with_entry(ended(entry, standing, why or _by_hand(by), now))
            target = None if before is None else history.at(before.number)
            if target is not None:
                history = history.with_entry(target.model_copy(update={"at_once": True}))
            write_history(store, history)
            point(store / CURRENT, None if before is None else before.number)
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error.strerror})") from None
    return before


def note(store: Path, entry: InstallEntry) -> None:
    """Write down what is known of a generation by now.

    Raises:
        BadInput: another command works with the store.
        EwasteError: the store cannot be written.
    """
    try:
        with folder_lock(store, BUSY):
            write_history(store, read_history(store).with_entry(entry))
    except OSError as error:
        raise EwasteError(f"{store}: cannot be written ({error.strerror})") from None


def current_generation(store: Path, *, with_crops: bool = False) -> Generation | None:
    """The generation in use, proved to be what this device signed; None: none is in use.

    Raises:
        BadInput: the store may not be read.
        Refused: it cannot be proved.
    """
    number = current_number(store)
    return None if number is None else load_generation(store, number, with_crops=with_crops)


def load_generation(store: Path, number: int, *, with_crops: bool = False) -> Generation:
    """Read a generation and check its signature and its digests.

    Args:
        store: the folder of the generations.
        number: its place.
        with_crops: whether the crops are read too; a line does not need them.

    Raises:
        BadInput: the key of the device cannot be read.
        Refused: a file is missing, altered, or malformed, or it is not signed by this device.
    """
    found = read_generation(store, number)
    signature = read_once(found.path / SIGNATURE, MOST_FILE_BYTES[SIGNATURE], remedy=REMEDY)
    own = own_public_key(store)
    if not own:
        raise Refused(f"{store / KEY_NAME}: missing, so nothing says who made {found.path}")
    check_signature(
        found.path / SIGNATURE, found.contents[MANIFEST], signature, [own], context=CONTEXT
    )
    contents = dict(found.contents) | {SIGNATURE: signature}
    for name, digest in found.manifest.files.items():
        if name == CROPS and not with_crops:
            continue
        contents[name] = read_once(found.path / name, MOST_FILE_BYTES[name], remedy=REMEDY)
        if sha256(contents[name]) != digest:
            raise Refused(f"{found.path / name}: altered since it was learned; {REMEDY}")
    return Generation(number, found.path, found.manifest, found.digest, contents)


def read_generation(store: Path, number: int) -> Generation:
    """Read the manifest of a generation, and nothing else of it yet.

    Raises:
        Refused: it is missing or malformed.
    """
    path = store / str(number)
    sealed = read_once(path / MANIFEST, MOST_FILE_BYTES[MANIFEST], remedy=REMEDY)
    manifest = parse_learned(path / MANIFEST, sealed)
    return Generation(number, path, manifest, sha256(sealed), {MANIFEST: sealed})


def stored_generations(store: Path) -> list[StoredGeneration]:
    """The generations of a store, the newest first; their files are not read.

    Raises:
        BadInput: the store cannot be read.
    """
    try:
        listed = numbers(store)[::-1]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise BadInput(f"{store}: cannot be read ({error.strerror})") from None
    current, history = current_number(store), read_history(store)
    found = []
    for number in listed[: 2 * MOST_GENERATIONS]:
        entry = history.at(number)
        try:
            generation = read_generation(store, number)
        except EwasteError as error:
            found.append(StoredGeneration(number, number == current, None, str(error), entry))
            continue
        if entry is not None and entry.digest != generation.digest:
            entry = None  # somebody put another one there
        found.append(StoredGeneration(number, number == current, generation, "", entry))
    return found


def digest_in_use(store: Path) -> str:
    """The digest of the generation in use; empty: none is, or it cannot be read."""
    number = current_number(store)
    try:
        return "" if number is None else read_generation(store, number).digest
    except EwasteError:
        return ""


def decided_beside(store: Path, base: str) -> Sequence[str]:
    """The digests that records name where a bundle decided: its own, and those learned beside it.

    Args:
        store: the folder of the generations.
        base: digest of the bundle.
    """
    learned = [each.digest for each in read_history(store).entries if each.base == base]
    return list(dict.fromkeys([base, *learned]))


def _before(store: Path, entry: InstallEntry | None) -> Generation | None:
    """The generation before one, proved; None: it was the bundle alone, or it cannot be proved.

    The bundle alone is a good state too, and there must be a way back to one.
    """
    if entry is None or entry.before in ("", entry.base):
        return None
    for number in reversed(numbers(store)):
        try:
            if read_generation(store, number).digest == entry.before:
                return load_generation(store, number)
        except EwasteError as error:
            log.warning("%s", error)
    log.warning("%s: the generation before is not there; the bundle decides alone", store)
    return None


def _by_hand(by: str) -> str:
    return f"rolled back by {by}" if by else "rolled back by hand"


def _settled(store: Path, now: float) -> InstallHistory:
    """The history, in which what a killed command had only begun is not on probation."""
    history, current = read_history(store), current_number(store)
    for entry in history.entries:
        if entry.standing is Standing.ON_PROBATION and entry.number != current:
            done = ended(entry, Standing.LEFT, "was cut off before it came into use", now)
            history = history.with_entry(done)
    return history


def _passed_over(
    history: InstallHistory, store: Path, step: LearnedStep, now: float
) -> InstallHistory:
    """The history, in which the generation in use is left for another one."""
    entry = history.at(current_number(store) or 0)
    if entry is None or entry.standing is not Standing.ON_PROBATION:
        return history
    return history.with_entry(ended(entry, Standing.LEFT, f"then {step.what}", now))


def _prune(store: Path) -> None:
    """Remove all but the generation in use, the one before it, and the newest."""
    current, history = current_number(store) or 0, read_history(store)
    entry = history.at(current)
    before = None if entry is None else history.last(entry.before)
    kept = {
        current,
        *([] if before is None else [before.number]),
        *numbers(store)[-MOST_GENERATIONS:],
    }
    for number in numbers(store):
        if number not in kept:
            remove(store, number)
