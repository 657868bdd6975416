"""Publish bundles and programs to a fleet: make and update a TUF repository for any web server."""

import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convert.roles import DAYS, Role, parse_days
from edge.bundle.packed import bundle_folder
from edge.bundle.verify import verify
from edge.config import read_config
from edge.errors import BadInput
from edge.fleet.canaries import canary_results, require_passed
from edge.fleet.listening import fleet_place, listen
from edge.folder_lock import folder_lock
from edge.update.offer import Offer, Ring
from edge.update.program_offer import ProgramOffer
from edge.update.upstream import INSTALL_TUF
from train.command import command, log, print_json, print_lines

if TYPE_CHECKING:
    from convert.repository import Contents, Place

ROOT_NOTICE_DAYS = 60
"""So long before root expires, one is asked for its key."""


def main(
    *,
    out: Annotated[Path, typer.Option(help="folder of the repository, for a web server")],
    keys: Annotated[
        Path,
        typer.Option(help="folder of the signing keys, made at the first use; a secret"),
    ],
    root_keys: Annotated[
        Path | None,
        typer.Option(help="folder of the keys of root, to be kept offline; default: KEYS/root"),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="directory of a bundle, or a packed one; without it, sign anew what is due"
        ),
    ] = None,
    program: Annotated[
        Path | None,
        typer.Option(help="folder of a kit of the program, which `install.sh --download` filled"),
    ] = None,
    ring: Annotated[
        Ring, typer.Option(help="ring of boards that --bundle and --program are for")
    ] = Ring.CANARY,
    promote_canary: Annotated[
        bool, typer.Option("--promote", help="let all boards run what the canary boards run")
    ] = False,
    when_passed: Annotated[
        bool,
        typer.Option(
            "--when-passed",
            help="with --promote: only if the canary boards report that its probation passed",
        ),
    ] = False,
    canaries: Annotated[
        int | None,
        typer.Option(
            min=1, help="boards that must have passed; default: all that report in ring canary"
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file whose `mqtt` names the broker of the boards")
    ] = None,
    broker: Annotated[
        str | None, typer.Option(help="the same as HOST or HOST:PORT, over that of --config")
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(help="topics of the boards, such as plant/+; default: beside `mqtt.topic`"),
    ] = None,
    rotate_role: Annotated[
        list[Role] | None,
        typer.Option(
            "--rotate", help="give this role a new key; needs the key of root; repeatable"
        ),
    ] = None,
    expiry: Annotated[
        list[str] | None,
        typer.Option(
            help="days that a role's signature is valid, such as timestamp=7; repeatable; default: "
            + ", ".join(f"{role.value}={days:g}" for role, days in DAYS.items())
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="threads of the proof of --bundle")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Let a ring of boards run a bundle or a program; sign anew what is due in their repository.

    Exit codes: 0 done, 1 failed, 2 bad input, 3 refused.
    """
    with command(out):
        if find_spec("tuf") is None:
            raise BadInput(f"publishing needs python-tuf; run: {INSTALL_TUF}")
        from convert.repository import Place, promote, rotate
        from convert.role_keys import KeyFolders

        place = Place(
            folder=out,
            keys=KeyFolders(online=keys, root=root_keys or keys / "root"),
            now=datetime.now(timezone.utc),
            days=parse_days(expiry or ()),
        )
        if promote_canary and not (bundle is None and program is None):
            raise BadInput("--promote is a step of its own: try what is new on the canary first")
        if when_passed and not promote_canary:
            raise BadInput("--when-passed is of --promote; give both")
        check = _canary_check(config, broker, topic, canaries) if when_passed else None
        with folder_lock(out, "another publisher is at work; try again when it is done"):
            if rotate_role:
                rotate(place, rotate_role)
            contents = (
                promote(place, check)
                if promote_canary
                else _published(place, bundle, program, ring, threads)
            )
        if as_json:
            print_json(figures(contents))
        else:
            print_lines(in_words(out, contents))
        left_days = (contents.expires[Role.ROOT] - place.now).days
        if left_days < ROOT_NOTICE_DAYS:
            log.warning("root expires in %d days; run this again with --root-keys", left_days)


def _canary_check(
    config: Path | None, broker: str | None, topic: str | None, least: int | None
) -> Callable[[Offer | ProgramOffer], None]:
    """What refuses an offer unless the canary boards report that it passed.

    Raises:
        BadInput: no broker is named.
    """
    place = fleet_place(read_config(config).mqtt, broker, topic)

    def check(offer: Offer | ProgramOffer) -> None:
        results = canary_results(listen(place), offer, time.time())
        for line in require_passed(results, offer, least):
            log.info(line)

    return check


def _published(
    place: "Place", bundle: Path | None, program: Path | None, ring: Ring, threads: int
) -> "Contents":
    """Publish a bundle once it is proved as a board proves it, and a program once it is checked."""
    from convert.program import read_program
    from convert.repository import publish

    kit = None if program is None else read_program(program)
    if bundle is None:
        return publish(place, ring=ring, program=kit)
    with tempfile.TemporaryDirectory(prefix="ewaste-publish-") as made:
        with bundle_folder(bundle, Path(made) / "state") as folder:
            proved, _ = verify(folder, threads=threads).require()
        return publish(place, proved, ring, kit)


def figures(contents: "Contents") -> dict[str, Any]:
    """What a repository says, for `--json`."""
    return {
        "rings": {
            ring.value: offer.model_dump(mode="json") for ring, offer in contents.rings.items()
        },
        "programs": {
            ring.value: offer.model_dump(mode="json", exclude={"files"})
            for ring, offer in contents.programs.items()
        },
        "expires": {role.value: at.isoformat() for role, at in contents.expires.items()},
        "root_version": contents.root_version,
    }


def in_words(folder: Path, contents: "Contents") -> list[str]:
    """What a repository says, line by line."""
    lines = []
    for ring in Ring:
        offer = contents.rings.get(ring)
        runs = "nothing" if offer is None else f"{offer.name}, digest {offer.digest[:12]}"
        lines.append(f"{folder}: ring {ring.value}: {runs}")
    for ring, program in contents.programs.items():
        of = f"digest {program.digest[:12]}, {len(program.files)} files"
        lines.append(
            f"{folder}: ring {ring.value}: {program.name}, {of}, for {', '.join(program.machines)}"
        )
    expires = (f"{role.value} {at:%Y-%m-%d %H:%M}" for role, at in contents.expires.items())
    return [*lines, f"root {contents.root_version}; valid until: {', '.join(expires)}"]


if __name__ == "__main__":
    typer.run(main)
