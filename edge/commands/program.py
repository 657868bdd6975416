"""`ewaste-edge update --program`: another version of the program, by root, from the repository."""

import os
from pathlib import Path

from edge.errors import BadInput
from edge.terminal import out

ROOT_USER = 0
BUSY = "another update of the program is at work; try again when it is done"


def update_program(config: Path | None, state: Path | None, patience_s: float) -> None:
    """Finish a trial that was interrupted, or bring what the ring of this board offers.

    Args:
        config: file of the line; None: that of the installation.
        state: folder of the line; None: that of the installation.
        patience_s: how long it waits for the belt or the window, s.

    Raises:
        BadInput: it is not root, the program was not installed by the installer, or the
            configuration does not ask for it.
        Refused: what is offered is refused, or was gone back from.
        EwasteError: it does not come, or cannot be installed.
    """
    from edge.config import read_config
    from edge.folder_lock import folder_lock
    from edge.program.board import UpdatedBoard
    from edge.program.procedure import noted, pull
    from edge.program.trial import settle
    from edge.setup.commands import run
    from edge.setup.places import Places
    from edge.setup.system import read_host, require_fit
    from edge.update.upstream import upstream_of

    if os.geteuid() != ROOT_USER:
        raise BadInput("only root can change the program: sudo systemctl start ewaste-program")
    os.umask(0o022)
    places = Places()
    if not places.proven.is_symlink():
        raise BadInput(f"{places.proven}: missing: the installer did not put the program here")
    board = UpdatedBoard(places=places, state=state or places.state)
    places.updates.mkdir(parents=True, exist_ok=True)
    with folder_lock(places.updates, BUSY), noted(board):
        # First: what is on trial may be what keeps the configuration from being read.
        settled = settle(board)
        if settled is not None:
            out.print(settled)
            return
        settings = read_config(config or places.settings)
        if not settings.update.program:
            raise BadInput("the program is not updated here: set [update] program = true")
        upstream = upstream_of(settings)
        host = read_host(places, run)
        require_fit(host)
        out.print(pull(board, upstream, host, as_root=True, patience_s=patience_s))
