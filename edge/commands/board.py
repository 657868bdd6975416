"""Commands for the board: doctor, setup, sbom."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import PATH, AsJson, ConfigFile, StateDir
from edge.commands.settings import read_settings
from edge.errors import BadInput, Refused
from edge.setup.options import HELP, Options, check
from edge.terminal import out


def doctor(config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False) -> None:
    """Say whether this board is fit to run the line, and what to do where it is not."""
    from edge.doctor.check import CheckState
    from edge.doctor.examination import examine

    checks = examine(read_settings(config, state=state), config, user=os.geteuid())
    failed = [check.name for check in checks if check.state is CheckState.FAILURE]
    if as_json:
        rows = [{**asdict(check), "state": check.state.value} for check in checks]
        out.print(json.dumps({"ok": not failed, "checks": rows}))
    else:
        for check in checks:
            remedy = f"; fix: {check.fix}" if check.fix else ""
            out.print(f"{check.state.value:8} {check.name:17} {check.detail}{remedy}")
    if failed:
        raise Refused(f"not fit to run the line: {', '.join(failed)}")


def setup(
    *,
    offline: Annotated[Path | None, typer.Option(**PATH, help=HELP["--offline"])] = None,
    download: Annotated[Path | None, typer.Option(**PATH, help=HELP["--download"])] = None,
    platform: Annotated[list[str] | None, typer.Option(help=HELP["--platform"])] = None,
    python: Annotated[list[str] | None, typer.Option(help=HELP["--python"])] = None,
    config: Annotated[Path | None, typer.Option(**PATH, help=HELP["--config"])] = None,
    bundle: Annotated[Path | None, typer.Option(**PATH, help=HELP["--bundle"])] = None,
    beside: Annotated[bool, typer.Option("--beside", help=HELP["--beside"])] = False,
    on_trial: Annotated[bool, typer.Option("--on-trial", help=HELP["--on-trial"])] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help=HELP["--uninstall"])] = False,
) -> None:
    """Install the line on this device, with its services; with --download: fill a stick for it."""
    from edge.setup import procedure

    options = Options(
        offline=offline,
        download=download,
        platforms=tuple(platform or ()),
        pythons=tuple(python or ()),
        beside=beside,
        on_trial=on_trial,
        uninstall=uninstall,
        config=config,
        bundle=bundle,
    )
    procedure.set_up(check(options))


def sbom(
    target: Annotated[
        Path | None,
        typer.Option("--out", **PATH, help="file to write, or an SBOM to replace; without: stdout"),
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option(**PATH, help="list a release by this lock file, not what is installed here"),
    ] = None,
    config: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """List what this board runs, or a release brings, as an SBOM in CycloneDX 1.6."""
    from edge.records.export import export_text
    from edge.sbom.document import BEGINNING, document
    from edge.sbom.sources import of_board, of_lock, time_of

    if lock is not None and (config is not None or state is not None):
        raise BadInput("--lock lists a release: leave out --config and --state")
    made_at = time_of()
    if lock is None:
        contents = of_board(read_settings(config, state=state).bundle)
    else:
        contents = of_lock(lock)
    text = json.dumps(document(contents, made_at), indent=2)
    if target is not None:
        export_text(f"{text}\n", target, BEGINNING)
        return
    for line in text.splitlines():
        out.print(line)
