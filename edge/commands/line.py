"""Commands at a line: run, demo, mode, panel."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.bundle.trial_process import start_ahead
from edge.commands.options import (
    PATH,
    AsJson,
    BundleDir,
    ConfigFile,
    PagePort,
    Photos,
    RecordsDir,
    StateDir,
    parse_name,
)
from edge.commands.printing import show_item
from edge.commands.settings import read_settings
from edge.commands.signals import own_terminal, stop_signals
from edge.commands.who import own_name
from edge.errors import BadInput, EwasteError
from edge.terminal import err, out, safe_line

if TYPE_CHECKING:
    from edge.config import Config
    from edge.line_source import Source
    from edge.operation import Order
    from edge.tally import Tally

log = logging.getLogger(__name__)


def run(
    *,
    camera: Annotated[
        str | None,
        typer.Option(
            parser=parse_name,
            metavar="TEXT",
            help="camera: picamera2, a number, /dev/videoN, a URL, a video file or a folder",
        ),
    ] = None,
    config: ConfigFile = None,
    bundle: BundleDir = None,
    state: RecordsDir = None,
    panel: Annotated[bool, typer.Option(help="serve the page")] = True,
    port: PagePort = None,
    as_json: AsJson = False,
) -> None:
    """Sort what comes along a belt until the camera ends or Ctrl-C."""
    start_ahead()  # beside the imports below
    from edge.config import readable_secrets
    from edge.line_source import open_source
    from edge.readers import how_to_close, line_user

    with err.beside():
        settings = read_settings(config, bundle=bundle, state=state, port=port, camera=camera)
        for path in readable_secrets(settings, config if camera is None else None):
            fix = how_to_close(path, user=line_user(settings.state_folder))
            log.warning("%s: others on this machine can read the secret in it; %s", path, fix)
        if settings.camera.source == "simulated":
            raise BadInput("no camera is configured; give --camera, or try: ewaste-edge demo")
        _work(settings, open_source, panel, as_json, config)


def demo(
    photos: Photos = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the random items and their places")] = 1,
    port: PagePort = None,
    panel: Annotated[bool, typer.Option(help="serve the page")] = True,
) -> None:
    """Show the line at work on a simulated belt, with its page, until Ctrl-C."""
    start_ahead()  # beside the imports below
    from edge.simulator.simulate import demo_source

    folder = tempfile.TemporaryDirectory(prefix="ewaste-demo-", ignore_cleanup_errors=True)
    with folder as state, own_terminal():
        settings = read_settings(None, state=Path(state), port=port, camera="simulated")
        _work(settings, lambda config: demo_source(config, photos, seed), panel, False)


def _work(
    settings: "Config",
    opened: "Callable[[Config], Source]",
    panel: bool,
    as_json: bool,
    config_file: Path | None = None,
) -> None:
    """Run the line until it ends or somebody stops it, and say what it counted."""
    from edge.line import run_line

    show = (lambda record: None) if as_json else show_item
    with out.beside(), err.beside(), stop_signals() as stopped:
        tally = run_line(settings, opened, panel, stopped, show, config_file=config_file)
        labels = ", ".join(f"{label} {count}" for label, count in sorted(tally.per_label.items()))
        counted = f"{tally.items} items: {labels or 'none'}"
        out.tell(json.dumps(_counts(tally)) if as_json else counted)
    if out.lost:
        log.warning("stdout: %d lines could not be written", out.lost)
    if tally.records_lost and tally.recorded:
        raise EwasteError(
            f"{tally.records_lost} records of {tally.items} items are lost; "
            f"check the disk of {settings.state_folder}"
        )


def _counts(tally: "Tally") -> dict[str, Any]:
    return {
        "items": tally.items,
        "per_label": dict(tally.per_label),
        "per_bin": dict(tally.per_bin),
        "deadlines_missed": tally.late,
        "frames": tally.frames,
        "frames_dropped": tally.frames_dropped,
        "camera_faults": tally.camera_faults,
        "encoder_faults": tally.encoder_faults,
        "model_faults": tally.model_faults,
        "records_lost": tally.records_lost,
    }


def mode(
    asked: Annotated[
        str | None, typer.Argument(metavar="[sort|pause|manual]", help="how the line is to work")
    ] = None,
    config: ConfigFile = None,
    state: StateDir = None,
) -> None:
    """Let the line sort, pause it, or send everything to manual; alone: say what was asked.

    The line follows within 0.2 s. What was asked holds after a restart too.
    """
    from edge.operation import read_order, write_order

    folder = read_settings(config, state=state).state_folder
    if asked is None:
        order = read_order(folder)
    else:
        order = _order(asked, time.time())
        write_order(folder, order)
    by = f", asked by {safe_line(order.by)}" if order.by else ""
    out.print(f"{order.mode.value}{by}")


def _order(asked: str, now: float) -> "Order":
    """The order of who types the command; `now`: s since 1970."""
    from edge.operation import Mode, Order

    if asked not in list(Mode):
        raise BadInput(f"mode {safe_line(asked)}: choose one of {', '.join(Mode)}")
    return Order(mode=Mode(asked), by=own_name(), at=now)


def panel(
    state: Annotated[Path, typer.Option(**PATH, help="directory of the records")],
    config: ConfigFile = None,
    bundle: BundleDir = None,
    port: PagePort = None,
) -> None:
    """Serve the page alone, for a line that runs already."""
    from edge.config import decision_rules
    from edge.line import PAGE_REMEDY, page_installed
    from edge.records.store import RECORDS_NAME

    if not page_installed():
        raise BadInput(f"the page needs Gradio and Babel; {PAGE_REMEDY}")
    from edge.panel.app import serve
    from edge.panel.belt import LineConfig

    settings = read_settings(config, bundle=bundle, state=state, port=port)
    try:
        with os.scandir(state):
            pass
    except FileNotFoundError:
        pass  # the line makes it
    except OSError as error:
        raise BadInput(f"{state}: cannot be read ({error.strerror})") from None
    serve(
        state,
        state / RECORDS_NAME,
        settings.bundle,
        host=settings.panel.host,
        port=settings.panel.port,
        rules=partial(decision_rules, settings),
        panel=settings.panel,
        trust=settings.trust,
        limits=settings.alarms.limits,
        line=LineConfig(settings, config),
    )
