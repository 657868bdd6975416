"""One visit for another version of the program: asked, fetched, made ready, waited, tried."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edge.bundle.window import Waiting, waiting_by
from edge.errors import BadInput, EwasteError, Refused, one_line
from edge.files import folder_beside
from edge.program.board import UpdatedBoard
from edge.program.staging import KIT, REPOSITORY, asked, stage
from edge.program.trial import begin
from edge.setup.environment import PIP_S
from edge.setup.kit import SCRIPT
from edge.setup.places import NAME
from edge.setup.source import WHEEL
from edge.setup.system import Host, require_room
from edge.update.outcome import LONGEST_WHY, FailedVisit
from edge.update.program_history import ProgramOutcome, ProgramStanding
from edge.update.program_offer import ProgramOffer, version_key
from edge.update.upstream import Upstream

CHECK_S = 600.0
POLL_S = 5.0


def pull(
    board: UpdatedBoard, upstream: Upstream, host: Host, *, as_root: bool, patience_s: float
) -> str:
    """Bring the program to what the ring of this board offers; returns what became of it.

    Args:
        board: where.
        upstream: the repository.
        host: this machine.
        as_root: the user of the line fetches; else this process's own user.
        patience_s: how long it waits until the belt stands or the window opens, s.

    Raises:
        Refused: it cannot be proved, is older, or was gone back from.
        EwasteError: it does not come, or cannot be installed.
    """
    where = f"{upstream.url}, ring {upstream.ring.value}"
    updates = board.places.updates
    own = replace(upstream, folder=updates / REPOSITORY)
    with (
        asked(own, as_root=as_root) as repository,
        folder_beside(own.folder / "download") as scratch,
    ):
        offer = repository.program(scratch)
        if offer is None:
            return f"{where}: offers no program yet"
        where = f"{where}: {offer.name}"
        if _is_used(board, offer, where):
            _forget_waiting(board)
            return f"{where}, in use already"
        environment = board.environment_of(offer.digest)
        if environment is None:
            require_room(board.places)
            stage(repository, offer, host, updates / KIT)
    environment = environment or _make_ready(board, offer)
    program = environment / "bin" / NAME
    try:
        board.run((program, "check", board.places.settings), seconds=CHECK_S)
    except EwasteError as error:
        raise Refused(f"{where}: does not take the configuration here ({error})") from None
    waiting = _wait(board, offer, patience_s)
    if waiting is not None:
        return f"{where}, {waiting.in_words}"
    return begin(board, offer.version, offer.digest, environment)


@contextmanager
def noted(board: UpdatedBoard) -> Iterator[None]:
    """Within: a visit, whose failure is written down, and is raised as it was.

    Bad input is not: it is of who asks.
    """
    try:
        yield
    except BadInput:
        raise
    except EwasteError as error:
        why = one_line(error, LONGEST_WHY)
        board.remember(failed=FailedVisit(at=board.now(), why=why))
        raise
    if board.history.failed is not None:
        board.remember(failed=None)


def used_version(board: UpdatedBoard) -> str:
    """The version of the program in use, by the wheel in its environment.

    Raises:
        BadInput: the installer did not put it there.
    """
    for wheel in sorted(board.places.program.resolve().glob(WHEEL)):
        return wheel.name.split("-")[1]
    raise BadInput(
        f"{board.places.program}: the installer did not put the program there, so that it cannot "
        "be updated; run edge/deploy/install.sh"
    )


def _is_used(board: UpdatedBoard, offer: ProgramOffer, where: str) -> bool:
    """Whether what is offered is in use.

    Raises:
        Refused: it is older, or was gone back from.
    """
    version = used_version(board)
    try:
        offered, used = version_key(offer.version), version_key(version)
    except ValueError as error:
        raise Refused(f"{where}: cannot be compared with the one in use ({error})") from None
    if offered < used:
        raise Refused(f"{where}: is older than {version}, which is in use; boards take no older")
    if offered > used and offer.digest in board.history.refused:
        raise Refused(f"{where}: was tried here and gone back from; publish another version")
    return offered == used


def _forget_waiting(board: UpdatedBoard) -> None:
    """What waited is in use: a person installed it."""
    last = board.history.last
    if last is not None and last.standing is ProgramStanding.WAITING:
        board.remember(last=None)


def _make_ready(board: UpdatedBoard, offer: ProgramOffer) -> Path:
    """Make the environment of a kit beside the one in use, by the kit's own installer."""
    script = board.places.updates / KIT / SCRIPT
    board.run(("sh", script, "--beside"), seconds=PIP_S)
    environment = board.environment_of(offer.digest)
    if environment is None:
        raise EwasteError(f"{script}: made no environment of {offer.name}; publish it again")
    return environment


def _wait(board: UpdatedBoard, offer: ProgramOffer, patience_s: float) -> Waiting | None:
    """Wait until the belt stands or the window opens; returns what still holds it up."""
    ends_at, noted_once = board.now() + patience_s, False
    while (waiting := waiting_by(board.status(), board.now())) is not None:
        if not noted_once:
            noted_once = True
            board.remember(
                last=ProgramOutcome(
                    version=offer.version,
                    digest=offer.digest,
                    standing=ProgramStanding.WAITING,
                    at=board.now(),
                    why=one_line(waiting.in_words, LONGEST_WHY),
                )
            )
        if board.now() >= ends_at:
            return waiting
        board.wait(POLL_S)
    return None
