"""ewaste-edge: the device's one command.

Exit codes: 0 done, 1 failed, 2 bad input, 3 refused, 4 camera lost.
"""

import json
import math
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from edge.cameras.device import shown_source
from edge.config import Config, decision_rules, name_notes, overruled, proved_bundle, read_config
from edge.conveyor import Tally
from edge.decision import decide
from edge.errors import BadInput, EwasteError
from edge.export import export_csv, export_review
from edge.files import readable_by_others
from edge.install import CURRENT, roll_back
from edge.install import install as install_bundle
from edge.line import Source, open_source, run_line
from edge.manifest import manifest_schema
from edge.photos import read_photo
from edge.signature import make_key
from edge.store import RECORDS_NAME, ItemRecord, Store
from edge.verify import verify as verify_bundle

if TYPE_CHECKING:
    from edge.simulator.score import Score

app = typer.Typer(
    help="Sort electronic waste on a conveyor. Exit codes: 0 done, 1 failed, 2 bad usage or input, "
    "3 a verification said no, 4 the camera did not come back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file of the line")]
BundleDir = Annotated[Path | None, typer.Option("--bundle", help="directory of the model")]
StateDir = Annotated[Path | None, typer.Option("--state", help="directory of the line")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")]
Photos = Annotated[Path | None, typer.Option(help="folder of CLASS/*.jpg to lay on the belt")]


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    try:
        app()
    except EwasteError as error:
        err.print(f"error: {error}", style="red", markup=False)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (head, less) has had enough: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def run(
    camera: Annotated[
        str | None, typer.Option(help="picamera2, number, /dev/videoN, URL, video file or folder")
    ] = None,
    config: ConfigFile = None,
    bundle: BundleDir = None,
    state: Annotated[Path | None, typer.Option(help="directory of the records")] = None,
    panel: Annotated[bool, typer.Option(help="serve the page")] = True,
    port: Annotated[int | None, typer.Option(help="of the page")] = None,
    as_json: AsJson = False,
) -> None:
    """Sort what comes along a belt until the camera ends or Ctrl-C."""
    settings = _settings(config, bundle, state, port, camera)
    source = settings.camera.source
    secret = config is not None and camera is None and shown_source(source) != source
    if secret and readable_by_others(config):
        _say(f"{config}: others on this machine can read the camera's password; chmod 600 it")
    if settings.camera.source == "simulated":
        raise BadInput("no camera is configured; give --camera, or try: ewaste-edge demo")
    _work(settings, lambda config: open_source(config, _say), panel, as_json)


@app.command()
def demo(
    photos: Photos = None,
    seed: Annotated[int, typer.Option(help="of what lies on the belt")] = 1,
    port: Annotated[int | None, typer.Option(help="of the page")] = None,
    panel: Annotated[bool, typer.Option(help="serve the page")] = True,
) -> None:
    """Show the line at work on a simulated belt, with its page, until Ctrl-C."""
    from edge.simulator.simulate import demo_source

    with tempfile.TemporaryDirectory(prefix="ewaste-demo-") as state, _terminal():
        settings = _settings(None, None, Path(state), port, "simulated")
        _work(settings, lambda config: demo_source(config, photos, seed, _say), panel, False)


@app.command()
def simulate(
    scenario: Annotated[
        str | None, typer.Argument(help="a scenario's name or .toml file; none: an even belt")
    ] = None,
    items: Annotated[int | None, typer.Option(min=1, help="how many lie on the belt")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of what they are and where")] = 0,
    photos: Photos = None,
    debris: Annotated[Path | None, typer.Option(help="folder of photos of other things")] = None,
    fps: Annotated[
        float | None, typer.Option(min=1, max=240, help="pictures per simulated second")
    ] = None,
    video: Annotated[Path | None, typer.Option(help="film the belt: FILE.mp4 or .avi")] = None,
    list_them: Annotated[bool, typer.Option("--list", help="list the scenarios")] = False,
    config: ConfigFile = None,
    bundle: BundleDir = None,
    as_json: AsJson = False,
) -> None:
    """Run a simulated belt as fast as possible and score what the line made of it."""
    from edge.simulator import scenario as scenarios
    from edge.simulator.simulate import Pictures, plain_scenario
    from edge.simulator.simulate import simulate as simulate_belt

    if list_them:
        for name in scenarios.scenario_names():
            out.print(f"{name:22} {scenarios.read_scenario(name).about}", markup=False)
        return
    settings = _settings(config, bundle, None, None, "simulated")
    pictures = Pictures(photos, debris, cards=scenario is None)
    if scenario is None:
        plant = plain_scenario(settings, 10.0, 100, photos is not None)
    else:
        plant = scenarios.read_scenario(scenario)
    given = {"fps": fps, "items": items}
    plant = scenarios.changed(plant, {key: value for key, value in given.items() if value})
    show = (lambda record: None) if as_json else _show
    score = simulate_belt(settings, plant, seed, pictures, video, show, _say).score
    if as_json:
        print(json.dumps(_figures(score)))
        return
    table = Table(title="score")
    table.add_column("what")
    table.add_column("items", justify="right")
    names = {"doubled": "counted twice", "routed_right": "routed to the right bin"}
    figures = _figures(score)
    bins = figures.pop("bins")
    for key, value in figures.items():
        table.add_row(names.get(key, key.replace("_", " ")), str(value))
    out.print(table)
    table = Table(title="bins")
    for column in ("bin", "fed", "got", "purity", "recovery"):
        table.add_column(column, justify="left" if column == "bin" else "right")
    for name, each in bins.items():
        shares = (
            "-" if each[key] is None else f"{each[key]:.1%}" for key in ("purity", "recovery")
        )
        table.add_row(name, str(each["fed"]), str(each["got"]), *shares)
    out.print(table)


def _figures(score: "Score") -> dict[str, Any]:
    """A score as JSON knows it; the purity of an empty bin is null."""
    figures = asdict(score)
    for name, each in score.bins.items():
        shares = {"purity": each.purity, "recovery": each.recovery}
        figures["bins"][name] |= {
            key: None if math.isnan(share) else share for key, share in shares.items()
        }
    return figures


@app.command()
def classify(
    images: Annotated[list[Path], typer.Argument(help="image files")],
    config: ConfigFile = None,
    bundle: BundleDir = None,
    as_json: AsJson = False,
) -> None:
    """Say what is on pictures. An unreadable one is named and skipped."""
    settings = _settings(config, bundle, None, None, None)
    loaded, classifier = proved_bundle(settings)
    rules = decision_rules(settings, loaded)
    _say_all(name_notes(settings, loaded))
    answers = {}
    for path in images:
        try:
            prediction = classifier.predict(read_photo(path))
        except BadInput as error:
            err.print(f"skipped {error}", markup=False)
            continue
        verdict = decide([prediction], rules)
        probabilities = dict(zip(loaded.labels, prediction.probabilities.tolist(), strict=True))
        answers[str(path)] = {**asdict(verdict), "probabilities": probabilities}
        if not as_json:
            top = sorted(probabilities.items(), key=lambda pair: -pair[1])[:3]
            listed = ", ".join(f"{label} {share:.1%}" for label, share in top)
            out.print(f"{path}: {verdict.label} -> {verdict.bin} ({listed})", markup=False)
    if not answers:
        raise BadInput("none of the images could be read")
    if as_json:
        print(json.dumps(answers))


@app.command()
def draw(
    target: Annotated[Path, typer.Option("--out", help="folder to write; must not hold anything")],
    train: Annotated[int, typer.Option(min=1, help="pictures per class to train on")] = 60,
    val: Annotated[int, typer.Option(min=1, help="pictures per class to choose by")] = 10,
    test: Annotated[int, typer.Option(min=1, help="pictures per class to judge by")] = 10,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    size: Annotated[int, typer.Option(min=32, max=1024, help="px")] = 224,
) -> None:
    """Write a dataset of drawn items, for a clone without photos."""
    from edge.simulator.items import CLASSES, write_dataset

    try:
        write_dataset(target, {"train": train, "val": val, "test": test}, seed, size)
    except FileExistsError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise EwasteError(f"{target}: cannot be written ({error.strerror})") from None
    out.print(f"{target}: {(train + val + test) * len(CLASSES)} drawn pictures", markup=False)


@app.command()
def verify(
    bundle: Annotated[
        Path | None, typer.Argument(help="its directory; none: the one that a line would run")
    ] = None,
    config: ConfigFile = None,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    slowest_ms: Annotated[
        float | None, typer.Option(min=0, help="refuse a model slower than this")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove a bundle on this machine: schema, digests, signature, parity, golden outputs, speed."""
    settings = _settings(config, bundle, None, None, None)
    trust = settings.trust
    found = verify_bundle(settings.bundle, trust.keys, threads, slowest_ms, trust.demands)
    if as_json:
        checks = {
            check.name: {"passed": check.passed, "said": check.said} for check in found.checks
        }
        digest = None if found.bundle is None else found.bundle.digest
        print(json.dumps({"ok": found.ok, "checks": checks, "digest": digest}))
    else:
        for check in found.checks:
            mark = "passed" if check.passed else "REFUSED"
            out.print(f"{check.name:15} {mark:8} {check.said if check.passed else ''}".rstrip())
    proved, _ = found.require()
    _say_all(name_notes(settings, proved))
    if not as_json:
        out.print(f"{settings.bundle}: proved, digest {proved.digest[:16]}", markup=False)


@app.command()
def install(
    bundle: Annotated[Path, typer.Argument(help="directory of the new one")],
    config: ConfigFile = None,
    state: StateDir = None,
    force: Annotated[
        bool, typer.Option("--force", help="also one that is older than the one in use")
    ] = False,
) -> None:
    """Verify a bundle and make it the one that lines run from their next start on."""
    settings = _settings(config, None, state, None, None)
    trust, threads = settings.trust, settings.classifier.threads
    installed = install_bundle(
        bundle, settings.bundles, trust.keys, threads, trust.demands, forced=force
    )
    _say_all(name_notes(settings, installed))
    out.print(
        f"{installed.path}: {installed.manifest.name}, in use at the next start", markup=False
    )
    if settings.bundle != settings.bundles / CURRENT:
        err.print(
            f"but the configuration names {settings.bundle}: remove classifier.bundle from it",
            markup=False,
        )


@app.command()
def rollback(config: ConfigFile = None, state: StateDir = None) -> None:
    """Go back to the bundle that was in use before the last install."""
    settings = _settings(config, None, state, None, None)
    trust, threads = settings.trust, settings.classifier.threads
    found = roll_back(settings.bundles, trust.keys, threads, trust.demands)
    out.print(f"{found.path}: {found.manifest.name}, in use at the next start", markup=False)


@app.command()
def keygen(
    target: Annotated[Path, typer.Option("--out", help="file for the private key")],
) -> None:
    """Make a key to sign bundles with, and print what a device trusts it by."""
    public = make_key(target)
    out.print(f"{target}: keep it secret; sign with: convert/quantize.py --sign", markup=False)
    out.print(f'[trust]\nkeys = ["{public}"]', markup=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema of manifest.json."""
    print(manifest_schema(), end="")


@app.command()
def panel(
    state: Annotated[Path, typer.Option(help="directory of the records")],
    config: ConfigFile = None,
    bundle: BundleDir = None,
    port: Annotated[int | None, typer.Option()] = None,
) -> None:
    """Serve the page alone, for a line that runs already."""
    from edge.panel.app import serve

    settings = _settings(config, bundle, state, port, None)
    serve(
        state,
        state / RECORDS_NAME,
        settings.bundle,
        settings.panel.host,
        settings.panel.port,
        partial(decision_rules, settings),
        settings.panel,
        settings.trust,
    )


@app.command()
def export(
    state: Annotated[Path | None, typer.Option(help="directory of the records")] = None,
    config: ConfigFile = None,
    review: Annotated[Path | None, typer.Option(help="folder for a dataset")] = None,
    csv: Annotated[Path | None, typer.Option(help="file for all records")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the pictures to review as a dataset CLASS/*.jpg, or all records as a CSV file."""
    if review is None and csv is None:
        raise BadInput("nothing to export; give --review DIR or --csv FILE")
    path = _settings(config, None, state, None, None).state.expanduser() / RECORDS_NAME
    figures: dict[str, int] = {}
    with Store(path, read_only=True) as store:
        if csv is not None:
            figures["records"] = export_csv(store.all(), csv)
        if review is not None:
            figures |= asdict(export_review(store.to_review(), review, _say))
    if as_json:
        print(json.dumps(figures))
        return
    if csv is not None:
        out.print(f"{csv}: {figures['records']} records", markup=False)
    if review is not None:
        unseen = figures["pictures"] - figures["reviewed"]
        out.print(
            f"{review}: {figures['pictures']} pictures; {unseen} lie where the model would put "
            "them: move those that are wrong, delete those that are no good",
            markup=False,
        )


def _settings(
    config: Path | None,
    bundle: Path | None,
    state: Path | None,
    port: int | None,
    camera: str | None,
) -> Config:
    """The configuration file, overruled by what was given on the command line."""
    given = {
        "classifier.bundle": bundle,
        "panel.port": port,
        "camera.source": camera,
        "state": state,
    }
    named = dict(zip(given, ("--bundle", "--port", "--camera", "--state"), strict=True))
    wanted = {key: value for key, value in given.items() if value is not None}
    return overruled(read_config(config), wanted, named)


def _work(settings: Config, opened: Callable[[Config], Source], panel: bool, as_json: bool) -> None:
    """Run the line until it ends or somebody stops it, and say what it counted."""
    show = (lambda record: None) if as_json else _show
    with _stop_signals() as stopped:
        tally = run_line(settings, opened, panel, stopped, show, _say)
    if as_json:
        print(json.dumps(_counts(tally)))
    else:
        listed = ", ".join(f"{label} {count}" for label, count in sorted(tally.per_label.items()))
        out.print(f"{tally.items} items: {listed or 'none'}")


def _counts(tally: Tally) -> dict:
    return {
        "items": tally.items,
        "per_label": dict(tally.per_label),
        "per_bin": dict(tally.per_bin),
        "deadlines_missed": tally.late,
        "frames": tally.frames,
        "frames_dropped": tally.frames_dropped,
        "camera_faults": tally.camera_faults,
        "encoder_faults": tally.encoder_faults,
    }


def _show(record: ItemRecord) -> None:
    out.print(
        f"{record.item_id}  {record.label:16} -> {record.bin:12} {record.reason}", markup=False
    )


def _say(line: str) -> None:
    err.print(line, markup=False)


def _say_all(lines: list[str]) -> None:
    for line in lines:
        _say(line)


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Within: SIGINT and SIGTERM only ask to stop; the block gets the question."""
    asked = []
    before = {
        name: signal.signal(name, lambda number, frame: asked.append(number))
        for name in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(asked)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def _terminal() -> Iterator[None]:
    """Within: this process alone gets the terminal's Ctrl-C.

    Otherwise `make`, whose child this is, would get it too and call the clean end an error.
    """
    terminal, parents = sys.stdin.fileno() if sys.stdin else -1, os.getpgrp()
    if not os.isatty(terminal) or os.tcgetpgrp(terminal) != parents or os.getpid() == parents:
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        with suppress(OSError):
            os.tcsetpgrp(terminal, parents)
        signal.signal(signal.SIGTTOU, before)


if __name__ == "__main__":
    main()
