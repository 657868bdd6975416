"""The configuration that a card brings, with the keys that the board is to trust."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.bundle.signature import check_key
from edge.config import Config, read_config
from edge.errors import BadInput, may_hold_secret, one_line
from edge.files import read_bounded, read_text

LARGEST, LARGEST_ROOT = 1_000_000, 256_000
ROOT_PLACE = Path("/etc/ewaste-edge/root.json")


@dataclass(frozen=True)
class BoardSettings:
    """The configuration of a board's line, and what goes with it.

    Attributes:
        text: of line.toml.
        config: the same, read.
        root: the root metadata of the repository of bundles; None: the board asks none.
        notes: what a person should know, one line each.
    """

    text: str = field(repr=False)
    config: Config
    root: bytes | None
    notes: tuple[str, ...]


def board_settings(path: Path, *, trusted: Sequence[str], root: Path | None) -> BoardSettings:
    """Read a configuration, add the keys, and see that all is there that it needs on a board.

    Args:
        path: the configuration, TOML.
        trusted: public keys to add to it as `[trust]`, as `ewaste-edge keygen` prints them.
        root: the root metadata of the repository of bundles.

    Raises:
        BadInput: no configuration, no public key, or a file that it names is not given.
    """
    if path.suffix == ".json":
        raise BadInput(f"{path}: the board reads TOML; give a file that ends in .toml")
    config, text = read_config(path), read_text(path, LARGEST)
    for key in trusted:
        try:
            check_key(key)
        except ValueError as error:
            raise BadInput(f"--trust: {one_line(error)}") from None
    if trusted and not set(trusted) <= set(config.trust.keys):
        if "trust" in config.model_fields_set:
            raise BadInput(f"{path}: has a [trust] already; put the keys there, without --trust")
        text = f"{text.rstrip()}\n\n[trust]\nkeys = {json.dumps(list(trusted))}\n"
        config = _read_again(text, path)
    return BoardSettings(text, config, _root(config, path, root), tuple(_notes(config, path)))


def _read_again(text: str, path: Path) -> Config:
    """The configuration as it will be read on the board."""
    with TemporaryDirectory(prefix="ewaste-card-") as folder:
        changed = Path(folder) / path.name
        changed.write_text(text, encoding="utf-8")
        return read_config(changed)


def _root(config: Config, path: Path, root: Path | None) -> bytes | None:
    """The root metadata, which the configuration and the card must have both or none."""
    named = config.update.root
    if named is None and root is not None:
        raise BadInput(f"--root {root}: of no use, {path} has no [update] repository and root")
    if named is None:
        return None
    if named != ROOT_PLACE:
        raise BadInput(f"{path}: [update] root must be {ROOT_PLACE} on a board from a card")
    if root is None:
        raise BadInput(f"{path}: names {named}, the keys that updates are trusted by; give --root")
    try:
        content = read_bounded(root, LARGEST_ROOT)
        kind = json.loads(content)["signed"]["_type"]
    except OSError as error:
        raise BadInput(f"{root}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        kind = None
    if kind != "root":
        raise BadInput(f"{root}: no root metadata; take metadata/1.root.json of the repository")
    return content


def _notes(config: Config, path: Path) -> list[str]:
    notes = []
    if may_hold_secret(config.camera.source) and "@" in config.camera.source:
        notes.append(f"{path} holds the password of the camera; who has the card can read it")
    named = [config.panel.password_file, config.panel.users_file]
    named += [config.mqtt.password_file] if config.mqtt is not None else []
    for file in named:
        if file is not None:
            notes.append(f"{path} names {file}, which no card brings; put it on the board")
    if not config.follows_installs:
        notes.append(f"{path} names {config.classifier.bundle}; the board runs no other one")
    return notes
