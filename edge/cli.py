"""ewaste-edge: the device's one command.

Exit codes: 0 done, 1 failed, 2 bad input, 3 refused, 4 camera lost.
"""

from edge.process_setup import limit_threads

limit_threads()  # before anything imports numpy

import functools
import json
import logging
import math
import os
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge import __version__
from edge.errors import BadInput, EwasteError, Refused
from edge.files import LONGEST_NAME
from edge.language import Language
from edge.logs import install_handler
from edge.setup.options import HELP, Options, check
from edge.terminal import ReaderGone, err, hold_streams, out, release_streams, safe_line

# What a command needs it imports itself: --help answers at once.
if TYPE_CHECKING:
    from edge.belt_setup.watching import Watched
    from edge.bundle.bundle import Bundle
    from edge.bundle.install import Allowed
    from edge.config import Config
    from edge.line import Source
    from edge.records.record import ItemRecord
    from edge.records.report import ShiftReport
    from edge.simulator.score import Score
    from edge.tally import Tally
    from edge.update.upstream import Upstream

log = logging.getLogger("edge.cli")  # also where this module is __main__

app = typer.Typer(
    help="Sort electronic waste on a conveyor. Exit codes: 0 done, 1 failed, 2 bad usage or input, "
    "3 a verification failed, 4 the camera did not come back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
user_app = typer.Typer(
    help="Users of the page: who may see it, and who may operate the line on it.",
    no_args_is_help=True,
)
app.add_typer(user_app, name="user")
calibrate_app = typer.Typer(
    help="Set the belt up with a printed marker sheet: scale, speed, gates, focus, light.",
    no_args_is_help=True,
)
app.add_typer(calibrate_app, name="calibrate")
ClickException: Any = typer.BadParameter.__mro__[2]
"""Typer's own, or that of the Click it needs: what is wrong with the command line."""


def _path(text: str) -> Path:
    """A path from the command line, as a file system may have it."""
    if not text:
        raise typer.BadParameter("an empty name; give a path")
    if "\0" in text:
        raise typer.BadParameter("a name with a NUL; give a path")
    if any(len(part) > LONGEST_NAME for part in text.encode("utf-8", "surrogatepass").split(b"/")):
        raise typer.BadParameter(f"a name longer than {LONGEST_NAME} bytes; give a path")
    try:
        Path(text).expanduser()
    except RuntimeError:
        raise typer.BadParameter(f"{text}: there is no such home folder") from None
    return Path(text)


def _name(text: str) -> str:
    """A camera or scenario from the command line."""
    if not text or "\0" in text:
        raise typer.BadParameter("an empty name, or one with a NUL")
    return text


def _finite(value: float | None) -> float | None:
    """A number that is one."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value}: no finite number")
    return value


def _json_alone(as_json: bool) -> bool:
    """With --json nothing else goes to stdout."""
    out.for_people = not as_json
    return as_json


PATH: dict[str, Any] = {"parser": _path, "metavar": "PATH"}
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", **PATH, help="TOML file with the configuration of the line"),
]
BundleDir = Annotated[Path | None, typer.Option("--bundle", **PATH, help="directory of the bundle")]
StateDir = Annotated[
    Path | None,
    typer.Option("--state", **PATH, help="directory of the records and the installed bundles"),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", callback=_json_alone, help="print one JSON object on stdout"),
]
Photos = Annotated[
    Path | None,
    typer.Option(**PATH, help="folder with CLASS/*.jpg, photos of the items on the belt"),
]


def _show_version(asked: bool) -> None:
    if asked:
        out.print(f"ewaste-edge {__version__}")
        raise typer.Exit


@app.callback()
def _before_commands(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="print the version and exit"
        ),
    ] = False,
) -> None:
    """What goes before the name of a command."""


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    hold_streams()
    install_handler()
    code = _run_command()
    release_streams()
    sys.exit(code)


def _run_command() -> int:
    """The exit code; whatever went wrong has been reported in one line."""
    try:
        return app(standalone_mode=False) or 0
    except ReaderGone:
        return 0
    except SystemExit as error:
        # Typer and Rich exit with 1 when the reader of the help closes its pipe.
        if isinstance(error.__context__, BrokenPipeError) and "--help" in sys.argv:
            return 0
        raise
    except EwasteError as error:
        return _failed(str(error), error.exit_code)
    except ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            for line in error.format_message().splitlines():
                err.tell(line)
            return error.exit_code
        reason = error.format_message().rstrip(". ")
        return _failed(f"{reason}; --help tells more", error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return _failed("interrupted", 1)
    except MemoryError:
        return _failed("not enough memory", 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _failed(f"{where}{error.strerror or error}", 1)
    except Exception as error:
        # The person at the line can do nothing with a traceback; who mends it needs the place.
        if os.environ.get("EWASTE_TRACEBACK"):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return _failed(f"a fault of the program: {error!r} at {where}; please report it", 1)


def _failed(reason: str, code: int) -> int:
    log.error("error: %s", reason)
    return code


@app.command()
def run(
    *,
    camera: Annotated[
        str | None,
        typer.Option(
            parser=_name,
            metavar="TEXT",
            help="camera: picamera2, a number, /dev/videoN, a URL, a video file or a folder",
        ),
    ] = None,
    config: ConfigFile = None,
    bundle: BundleDir = None,
    state: Annotated[Path | None, typer.Option(**PATH, help="directory of the records")] = None,
    panel: Annotated[bool, typer.Option(help="serve the page")] = True,
    port: Annotated[int | None, typer.Option(help="TCP port of the page")] = None,
    as_json: AsJson = False,
) -> None:
    """Sort what comes along a belt until the camera ends or Ctrl-C."""
    from edge.config import readable_secrets
    from edge.line import open_source
    from edge.readers import how_to_close, line_user

    with err.beside():
        settings = _settings(config, bundle, state, port, camera)
        for path in readable_secrets(settings, config if camera is None else None):
            fix = how_to_close(path, user=line_user(settings.state_folder))
            log.warning("%s: others on this machine can read the secret in it; %s", path, fix)
        if settings.camera.source == "simulated":
            raise BadInput("no camera is configured; give --camera, or try: ewaste-edge demo")
        _work(settings, open_source, panel, as_json, config)


@app.command()
def demo(
    photos: Photos = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the random items and their places")] = 1,
    port: Annotated[int | None, typer.Option(help="TCP port of the page")] = None,
    panel: Annotated[bool, typer.Option(help="serve the page")] = True,
) -> None:
    """Show the line at work on a simulated belt, with its page, until Ctrl-C."""
    from edge.simulator.simulate import demo_source

    folder = tempfile.TemporaryDirectory(prefix="ewaste-demo-", ignore_cleanup_errors=True)
    with folder as state, _terminal():
        settings = _settings(None, None, Path(state), port, "simulated")
        _work(settings, lambda config: demo_source(config, photos, seed), panel, False)


@app.command()
def simulate(
    *,
    scenario: Annotated[
        str | None,
        typer.Argument(
            parser=_name,
            metavar="[SCENARIO]",
            help="name of a scenario, or a .toml file; without: an even belt",
        ),
    ] = None,
    items: Annotated[int | None, typer.Option(min=1, help="number of items on the belt")] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the random items and their places")] = 0,
    photos: Photos = None,
    debris: Annotated[
        Path | None, typer.Option(**PATH, help="folder with photos of other things on the belt")
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(min=1, max=240, callback=_finite, help="frames per simulated second"),
    ] = None,
    video: Annotated[
        Path | None, typer.Option(**PATH, help="video file to write, .mp4 or .avi")
    ] = None,
    sizes: Annotated[bool, typer.Option(help="let the size of an item have a say")] = True,
    list_them: Annotated[bool, typer.Option("--list", help="list the scenarios")] = False,
    config: ConfigFile = None,
    bundle: BundleDir = None,
    as_json: AsJson = False,
) -> None:
    """Run a simulated belt as fast as possible and score what the line made of it."""
    from edge.config import overruled
    from edge.simulator import scenario as scenarios
    from edge.simulator.simulate import PhotoFolders, plain_scenario
    from edge.simulator.simulate import simulate as simulate_belt

    if list_them:
        for name in scenarios.scenario_names():
            out.print(f"{name:22} {scenarios.read_scenario(name).about}")
        return
    settings = _settings(config, bundle, None, None, "simulated")
    if not sizes:
        settings = overruled(settings, {"decision.sizes": "off"}, {})
    pictures = PhotoFolders(photos, debris, cards=scenario is None)
    if scenario is None:
        plant = plain_scenario(settings, fps=10.0, items=100, photos=photos is not None)
    else:
        plant = scenarios.read_scenario(scenario)
    given = {"fps": fps, "items": items}
    plant = scenarios.changed(plant, {key: value for key, value in given.items() if value})
    show = (lambda record: None) if as_json else _show
    with out.beside(), err.beside():
        score = simulate_belt(
            settings,
            plant,
            seed=seed,
            pictures=pictures,
            video=video,
            on_record=show,
        ).score
    if as_json:
        out.print(json.dumps(_figures(score)))
        return
    names = {"duplicates": "duplicate records", "routed_right": "routed to the right bin"}
    figures = _figures(score)
    bins = figures.pop("bins")
    rows = [(names.get(key, key.replace("_", " ")), str(value)) for key, value in figures.items()]
    _print_table(("what", "items"), rows)
    out.print()
    shares = ("purity", "recovery")
    rows = [
        (
            name,
            *(str(each[key]) for key in ("fed", "got")),
            *("-" if each[key] is None else f"{each[key]:.1%}" for key in shares),
        )
        for name, each in bins.items()
    ]
    _print_table(("bin", "fed", "got", *shares), rows)


def _print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table: words to the left, figures to the right."""
    shown = [[safe_line(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for name, *cells in shown:
        figures = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        out.print("  ".join((name.ljust(widths[0]), *figures)))


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
    images: Annotated[list[Path], typer.Argument(**PATH, help="image files to classify")],
    config: ConfigFile = None,
    bundle: BundleDir = None,
    as_json: AsJson = False,
) -> None:
    """Say what is on pictures. An unreadable one is named and skipped."""
    from edge.config import decision_rules, name_notes, proved_bundle
    from edge.decision.decide import decide
    from edge.photos.reading import count_unreadable, read_photo

    settings = _settings(config, bundle, None, None, None)
    loaded, classifier = proved_bundle(settings)
    rules = decision_rules(settings, loaded)
    _warn_all(name_notes(settings, loaded))
    answers, unreadable = {}, 0
    for path in images:
        try:
            prediction = classifier.predict(read_photo(path))
        except BadInput as error:
            log.warning("skipped %s", error)
            unreadable += 1
            continue
        verdict = decide([prediction], rules)
        probabilities = dict(zip(loaded.labels, prediction.probabilities.tolist(), strict=True))
        answers[str(path)] = {**asdict(verdict), "probabilities": probabilities}
        if not as_json:
            top = sorted(probabilities.items(), key=lambda pair: -pair[1])[:3]
            listed = ", ".join(f"{label} {share:.1%}" for label, share in top)
            out.print(f"{path}: {verdict.label} -> {verdict.bin} ({listed})")
    if not answers:
        raise BadInput("none of the images could be read")
    if unreadable:
        log.warning(count_unreadable(unreadable, len(images)))
    if as_json:
        out.print(json.dumps(answers))


@app.command()
def draw(
    *,
    target: Annotated[
        Path, typer.Option("--out", **PATH, help="folder to write to; it must be empty")
    ],
    train: Annotated[int, typer.Option(min=1, help="pictures per class for training")] = 60,
    val: Annotated[int, typer.Option(min=1, help="pictures per class for validation")] = 10,
    test: Annotated[int, typer.Option(min=1, help="pictures per class for the test")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="seed of the drawings")] = 0,
    size: Annotated[
        int, typer.Option(min=32, max=1024, help="width and height of a picture, px")
    ] = 224,
) -> None:
    """Write a dataset of drawn items, for a clone without photos."""
    from edge.synthetic.items import CLASSES, write_dataset

    try:
        write_dataset(target, {"train": train, "val": val, "test": test}, seed, size)
    except FileExistsError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise EwasteError(f"{target}: cannot be written ({error.strerror})") from None
    out.print(f"{target}: {(train + val + test) * len(CLASSES)} drawn pictures")


@app.command()
def verify(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            **PATH, help="directory of the bundle; without: the one that a line would run"
        ),
    ] = None,
    *,
    config: ConfigFile = None,
    state: StateDir = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="CPU threads of one inference; without: as a line"),
    ] = None,
    slowest_ms: Annotated[
        float | None,
        typer.Option(
            min=0, callback=_finite, help="refuse a model that takes longer for one image, ms"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove a bundle on this machine: schema, digests, signature, parity, golden outputs, speed."""
    from edge.bundle.verify import verify as verify_bundle
    from edge.config import chosen_runtime, name_notes

    settings = _settings(config, bundle, state, None, None)
    trust, chosen = settings.trust, chosen_runtime(settings, settings.bundle)
    found = verify_bundle(
        settings.bundle,
        trust.keys,
        threads or chosen.threads,
        slowest_ms,
        trust.demands,
        backend=chosen.backend,
    )
    if as_json:
        checks = {
            check.name: {"passed": check.passed, "message": check.message} for check in found.checks
        }
        digest = None if found.bundle is None else found.bundle.digest
        out.print(json.dumps({"ok": found.ok, "checks": checks, "digest": digest}))
    else:
        for check in found.checks:
            mark = "passed" if check.passed else "REFUSED"
            out.print(f"{check.name:15} {mark:8} {check.message if check.passed else ''}".rstrip())
    proved, _ = found.require()
    _warn_all(name_notes(settings, proved))
    if not as_json:
        out.print(f"{settings.bundle}: proved, digest {proved.digest[:16]}")


@app.command("select-runtime")
def select_runtime(
    *,
    bundle: BundleDir = None,
    config: ConfigFile = None,
    state: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Try the installed runtimes and their threads here, and let lines use the quickest proven."""
    from edge.bundle.bundle import load_bundle
    from edge.folder_lock import is_locked
    from edge.runtimes.report import answer, lines
    from edge.runtimes.selecting import keep, select

    settings = _settings(config, bundle, state, None, None)
    given = settings.classifier
    loaded = load_bundle(settings.bundle, settings.trust.keys)
    if is_locked(settings.state_folder):
        log.warning("a line runs beside this: the times are of what it leaves")
    found = select(
        loaded,
        threads=given.given_threads,
        delegate=given.backend.delegate,
        clock=time.perf_counter,
    )
    if as_json:
        out.print(json.dumps(answer(found)))
    for line in () if as_json else lines(found):
        out.print(line)
    kept = keep(found, loaded, settings.runtime_file, time.time())
    if not as_json:
        out.print(f"{settings.runtime_file}: {kept.runtime}, {kept.threads} threads")


@app.command()
def doctor(config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False) -> None:
    """Say whether this board is fit to run the line, and what to do where it is not."""
    from edge.doctor.check import CheckState
    from edge.doctor.examination import examine

    checks = examine(_settings(config, None, state, None, None), config, user=os.geteuid())
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


@app.command()
def install(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            **PATH,
            help="directory of the new bundle, or a packed one; without it, --now is for the one "
            "that waits",
        ),
    ] = None,
    *,
    config: ConfigFile = None,
    state: StateDir = None,
    older: Annotated[
        bool,
        typer.Option("--older", help="also install a bundle that is older than the one in use"),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="also install a bundle that a line has rolled back")
    ] = False,
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="a running line takes it while its belt moves, also outside its window"
        ),
    ] = False,
) -> None:
    """Verify a bundle and make it the one that lines run; a running one may wait for its belt."""
    from edge.bundle.install import Allowed, take_at_once
    from edge.config import decision_rules

    settings = _settings(config, None, state, None, None)
    if bundle is None:
        if not now:
            raise BadInput("name a bundle, or give --now for the one that waits")
        taken = take_at_once(settings.bundles)
        out.print(f"{taken.manifest.name}: a running line takes it at once")
        return
    fits = None if config is None else partial(decision_rules, settings)
    _install(settings, bundle, Allowed(older, again), fits, at_once=now)


