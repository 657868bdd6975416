"""The options of `ewaste-edge card`, and the card that they ask for."""

from dataclasses import dataclass
from pathlib import Path

from edge.card.board import (
    NewBoard,
    hostname_of,
    network_of,
    password_hash_of,
    ssh_keys_of,
    user_of,
)
from edge.card.card import BOOT, Card
from edge.card.settings import board_settings
from edge.errors import BadInput, one_line
from edge.files import read_password, read_text
from edge.setup.options import PLATFORMS, PYTHONS

LARGEST_KEYS = 100_000


@dataclass(frozen=True)
class CardOptions:
    """What was typed; see the help of `ewaste-edge card`."""

    folder: Path
    config: Path
    kit: Path | None = None
    bundle: Path | None = None
    hostname: str = "ewaste-line"
    user: str = "sorter"
    ssh_key: Path | None = None
    password_hash: Path | None = None
    trust: tuple[str, ...] = ()
    root: Path | None = None
    address: str = ""
    gateway: str = ""
    dns: tuple[str, ...] = ()
    interface: str = "eth0"
    no_network: bool = False
    boot: str = BOOT
    platform: str = "aarch64"
    python: str = "3.13"


def card_of(given: CardOptions) -> Card:
    """The card, with every part checked that can be checked without writing.

    Raises:
        BadInput: an option or a file cannot be used.
    """
    for name, value, known in (
        ("--platform", given.platform, PLATFORMS),
        ("--python", given.python, PYTHONS),
    ):
        if value not in known:
            raise BadInput(f"{name} {one_line(value)}: choose one of {', '.join(known)}")
    board = NewBoard(
        hostname=hostname_of(given.hostname),
        user=user_of(given.user),
        ssh_keys=_ssh_keys(given.ssh_key),
        password_hash=_password_hash(given.password_hash),
        network=network_of(
            given.address,
            given.gateway,
            given.dns,
            interface=given.interface,
            has_none=given.no_network,
        ),
    )
    return Card(
        folder=given.folder,
        board=board,
        settings=board_settings(given.config, trusted=given.trust, root=given.root),
        kit=given.kit,
        platform=given.platform,
        python=given.python,
        bundle=given.bundle,
        boot=given.boot,
    )


def _ssh_keys(path: Path | None) -> tuple[str, ...]:
    return () if path is None else ssh_keys_of(read_text(path, LARGEST_KEYS), path)


def _password_hash(path: Path | None) -> str:
    return "" if path is None else password_hash_of(read_password(path), path)
