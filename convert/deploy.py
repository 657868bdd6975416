"""Bring a bundle to a board over ssh: prove it here, copy it, install and prove it there."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from convert.board import Board, BoardChecks, ask, check_room, install, remote_path
from convert.board import verify as verify_there
from convert.ssh import Login, parse_login
from edge import __version__
from edge.bundle.bundle import Bundle, check_trust
from edge.bundle.packed import MOST_PACKED_BYTES, bundle_folder, pack
from edge.bundle.signature import SIGNATURE
from edge.bundle.verify import verify
from edge.errors import BadInput, one_line
from edge.setup.places import Places
from train.command import command, log, print_json, print_lines

SHOWN = ("model", "golden outputs", "speed")
"""The checks whose figures are the board's own."""
PLACES = Places()


@dataclass(frozen=True)
class Deployed:
    """What came of a deployment: the board's program, what it printed, and its own figures."""

    version: str
    printed: list[str]
    checks: BoardChecks


def main(
    bundle: Annotated[Path, typer.Argument(help="directory of a bundle, or a packed one")],
    board: Annotated[str, typer.Argument(metavar="USER@HOST", help="the board, as ssh has it")],
    *,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="TCP port of its ssh")] = None,
    identity: Annotated[Path | None, typer.Option(help="file of the private key")] = None,
    known_hosts: Annotated[
        Path | None, typer.Option(help="file of the host keys that count, instead of ssh's own")
    ] = None,
    program: Annotated[str, typer.Option(help="the board's ewaste-edge")] = str(PLACES.command),
    config: Annotated[
        str, typer.Option(help="the line's configuration on the board; empty: none")
    ] = str(PLACES.settings),
    state: Annotated[
        str | None, typer.Option(help="its state folder; default: that of its configuration")
    ] = None,
    scratch: Annotated[
        str, typer.Option(help="folder on the board that the copy lies in for a moment")
    ] = "/var/tmp",
    sudo: Annotated[
        bool, typer.Option(help="run ewaste-edge there as root, if the user is not root")
    ] = True,
    older: Annotated[bool, typer.Option("--older", help="as of ewaste-edge install")] = False,
    again: Annotated[bool, typer.Option("--again", help="as of ewaste-edge install")] = False,
    now: Annotated[bool, typer.Option("--now", help="as of ewaste-edge install")] = False,
    threads: Annotated[int, typer.Option(min=1, help="threads of the proof here")] = 2,
    timeout: Annotated[
        float, typer.Option(min=1, max=86_400, help="seconds for each of copy, install, and proof")
    ] = 900,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Prove a bundle here, copy it to a board, install it, and print the board's own figures.

    Exit codes: 0 done, 1 failed, 2 bad input, 3 refused, here or by the board.
    """
    with command(bundle):
        user, host = parse_login(board)
        paths = {"--config": config, "--state": state} if config else {"--state": state}
        given = {name: remote_path(path, name) for name, path in paths.items() if path}
        there = Board(
            login=Login(user, host, port, identity, known_hosts),
            program=remote_path(program, "--program"),
            sudo=sudo,
            options=tuple(word for pair in given.items() for word in pair),
            state=given.get("--state", str(PLACES.state)),
            scratch=remote_path(scratch, "--scratch"),
            seconds=timeout,
        )
        allowed = {"--older": older, "--again": again, "--now": now}
        options = [name for name, is_given in allowed.items() if is_given]
        deployed = deploy(prove(bundle, threads), there, bundle, options)
        if as_json:
            print_json(figures(deployed))
        else:
            print_lines(in_words(deployed, there))


def prove(path: Path, threads: int) -> Bundle:
    """Prove a bundle as a board proves it; a signature must be that of the key that it names.

    Raises:
        BadInput: there is no bundle.
        Refused: it is not proved.
    """
    scratch = tempfile.TemporaryDirectory(prefix="ewaste-deploy-")
    with scratch as made, bundle_folder(path, Path(made) / "state") as folder:
        proved, _ = verify(folder, threads=threads).require()
    signature = proved.contents.get(SIGNATURE)
    if signature is not None:
        signer = signature.decode("ascii", "replace").partition(" ")[0]
        check_trust(proved, (signer,))
    return proved


def deploy(proved: Bundle, board: Board, path: Path, options: list[str]) -> Deployed:
    """Copy, install, and prove a bundle on a board.

    Args:
        proved: the bundle.
        board: the board.
        path: where the bundle lies here, for messages.
        options: of `ewaste-edge install`.

    Raises:
        EwasteError: a step failed; the board runs the bundle that it ran before, or says that it
            does not.
    """
    archive = pack(proved.contents)
    if len(archive) > MOST_PACKED_BYTES:
        raise BadInput(f"{path}: more than {MOST_PACKED_BYTES >> 20} MB packed; boards take none")
    found = ask(board)
    if found.version != __version__:
        log.warning("%s runs ewaste-edge %s; this is %s", board.login, found.version, __version__)
    unpacked = sum(map(len, proved.contents.values()))
    check_room(board, found, packed=len(archive), unpacked=unpacked)
    printed = install(board, archive, str(path), options)
    checks = verify_there(board)
    if checks.digest != proved.digest:
        log.warning(
            "%s: installed, but its configuration names another bundle: remove classifier.bundle "
            "from it",
            board.login,
        )
    return Deployed(found.version, printed, checks)


def figures(deployed: Deployed) -> dict[str, Any]:
    """What came of it, for `--json`."""
    return {**asdict(deployed), "checks": deployed.checks.model_dump()}


def in_words(deployed: Deployed, board: Board) -> list[str]:
    """What came of it, line by line."""
    checks = deployed.checks.checks
    rows = [f"{name}: {one_line(checks[name].message)}" for name in SHOWN if name in checks]
    lines = [f"ewaste-edge {deployed.version}", *deployed.printed, *rows]
    return [f"{board.login}: {line}" for line in lines]


if __name__ == "__main__":
    typer.run(main)
