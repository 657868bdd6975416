"""Write a card: what a board needs to install itself at its first boot, without a network.

On the boot partition lie the three files of cloud-init, and a folder with the kit, the
configuration, and a list of all with their digests, whose own digest user-data names: parts of two
cards, a lost file, and a damaged one are found before anything is installed. The list and user-data
come last.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.bundle import DEFAULT_BUNDLE, Bundle, load_bundle
from edge.card.board import NewBoard
from edge.card.seed import seed
from edge.card.settings import BoardSettings
from edge.config import decision_rules
from edge.errors import BadInput, EwasteError
from edge.files import write_whole
from edge.setup.commands import Runner
from edge.setup.download import download
from edge.setup.kit import LIST, Kit, read_kit, require_kit_for, require_whole
from edge.setup.options import Options
from edge.setup.report import Step, already, done, note
from edge.setup.source import file_digest, own_source

FOLDER, KIT, BUNDLE = "ewaste-edge", "kit", "bundle"
DIGESTS, BOARD, SETTINGS, ROOT, SSH = "card.sha256", "board.json", "line.toml", "root.json", "ssh"
BOOT = "/boot/firmware"
"""Where Raspberry Pi OS mounts its boot partition."""
SHOWN = 16
FULL_BOOT = 400_000_000
"""Bytes; the boot partition of Raspberry Pi OS has 512 MB, of which its own files take some 80."""
_BOOT = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*){1,8}")


@dataclass(frozen=True)
class Card:
    """What a card is to hold.

    Attributes:
        folder: to write to, such as the boot partition of a card in this machine.
        board: what the board is to be.
        settings: the configuration of its line.
        kit: a kit that `setup --download` made; None: one is downloaded onto the card.
        platform, python: of the board.
        bundle: another one than that in the program.
        boot: where the board mounts its boot partition.
    """

    folder: Path
    board: NewBoard
    settings: BoardSettings
    kit: Path | None = None
    platform: str = "aarch64"
    python: str = "3.13"
    bundle: Path | None = None
    boot: str = BOOT


def make_card(card: Card, run: Runner) -> Iterator[Step]:
    """Check all parts, write the card, and say so step by step.

    Raises:
        BadInput: a part cannot be used.
        Refused: a bundle is not signed by a key that the board trusts, or a kit is damaged.
        EwasteError: the card is full, or the download failed.
    """
    if not _BOOT.fullmatch(card.boot):
        raise BadInput(f"--boot {card.boot!r}: no folder, such as {BOOT}")
    bundle = _bundle(card)
    kit = None if card.kit is None else _kit(card.kit, card)
    yield from map(_settings_note, card.settings.notes)
    folder = card.folder / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DIGESTS).unlink(missing_ok=True)  # not whole until the end
    except OSError as error:
        raise BadInput(f"{card.folder}: cannot be written ({error.strerror})") from None
    _require_room(folder, kit)
    if kit is None:
        options = Options(platforms=(card.platform,), pythons=(card.python,))
        yield from download(folder / KIT, options, own_source(), run)
        kit = read_kit(folder / KIT)
    else:
        yield _copy_kit(kit, folder / KIT)
    files = _files(card, bundle)
    _remove_others(folder, files)
    for name, content in files.items():
        _write(folder / name, content)
    yield done("configuration", f"{folder / SETTINGS}: valid")
    identity = _seal(folder, files)
    parts = seed(card.board, boot=card.boot, identity=identity)
    if card.board.ssh_keys:
        parts = {SSH: b"", **parts}  # Raspberry Pi OS starts its ssh server if there is this file
    for name, content in parts.items():
        _write(card.folder / name, content)
    yield done("first boot", f"{', '.join(parts)}: {card.board.hostname}, card {identity}")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    yield done("card", f"{folder}: {size // 10**6:,} MB")
    if size > FULL_BOOT:
        yield note("card", "the boot partition of Raspberry Pi OS has 512 MB: is there room?")
    if not (card.board.ssh_keys or card.board.password_hash):
        reason = "neither key nor password: nobody can log in; give --ssh-key"
        yield note("user", f"{card.board.user}: {reason}")


def _settings_note(text: str) -> Step:
    return note("configuration", text)


def _bundle(card: Card) -> Bundle:
    """The bundle that the board will run, as far as it can be proved without running it."""
    config = card.settings.config
    bundle = load_bundle(card.bundle or DEFAULT_BUNDLE, config.trust.keys)
    decision_rules(config, bundle)
    return bundle


def _kit(folder: Path, card: Card) -> Kit:
    kit = read_kit(folder)
    require_kit_for(kit, card.platform, card.python)
    require_whole(kit)
    return kit


def _require_room(folder: Path, kit: Kit | None) -> None:
    if kit is None:
        return
    missing = [name for name in kit.digests if not (folder / KIT / name).exists()]
    needed = sum((kit.folder / name).stat().st_size for name in missing)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise EwasteError(
            f"{folder}: {free // 10**6:,} MB are free, and {needed // 10**6:,} are needed; a kit "
            "for one Python is smaller: setup --download DIR --python 3.13"
        )


def _copy_kit(kit: Kit, target: Path) -> Step:
    """Copy a kit, its list last; what is there already is not copied again."""
    if target.exists() and kit.folder.samefile(target):
        return already("kit", str(target))
    (target / LIST).unlink(missing_ok=True)
    if target.exists():
        for path in [*target.rglob("*")]:
            if path.is_file() and str(path.relative_to(target)) not in kit.digests:
                path.unlink()
    copied = 0
    for name, digest in kit.digests.items():
        path = target / name
        if path.is_file() and file_digest(path) == digest:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kit.folder / name, path)
        copied += 1
    _write(target / LIST, (kit.folder / LIST).read_bytes())
    return done("kit", f"{target}: {copied} of {len(kit.digests)} files copied")


def _files(card: Card, bundle: Bundle) -> dict[str, bytes]:
    """Name within the folder -> content, but for the kit."""
    files = {SETTINGS: card.settings.text.encode()}
    if card.settings.root is not None:
        files[ROOT] = card.settings.root
    if card.bundle is not None:
        files |= {f"{BUNDLE}/{name}": content for name, content in bundle.contents.items()}
    # With another name, user, or network it is another card.
    plain = b"\0".join(seed(card.board, boot=card.boot, identity="").values())
    facts = {"hostname": card.board.hostname, "seed": hashlib.sha256(plain).hexdigest()}
    return files | {BOARD: (json.dumps(facts) + "\n").encode()}


def _remove_others(folder: Path, files: Mapping[str, bytes]) -> None:
    """Remove what an earlier card had here and this one has not."""
    for name in (ROOT, *(str(path.relative_to(folder)) for path in folder.glob(f"{BUNDLE}/*"))):
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    if not any(name.startswith(f"{BUNDLE}/") for name in files) and (folder / BUNDLE).is_dir():
        (folder / BUNDLE).rmdir()


def _seal(folder: Path, files: Mapping[str, bytes]) -> str:
    """Write the list of digests; returns the identity of the card."""
    names = sorted((*files, f"{KIT}/{LIST}", f"{KIT}/install.sh"))
    listed = "".join(f"{file_digest(folder / name)}  {name}\n" for name in names).encode()
    _write(folder / DIGESTS, listed)
    return hashlib.sha256(listed).hexdigest()[:SHOWN]


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise EwasteError(f"{path}: cannot be written ({error.strerror})") from None