@app.command()
def update(config: ConfigFile = None, state: StateDir = None) -> None:
    """Install what `update.repository` offers the ring of this board; 0: also if nothing."""
    from edge.update.outcome import noted
    from edge.update.upstream import upstream_of

    settings = _settings(config, None, state, None, None)
    upstream = upstream_of(settings)
    with noted(upstream.folder, time.time()):
        _update(settings, upstream)


def _update(settings: "Config", upstream: "Upstream") -> None:
    """Fetch and install what a repository offers."""
    from edge.bundle.bundle import Bundle
    from edge.bundle.install import Allowed, check_offered, is_in_use
    from edge.config import decision_rules
    from edge.files import folder_beside
    from edge.update.upstream import visited

    with visited(upstream) as repository, folder_beside(upstream.folder / "download") as scratch:
        offer = repository.offer(scratch)
        where = f"{upstream.url}, ring {upstream.ring.value}"
        if offer is None:
            out.print(f"{where}: offers nothing yet")
            return
        where = f"{where}: {safe_line(offer.name)}"
        if is_in_use(settings.bundles, offer.digest):
            out.print(f"{where}, in use already")
            return
        check_offered(settings.bundles, offer.digest, offer.created, where)
        repository.download(offer, scratch / offer.bundle)

        def fits(bundle: Bundle) -> None:
            if bundle.digest != offer.digest:
                raise Refused(f"{where} is not the bundle in its file; publish it again")
            decision_rules(settings, bundle)

        _install(settings, scratch / offer.bundle, Allowed(), fits, at_once=False)


