"""Commands that set a belt up: calibrate sheet, calibrate belt."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.options import PATH, AsJson, ConfigFile, parse_name, require_finite
from edge.commands.printing import warn_all
from edge.commands.settings import read_settings
from edge.commands.signals import stop_signals
from edge.errors import BadInput
from edge.terminal import err, out, safe_line

if TYPE_CHECKING:
    from edge.belt_setup.detection import Unusable
    from edge.belt_setup.procedure import BeltFinding
    from edge.belt_setup.watching import Watched
    from edge.config import Config

app = typer.Typer(
    help="Set the belt up with a printed marker sheet: scale, speed, gates, focus, light.",
    no_args_is_help=True,
)
SheetCamera = Annotated[
    str | None,
    typer.Option(
        "--camera", parser=parse_name, metavar="TEXT", help="camera, as for run; also a recording"
    ),
]
TargetFile = Annotated[
    Path | None,
    typer.Option("--out", **PATH, help="file to write instead of that of --config"),
]
GateBin = Annotated[
    str | None,
    typer.Option(
        "--gate",
        parser=parse_name,
        metavar="BIN",
        help="bin whose gate the sheet's gate line is at when the watching ends",
    ),
]
MovedMm = Annotated[
    float | None,
    typer.Option(
        "--moved",
        min=-100_000,
        max=100_000,
        callback=require_finite,
        help="mm that the belt moved after the last picture; default: by the encoder",
    ),
]
RulerMm = Annotated[
    float,
    typer.Option(
        "--ruler",
        min=80,
        max=120,
        callback=require_finite,
        help="mm that the printed line of 100 mm measures",
    ),
]
WatchSeconds = Annotated[
    float,
    typer.Option(
        "--seconds",
        min=0.1,
        max=3600,
        callback=require_finite,
        help="how long to watch a live camera, or Ctrl-C",
    ),
]


@app.command("sheet")
def calibrate_sheet(
    target: Annotated[
        Path,
        typer.Option("--out", **PATH, help="file to write: .pdf to print, .png to look at"),
    ],
    paper: Annotated[
        str, typer.Option(metavar="a4|letter|a3", help="paper of the printer, in landscape")
    ] = "a4",
) -> None:
    """Write the marker sheet to print, in its exact size."""
    from edge.belt_setup.printing import to_pdf, to_png
    from edge.belt_setup.sheet import SHEETS, Paper
    from edge.files import write_whole

    forms = {".pdf": to_pdf, ".png": to_png}
    form = forms.get(target.suffix.lower())
    if form is None:
        raise BadInput(f"{target}: name a file that ends in {' or '.join(forms)}")
    if paper not in list(Paper):
        raise BadInput(f"--paper {safe_line(paper)}: choose one of {', '.join(Paper)}")
    try:
        write_whole(target, form(SHEETS[Paper(paper)]))
    except OSError as error:
        raise BadInput(f"{target}: cannot be written ({error.strerror})") from None
    out.print(f"{target}: print it at 100 %, and measure its line of 100 mm")


@app.command("belt")
def calibrate_belt(
    *,
    config: ConfigFile = None,
    camera: SheetCamera = None,
    target: TargetFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print only, write nothing")] = False,
    gate: GateBin = None,
    moved: MovedMm = None,
    ruler: RulerMm = 100.0,
    seconds: WatchSeconds = 20.0,
    as_json: AsJson = False,
) -> None:
    """Measure scale, speed, and gates by a marker sheet on the belt, into the configuration."""
    from edge.belt_setup.procedure import conclude, require_fit, require_gate, watched_config
    from edge.belt_setup.writing import new_text, read_toml_text, write_text

    written = target or config
    if written is None and not dry_run:
        raise BadInput("nowhere to write to; give --config or --out, or --dry-run")
    if moved is not None and gate is None:
        raise BadInput("--moved is of a gate; give --gate too")
    settings = watched_config(read_settings(config, camera=camera))
    if gate is not None:
        require_gate(settings, gate)
    text = "" if dry_run else read_toml_text(config)
    concluded = conclude(settings, _watch_sheet(settings, ruler, seconds), gate, moved)
    finding = _found(concluded, as_json=as_json)
    _print_finding(finding, settings, as_json=as_json)
    require_fit(finding)
    if not as_json:
        _print_changes(finding, settings)
    if written is None or dry_run:
        return
    changed = new_text(text, finding.changes, settings.gate_specs, str(config or written))
    kept = write_text(written, changed)
    if not as_json:
        beside = "" if kept is None else f"; as it was: {kept}"
        out.print(f"{written}: written{beside}")


def _found(concluded: "BeltFinding | Unusable", *, as_json: bool) -> "BeltFinding":
    """What was found; or print, with --json, the flaw of the pictures, and refuse them."""
    from edge.belt_setup.detection import Unusable
    from edge.belt_setup.procedure import refusal

    if not isinstance(concluded, Unusable):
        return concluded
    if as_json:
        out.print(json.dumps({"ok": False, "flaw": concluded.flaw.value}))
    raise refusal(concluded)


def _print_finding(finding: "BeltFinding", settings: "Config", *, as_json: bool) -> None:
    """Print what was found, and what to do about it."""
    from edge.belt_setup import report

    if as_json:
        out.print(json.dumps(report.as_json(finding, settings)))
    else:
        for name, value in report.rows(finding):
            out.print(f"{name:13} {value}")
    warn_all(report.advice(finding))


def _print_changes(finding: "BeltFinding", settings: "Config") -> None:
    """Print what becomes of each key."""
    from edge.belt_setup import report

    for name, old, new in report.changed(finding, settings):
        out.print(f"{name:13} {old} -> {new}")


def _watch_sheet(settings: "Config", ruler_mm: float, seconds: float) -> "Watched":
    """Watch the camera until it ends, Ctrl-C, or, of a live one, for so long."""
    from edge.belt_setup.sheet import boards_printed
    from edge.belt_setup.watching import watch
    from edge.cameras.device import is_live
    from edge.line_source import open_source

    source = open_source(settings)
    until = math.inf
    if is_live(settings.camera.source):
        until = source.clock.now() + seconds
        err.tell(f"watching for {seconds:g} s; Ctrl-C ends it")
    try:
        with stop_signals() as asked:
            return watch(
                source.camera,
                source.encoder,
                boards_printed(ruler_mm),
                lambda: asked() or source.clock.now() >= until,
            )
    finally:
        source.camera.close()
