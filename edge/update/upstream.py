"""Where the bundles of a board come from, and a visit there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config import Config
from edge.errors import BadInput, EwasteError
from edge.files import make_private_folder
from edge.folder_lock import folder_lock
from edge.update.offer import METADATA_FOLDER, Ring

if TYPE_CHECKING:
    from edge.update.repository import Repository

INSTALL_TUF = "pip install 'tuf>=7,<8'"


@dataclass(frozen=True)
class Upstream:
    """Where the bundles of a board come from.

    Attributes:
        url: of the repository, without a slash at its end.
        ring: of the board.
        root: the file with the root metadata that the board trusts first of all.
        folder: what was verified last time is kept here, against a step back.
        timeout_s: that asking and downloading may take together, s.
    """

    url: str
    ring: Ring
    root: Path
    folder: Path
    timeout_s: float


def upstream_of(config: Config) -> Upstream:
    """The repository of a configuration.

    Raises:
        BadInput: it names none.
    """
    given = config.update
    if given.repository is None or given.root is None:
        raise BadInput(
            "there is no repository to ask; set [update] repository and root in the configuration"
        )
    return Upstream(
        url=given.repository.rstrip("/"),
        ring=Ring(given.ring),
        root=given.root.expanduser(),
        folder=config.updates,
        timeout_s=given.timeout_s,
    )


@contextmanager
def needing_tuf() -> Iterator[None]:
    """Within: what is imported may need python-tuf.

    Raises:
        BadInput: it is missing.
    """
    try:
        yield
    except ModuleNotFoundError:
        raise BadInput(f"updates need python-tuf, which is missing; run: {INSTALL_TUF}") from None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Within: `folder` is made ready.

    Raises:
        EwasteError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise EwasteError(
            f"{folder}: cannot be written ({error.strerror}); check space and rights"
        ) from None


@contextmanager
def visited(upstream: Upstream) -> Iterator["Repository"]:
    """The repository, while no other process of this board asks it.

    Raises:
        BadInput: python-tuf is missing, the root metadata cannot be used, another process is at it,
            or root would write what belongs to the user of the line.
        EwasteError: the folder cannot be written.
    """
    with needing_tuf():
        from edge.update.repository import Repository
    with writing(upstream.folder):
        make_private_folder(upstream.folder.parent, ("bundles",))
        owner = upstream.folder.parent.stat().st_uid
        if os.geteuid() == 0 and owner != 0:
            raise BadInput(
                f"{upstream.folder.parent}: belongs to another user, who must be able to write "
                "there; run: sudo systemctl start ewaste-update"
            )
        make_private_folder(upstream.folder, (METADATA_FOLDER,))
    with folder_lock(upstream.folder, "another update is at work; try again when it is done"):
        yield Repository(upstream)