def _install(
    settings: "Config",
    bundle: Path,
    allowed: "Allowed",
    fits: "Callable[[Bundle], object] | None",
    *,
    at_once: bool,
) -> None:
    """Verify and install a bundle, and say when a line takes it."""
    from edge.bundle.install import CURRENT
    from edge.bundle.install import install as install_bundle
    from edge.bundle.packed import bundle_folder
    from edge.bundle.window import waiting_by
    from edge.config import name_notes
    from edge.status import bundle_at_work, read_status

    trust, threads = settings.trust, settings.classifier.threads
    running = bundle_at_work(read_status(settings.state_folder), time.time())
    with bundle_folder(bundle, settings.state_folder) as folder:
        installed = install_bundle(
            folder,
            settings.bundles,
            trust.keys,
            threads=threads,
            demands=trust.demands,
            allowed=allowed,
            fits=fits,
            at_once=at_once,
            running=running,
            backend=settings.classifier.backend,
        )
    _warn_all(name_notes(settings, installed))
    waiting = None if at_once else waiting_by(read_status(settings.state_folder), time.time())
    use = "in use" if waiting is None else f"{waiting.in_words}; or give --now"
    out.print(f"{installed.path}: {installed.manifest.name}, {use}")
    if settings.bundle != settings.bundles / CURRENT:
        log.warning(
            "but the configuration names %s: remove classifier.bundle from it", settings.bundle
        )


@app.command()
def fleet(
    *,
    config: ConfigFile = None,
    broker: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT]", help="broker; without: `mqtt.host` of --config"),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="topics of the boards, such as plant/+; without: beside `mqtt.topic`",
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            min=0.05,
            max=30,
            callback=_finite,
            help="a broker that sends no report for so long has sent all, s",
        ),
    ] = 0.3,
    prometheus: Annotated[
        Path | None,
        typer.Option(
            "--prometheus-targets", **PATH, help="file to write for file_sd_configs of Prometheus"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how the boards at a broker are doing: bundle, health and why, items, share by hand."""
    import shutil

    from edge.config import read_config
    from edge.files import write_whole
    from edge.fleet import table
    from edge.fleet.listening import fleet_place, listen

    place = fleet_place(read_config(config).mqtt, broker, topic)
    boards, now = listen(place, seconds), time.time()
    if as_json:
        out.print(json.dumps(table.as_json(boards, now)))
    elif boards:
        width = shutil.get_terminal_size((160, 24)).columns
        for line in table.as_lines(boards, now, width):
            out.print(line)
    else:
        out.print(f"{place.mqtt.host}: no board reports under {place.pattern}")
    if prometheus is not None:
        write_whole(prometheus, table.prometheus_targets(boards), mode=0o644)


@app.command()
def rollback(config: ConfigFile = None, state: StateDir = None) -> None:
    """Go back to the bundle before the one in use; a running line does so within seconds."""
    from edge.bundle.install import roll_back

    settings = _settings(config, None, state, None, None)
    trust, threads = settings.trust, settings.classifier.threads
    by = settings.classifier.backend
    found = roll_back(settings.bundles, trust.keys, threads, trust.demands, backend=by)
    out.print(f"{found.path}: {found.manifest.name}, in use")


@app.command()
def bundles(config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False) -> None:
    """List the installed bundles, the newest first, and what became of each."""
    from edge.bundle.install import installed_in
    from edge.bundle.listing import as_rows, as_table, reasons
    from edge.bundle.window import waiting_by
    from edge.status import bundle_waiting, read_status

    settings, now = _settings(config, None, state, None, None), time.time()
    status = read_status(settings.state_folder)
    waiting = waiting_by(status, now)
    rows = as_rows(installed_in(settings.bundles), bundle_waiting(status, now), waiting)
    if as_json:
        out.print(json.dumps(rows))
    elif rows:
        _print_table(*as_table(rows))
        for line in reasons(rows):
            out.print(safe_line(line))
    else:
        out.print("nothing is installed; a line runs the bundle that comes with the program")


@app.command()
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
    import getpass

    from edge.operation import LONGEST_NAME, Mode, Order, read_order, write_order

    folder = _settings(config, None, state, None, None).state_folder
    if asked is None:
        order = read_order(folder)
    else:
        if asked not in list(Mode):
            raise BadInput(f"mode {safe_line(asked)}: choose one of {', '.join(Mode)}")
        try:
            user = getpass.getuser()
        except (OSError, KeyError):
            user = "the command line"
        order = Order(mode=Mode(asked), by=user[:LONGEST_NAME], at=time.time())
        write_order(folder, order)
    by = f", asked by {safe_line(order.by)}" if order.by else ""
    out.print(f"{order.mode.value}{by}")


@app.command()
def setup(
    *,
    offline: Annotated[Path | None, typer.Option(**PATH, help=HELP["--offline"])] = None,
    download: Annotated[Path | None, typer.Option(**PATH, help=HELP["--download"])] = None,
    platform: Annotated[list[str] | None, typer.Option(help=HELP["--platform"])] = None,
    python: Annotated[list[str] | None, typer.Option(help=HELP["--python"])] = None,
    config: Annotated[Path | None, typer.Option(**PATH, help=HELP["--config"])] = None,
    bundle: Annotated[Path | None, typer.Option(**PATH, help=HELP["--bundle"])] = None,
    uninstall: Annotated[bool, typer.Option("--uninstall", help=HELP["--uninstall"])] = False,
) -> None:
    """Install the line on this device, with its services; with --download: fill a stick for it."""
    from edge.setup import procedure

    options = Options(
        offline=offline,
        download=download,
        platforms=tuple(platform or ()),
        pythons=tuple(python or ()),
        uninstall=uninstall,
        config=config,
        bundle=bundle,
    )
    procedure.set_up(check(options))


@app.command()
def card(
    *,
    target: Annotated[
        Path,
        typer.Option("--out", **PATH, help="folder to write to: the boot partition of a card"),
    ],
    config: Annotated[
        Path, typer.Option("--config", **PATH, help="TOML file with the configuration of the line")
    ],
    kit: Annotated[
        Path | None,
        typer.Option(**PATH, help="kit that setup --download made; without: downloaded now"),
    ] = None,
    bundle: BundleDir = None,
    hostname: Annotated[str, typer.Option(help="name of the board")] = "ewaste-line",
    user: Annotated[str, typer.Option(help="who may log in on the board")] = "sorter",
    ssh_key: Annotated[
        Path | None, typer.Option(**PATH, help="file with the public keys that may log in over ssh")
    ] = None,
    password_hash: Annotated[
        Path | None,
        typer.Option(**PATH, help="file with the hash of the user's password, by mkpasswd"),
    ] = None,
    trust: Annotated[
        list[str] | None, typer.Option(help="public key that bundles must be signed by")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(**PATH, help="root metadata of the repository of bundles")
    ] = None,
    address: Annotated[
        str, typer.Option(help="static address, such as 192.168.1.7/24; without: DHCP")
    ] = "",
    gateway: Annotated[str, typer.Option(help="address of the router")] = "",
    dns: Annotated[list[str] | None, typer.Option(help="address of a name server")] = None,
    interface: Annotated[str, typer.Option(help="name of the wired network on the board")] = "eth0",
    no_network: Annotated[
        bool, typer.Option("--no-network", help="leave the network of the board alone")
    ] = False,
    boot: Annotated[
        str, typer.Option(help="where the board mounts its boot partition")
    ] = "/boot/firmware",
    platform: Annotated[str, typer.Option(help="of the board: aarch64 or x86_64")] = "aarch64",
    python: Annotated[
        str, typer.Option(help="of the board: 3.13 (trixie) or 3.11 (bookworm)")
    ] = "3.13",
) -> None:
    """Write a card from which a board installs itself at its first boot, without a network."""
    from edge.card.card import make_card
    from edge.card.options import CardOptions, card_of
    from edge.setup.commands import run as run_program

    given = CardOptions(
        folder=target,
        config=config,
        kit=kit,
        bundle=bundle,
        hostname=hostname,
        user=user,
        ssh_key=ssh_key,
        password_hash=password_hash,
        trust=tuple(trust or ()),
        root=root,
        address=address,
        gateway=gateway,
        dns=tuple(dns or ()),
        interface=interface,
        no_network=no_network,
        boot=boot,
        platform=platform,
        python=python,
    )
    for step in make_card(card_of(given), run_program):
        out.tell(step.line)
    out.tell(f"put the card into {hostname} and switch it on; it reports in ewaste-edge.txt")


@calibrate_app.command("sheet")
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


@calibrate_app.command("belt")
def calibrate_belt(
    *,
    config: ConfigFile = None,
    camera: Annotated[
        str | None,
        typer.Option(parser=_name, metavar="TEXT", help="camera, as for run; also a recording"),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--out", **PATH, help="file to write instead of that of --config"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print only, write nothing")] = False,
    gate: Annotated[
        str | None,
        typer.Option(
            parser=_name,
            metavar="BIN",
            help="bin whose gate the sheet's gate line is at when the watching ends",
        ),
    ] = None,
    moved: Annotated[
        float | None,
        typer.Option(
            min=-100_000,
            max=100_000,
            callback=_finite,
            help="mm that the belt moved after the last picture; default: by the encoder",
        ),
    ] = None,
    ruler: Annotated[
        float,
        typer.Option(
            min=80, max=120, callback=_finite, help="mm that the printed line of 100 mm measures"
        ),
    ] = 100.0,
    seconds: Annotated[
        float,
        typer.Option(
            min=0.1, max=3600, callback=_finite, help="how long to watch a live camera, or Ctrl-C"
        ),
    ] = 20.0,
    as_json: AsJson = False,
) -> None:
    """Measure scale, speed, and gates by a marker sheet on the belt, into the configuration."""
    from edge.belt_setup import report as reports
    from edge.belt_setup.detection import Unusable
    from edge.belt_setup.procedure import (
        conclude,
        refusal,
        require_fit,
        require_gate,
        watched_config,
    )
    from edge.belt_setup.writing import new_text, read_toml_text, write_text

    written = target or config
    if written is None and not dry_run:
        raise BadInput("nowhere to write to; give --config or --out, or --dry-run")
    if moved is not None and gate is None:
        raise BadInput("--moved is of a gate; give --gate too")
    settings = watched_config(_settings(config, None, None, None, camera))
    if gate is not None:
        require_gate(settings, gate)
    text = "" if dry_run else read_toml_text(config)
    finding = conclude(settings, _watch_sheet(settings, ruler, seconds), gate, moved)
    if isinstance(finding, Unusable):
        if as_json:
            out.print(json.dumps({"ok": False, "flaw": finding.flaw.value}))
        raise refusal(finding)
    if as_json:
        out.print(json.dumps(reports.as_json(finding, settings)))
    else:
        for name, value in reports.rows(finding):
            out.print(f"{name:13} {value}")
    _warn_all(list(reports.advice(finding)))
    require_fit(finding)
    if not as_json:
        for name, old, new in reports.changed(finding, settings):
            out.print(f"{name:13} {old} -> {new}")
    if written is None or dry_run:
        return
    changed = new_text(text, finding.changes, settings.gate_specs, str(config or written))
    kept = write_text(written, changed)
    if not as_json:
        beside = "" if kept is None else f"; as it was: {kept}"
        out.print(f"{written}: written{beside}")


def _watch_sheet(settings: "Config", ruler_mm: float, seconds: float) -> "Watched":
    """Watch the camera until it ends, Ctrl-C, or, of a live one, for so long."""
    from edge.belt_setup.sheet import boards_printed
    from edge.belt_setup.watching import watch
    from edge.cameras.device import is_live
    from edge.line import open_source

    source = open_source(settings)
    until = math.inf
    if is_live(settings.camera.source):
        until = source.clock.now() + seconds
        err.tell(f"watching for {seconds:g} s; Ctrl-C ends it")
    try:
        with _stop_signals() as asked:
            return watch(
                source.camera,
                source.encoder,
                boards_printed(ruler_mm),
                lambda: asked() or source.clock.now() >= until,
            )
    finally:
        source.camera.close()


UserName = Annotated[str, typer.Argument(metavar="NAME", help="name of the user")]
RoleName = Annotated[
    str,
    typer.Option(metavar="ROLE", help="viewer (sees all), operator (works), or admin (installs)"),
]


@user_app.command("add")
def user_add(
    name: UserName, role: RoleName, config: ConfigFile = None, state: StateDir = None
) -> None:
    """Add a user of the page; the password is read from the terminal, or is a line of stdin."""
    from edge.panel.users import make_user, read_users, write_users

    path = _users_path(config, state)
    users = read_users(path)
    given = _role(role)
    users.require_free(name)
    write_users(path, users.adding(make_user(name, given, _new_password())))
    out.print(f"{name}: {role}; see {path}")


@user_app.command("list")
def user_list(config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False) -> None:
    """List the users of the page."""
    from edge.panel.users import as_rows, read_users

    rows = as_rows(read_users(_users_path(config, state)))
    if as_json:
        out.print(json.dumps(rows))
    else:
        _print_table(("user", "role"), [(row["name"], row["role"]) for row in rows])


@user_app.command("remove")
def user_remove(name: UserName, config: ConfigFile = None, state: StateDir = None) -> None:
    """Remove a user of the page; the user's sessions end."""
    from edge.panel.users import read_users, write_users

    path = _users_path(config, state)
    write_users(path, read_users(path).without(name))
    out.print(f"{name}: removed")


@user_app.command("passwd")
def user_passwd(name: UserName, config: ConfigFile = None, state: StateDir = None) -> None:
    """Give a user of the page another password; the user's sessions end."""
    from edge.panel.users import make_user, read_users, write_users

    path = _users_path(config, state)
    users = read_users(path)
    role = users.require(name).role
    write_users(path, users.replacing(make_user(name, role, _new_password())))
    out.print(f"{name}: has another password")


@user_app.command("role")
def user_role(
    name: UserName, role: RoleName, config: ConfigFile = None, state: StateDir = None
) -> None:
    """Give a user of the page another role; it holds at once."""
    from edge.panel.users import read_users, write_users

    path = _users_path(config, state)
    users = read_users(path)
    changed = users.require(name).model_copy(update={"role": _role(role)})
    write_users(path, users.replacing(changed))
    out.print(f"{name}: {role}")


def _users_path(config: Path | None, state: Path | None) -> Path:
    from edge.panel.users import users_path

    settings = _settings(config, None, state, None, None)
    return users_path(settings.panel.users_file, settings.state_folder)


def _role(text: str) -> Any:
    from edge.panel.users import Role

    if text not in list(Role):
        raise BadInput(f"role {safe_line(text)}: choose one of {', '.join(Role)}")
    return Role(text)


def _new_password() -> str:
    """A password that is typed twice, or the one line of a stdin that is no terminal."""
    import getpass

    from edge.files import LONGEST_PASSWORD

    if sys.stdin.isatty():
        password = getpass.getpass("password: ")
        if getpass.getpass("again: ") != password:
            raise BadInput("the two passwords differ; nothing is changed")
        return password
    try:
        line = sys.stdin.buffer.readline(LONGEST_PASSWORD).decode()
    except UnicodeDecodeError:
        raise BadInput("the password on stdin is not UTF-8") from None
    return line.removesuffix("\n").removesuffix("\r")


@app.command()
def keygen(
    target: Annotated[Path, typer.Option("--out", **PATH, help="file for the private key")],
) -> None:
    """Make a key to sign bundles with, and print what a device trusts it by."""
    from edge.bundle.signature import make_key

    public = make_key(target)
    out.print(f"{target}: keep it secret; sign with: convert/quantize.py --sign")
    out.print("[trust]")
    out.print(f'keys = ["{public}"]')


@app.command("check")
def check_settings(
    file: Annotated[Path, typer.Argument(**PATH, help="configuration to check")],
) -> None:
    """Say whether a line would take a configuration; it touches nothing."""
    from edge.config import read_config

    read_config(file)
    out.print(f"{file}: valid")


@app.command()
def schema() -> None:
    """Print the JSON Schema of manifest.json."""
    from edge.bundle.manifest import manifest_schema

    for line in manifest_schema().splitlines():
        out.print(line)


@app.command()
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
        contents = of_board(_settings(config, None, state, None, None).bundle)
    else:
        contents = of_lock(lock)
    text = json.dumps(document(contents, made_at), indent=2)
    if target is not None:
        export_text(f"{text}\n", target, BEGINNING)
        return
    for line in text.splitlines():
        out.print(line)


@app.command()
def panel(
    state: Annotated[Path, typer.Option(**PATH, help="directory of the records")],
    config: ConfigFile = None,
    bundle: BundleDir = None,
    port: Annotated[int | None, typer.Option(help="TCP port of the page")] = None,
) -> None:
    """Serve the page alone, for a line that runs already."""
    from edge.config import decision_rules
    from edge.line import PAGE_REMEDY, page_installed
    from edge.records.store import RECORDS_NAME

    if not page_installed():
        raise BadInput(f"the page needs Gradio and Babel; {PAGE_REMEDY}")
    from edge.panel.app import serve
    from edge.panel.belt import LineConfig

    settings = _settings(config, bundle, state, port, None)
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


@app.command()
def export(
    state: Annotated[Path | None, typer.Option(**PATH, help="directory of the records")] = None,
    config: ConfigFile = None,
    review: Annotated[
        Path | None,
        typer.Option(**PATH, help="folder to write the pictures to review to, as a dataset"),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(**PATH, help="CSV file to write all records to")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the pictures to review as a dataset CLASS/*.jpg, or all records as a CSV file."""
    from edge.records.damage import JOURNALS, Damaged
    from edge.records.export import export_csv, export_review, own_descriptor
    from edge.records.store import RECORDS_NAME, Store

    if review is None and csv is None:
        raise BadInput("nothing to export; give --review DIR or --csv FILE")
    path = _settings(config, None, state, None, None).state_folder / RECORDS_NAME
    figures: dict[str, int] = {}
    unread: list[int] = []
    with Store(path, read_only=True) as store:
        if csv is not None:
            kept = [path.with_name(path.name + end) for end in ("", *JOURNALS)]
            records = store.all(unread.append, crops=False)
            figures["records"] = export_csv(records, csv, kept)
        if review is not None:
            waiting = store.to_review(unread.append)
            figures |= asdict(export_review(waiting, review, err.tell))
    if as_json:
        out.print(json.dumps(figures))
    if csv is not None and not as_json:
        # What was written to this very stream is not to be mixed with words about it.
        tell = err.tell if own_descriptor(csv) == 1 else out.print
        tell(f"{csv}: {figures['records']} records")
    if review is not None and not as_json:
        unseen = figures["pictures"] - figures["reviewed"]
        out.print(
            f"{review}: {figures['pictures']} pictures; {unseen} lie where the model would put "
            "them: move those that are wrong, delete those that are no good",
        )
    if unread:
        raise Damaged(
            f"{path}: is damaged; about {sum(unread)} records could not be read, the others are "
            "exported"
        )


@app.command()
def report(
    start: Annotated[
        str, typer.Option("--from", help="start: a date, or date and time: 2026-11-29T06:00")
    ],
    end: Annotated[
        str | None, typer.Option("--to", help="end, not within it; default: now")
    ] = None,
    *,
    target: Annotated[
        Path | None,
        typer.Option("--out", **PATH, help="file to write: .html, which prints on A4, .csv, .json"),
    ] = None,
    comment: Annotated[str | None, typer.Option(help="a few words to put into the report")] = None,
    language: Annotated[
        Language | None, typer.Option(help="of the HTML; default: `panel.language`")
    ] = None,
    state: Annotated[Path | None, typer.Option(**PATH, help="directory of the records")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a shift: counts, throughput, latency, weights, faults, bundles."""
    from edge.records.period import parse_period
    from edge.records.report_text import to_json
    from edge.records.shift import read_report
    from edge.records.store import RECORDS_NAME

    if target is None and not as_json:
        raise BadInput("nowhere to write to; give --out FILE or --json")
    settings = _settings(config, None, state, None, None)
    asked = language or Language(settings.panel.language)
    written = None if target is None else _report_form(target, asked)
    folder = settings.state_folder
    period = parse_period(start, end or "", time.time())
    found = read_report(folder, folder / RECORDS_NAME, period, comment or "")
    if target is not None and written is not None:
        from edge.records.export import export_text

        form, beginning = written
        export_text(form(found), target, beginning)
    if as_json:
        out.print(to_json(found))
    else:
        out.print(f"{target}: {found.items} items")


def _report_form(target: Path, language: Language) -> "tuple[Callable[[ShiftReport], str], str]":
    """The form of a report that the name of a file asks for, and how such a file begins."""
    from edge.records import report_text

    ending = target.suffix.lower()
    if ending == ".csv":
        return report_text.to_csv, report_text.CSV_BEGINNING
    if ending == ".json":
        return report_text.to_json, report_text.JSON_BEGINNING
    if ending not in (".html", ".htm"):
        raise BadInput(f"{target}: name a file that ends in .html, .csv, or .json")
    try:
        import babel  # noqa: F401 - writes the numbers and dates

        from edge.panel.report_page import HTML_BEGINNING, report_in
    except ImportError:
        from edge.line import PAGE_REMEDY

        raise BadInput(
            f"{target}: HTML needs jinja2 and babel; {PAGE_REMEDY}, or write .csv"
        ) from None
    return functools.partial(report_in, language), HTML_BEGINNING


@app.command()
def sizes(
    state: Annotated[Path | None, typer.Option(**PATH, help="directory of the records")] = None,
    config: ConfigFile = None,
    reviewed: Annotated[
        Path | None,
        typer.Option(**PATH, help="folder of an export --review that a person has put right"),
    ] = None,
    least: Annotated[
        int, typer.Option(min=2, max=10**6, help="number of items that a class needs for a size")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Learn how large the items of each class are from records that a person has reviewed."""
    from edge.decision.learned_sizes import learned_sizes, reviewed_labels, reviewed_sides
    from edge.records.store import RECORDS_NAME, Store

    path = _settings(config, None, state, None, None).state_folder / RECORDS_NAME
    labels = reviewed_labels(reviewed) if reviewed is not None else {}
    with Store(path, read_only=True) as store:
        sides = reviewed_sides(store.all(crops=False), labels)
    found = learned_sizes(sides, least)
    if as_json:
        out.print(json.dumps({label: size.model_dump() for label, size in found.items()}))
        return
    for label in sorted(set(sides) - set(found)):
        log.warning("%s: %d of %d items; no size", safe_line(label), len(sides[label]), least)
    if not found:
        raise BadInput(f"{path}: no class has {least} measured items that a person has reviewed")
    out.print("[sizes]")
    for label, size in found.items():
        values = f"median_mm = {size.median_mm:.1f}, spread = {size.spread:.3f}"
        out.print(f"{json.dumps(label, ensure_ascii=False)} = {{ {values} }}")


def _settings(
    config: Path | None,
    bundle: Path | None,
    state: Path | None,
    port: int | None,
    camera: str | None,
) -> "Config":
    """The configuration file, overruled by what was given on the command line."""
    from edge.config import overruled, read_config

    given = {
        "classifier.bundle": bundle,
        "panel.port": port,
        "camera.source": camera,
        "state": state,
    }
    named = dict(zip(given, ("--bundle", "--port", "--camera", "--state"), strict=True))
    if camera == "simulated":
        given["simulated"] = True
    changes = {key: value for key, value in given.items() if value is not None}
    return overruled(read_config(config), changes, named)


def _work(
    settings: "Config",
    opened: "Callable[[Config], Source]",
    panel: bool,
    as_json: bool,
    config_file: Path | None = None,
) -> None:
    """Run the line until it ends or somebody stops it, and say what it counted."""
    from edge.line import run_line

    show = (lambda record: None) if as_json else _show
    with out.beside(), err.beside(), _stop_signals() as stopped:
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


def _show(record: "ItemRecord") -> None:
    label, sorted_to = safe_line(record.label), safe_line(record.bin)
    out.tell(f"{record.item_id}  {label:16} -> {sorted_to:12} {record.detail}")


def _warn_all(lines: list[str]) -> None:
    for line in lines:
        log.warning(line)


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Within: SIGINT, SIGTERM and SIGHUP only ask to stop; the block gets the question.

    SIGHUP comes when the terminal is closed; under nohup it is not to be minded, and is not.
    """
    asked = []
    names = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        names.append(signal.SIGHUP)
    before = {
        name: signal.signal(name, lambda number, frame: asked.append(number)) for name in names
    }
    try:
        yield lambda: bool(asked)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _await_hang_up(terminal: int) -> None:
    """Take a closed terminal for a SIGHUP, which the system sends to `make` alone."""
    closed = select.poll()
    closed.register(terminal, 0)
    closed.poll()
    os.kill(os.getpid(), signal.SIGHUP)


@contextmanager
def _terminal() -> Iterator[None]:
    """Within: this process alone gets the terminal's Ctrl-C.

    Otherwise `make`, whose child this is, would get it too and call the clean end an error.
    """
    terminal, parents = sys.stdin.fileno() if sys.stdin else -1, os.getpgrp()
    try:
        ours = os.isatty(terminal) and os.tcgetpgrp(terminal) == parents
    except OSError:  # it is just being closed
        ours = False
    if not ours or os.getpid() == parents:
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    threading.Thread(target=_await_hang_up, args=(terminal,), daemon=True).start()
    try:
        yield
    finally:
        with suppress(OSError):
            os.tcsetpgrp(terminal, parents)
        signal.signal(signal.SIGTTOU, before)


if __name__ == "__main__":
    main()
