"""The panel: a web page in a process of its own, beside what the line writes."""

import asyncio
import contextlib
import functools
import io
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image, PngImagePlugin
from pydantic import BaseModel

from edge.alarms.signals import AlarmLimits
from edge.bundle.bundle import Bundle, load_bundle
from edge.bundle.install import current_number
from edge.bundle.sizes import SizeDistribution
from edge.config import Config, PanelConfig, TrustConfig, decision_rules
from edge.decision.decide import DecisionRules
from edge.errors import EwasteError
from edge.inference.memory import return_freed_memory
from edge.labels import DEFAULT_HAZARDS
from edge.language import Language
from edge.learned.store import LEARNED_NAME, read_generation
from edge.limits import is_local
from edge.logs import limit_lines
from edge.operation import LONGEST_NAME, Mode, Order, read_order, write_order
from edge.panel import audits, belt, fragments, health, items, learning, login, model, reviewing
from edge.panel.accounts import accounts_of, require_account
from edge.panel.beat import PageBeat
from edge.panel.door import Door
from edge.panel.guard import MODE, SCRIPTS, Access, Guard
from edge.panel.history import add_history
from edge.panel.languages import _, in_context, spoken
from edge.panel.listener import listen
from edge.panel.live import LIVE_NAME, read_live
from edge.panel.monitoring import add_monitoring
from edge.panel.picture import check_picture
from edge.panel.posted import add_refusals, posted
from edge.panel.shift import add_shift
from edge.panel.trial import Classify, Trial
from edge.panel.uploads import Busy, TooLarge, Uploads
from edge.panel.visitor import log_action, show_actions, visitor_of
from edge.records.hourly import HourlyFigures
from edge.records.item_masses import ItemMasses
from edge.records.item_sums import KeptSums
from edge.records.record import ItemRecord
from edge.records.store import Store
from edge.service_notify import ServiceNotifier
from edge.status import STALE_SECONDS, read_status
from edge.terminal import err, out

RECENT_ITEMS = 12
FIGURES_SECONDS = 0.5
"""Figures are computed at most this often, for all visitors of a language together, s."""
MAX_PNG_TEXT = 1 << 20
"""The maximum size of a PNG's compressed text when it is unpacked, bytes."""
TEMPORARY = "ewaste-panel-"
HUNG_SECONDS = 60.0
"""A trial that takes longer than this means that the page hangs, s."""
OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Environment variables that Gradio and its dependencies read while they are imported."""

MAX_ORDER = 200

Value = TypeVar("Value")


class ModeAsked(BaseModel):
    """The body of a request to work in another way."""

    mode: Mode


def build(
    state_dir: Path,
    store_path: Path,
    bundle_path: Path,
    *,
    rules: Callable[[Bundle], DecisionRules] | None = None,
    classify: Classify | None = None,
    access: Access | None = None,
    trust: TrustConfig = TrustConfig(),
    limits: AlarmLimits = AlarmLimits(),
    line: belt.LineConfig = belt.LineConfig(),
) -> Any:
    """Build the page as a FastAPI application.

    Args:
        state_dir: where the line puts its picture and status (`edge.panel.live`, `edge.status`).
        store_path: the file of item records.
        bundle_path: the bundle that pictures are tried with and that the tab "Model" describes.
        rules: the decision rules for a bundle; by default those of the default configuration.
        classify: replaces the bundle's own model.
        access: who may see the page; by default only this machine.
        trust: which bundles are shown and tried.
        limits: what alarms are raised at.
        line: the configuration that the belt is set up in.

    Returns:
        The FastAPI application.
    """
    os.environ.update(OFFLINE)
    # Only now: it takes seconds, and reads the environment.
    from fastapi import FastAPI

    from edge.panel import page

    rules = rules or functools.partial(decision_rules, Config())
    trial = Trial(bundle_path, rules, classify, trust)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    access = access or Access()
    door = Door(access.accounts)
    app.add_middleware(Guard, access=access, door=door)
    opened = _unless_changed(bundle_path, lambda: load_bundle(bundle_path, trust.keys))
    sizes = functools.partial(_sizes_of, opened, rules)
    watch = health.AlarmWatch(state_dir, store_path, limits, sizes=sizes)
    _add_figures(app, state_dir, store_path, opened, watch)
    health.add(app, watch)
    add_refusals(app)
    login.add(app, door)
    _add_operation(app, state_dir)
    classes = functools.partial(known_classes, opened, state_dir / LEARNED_NAME)
    sums = KeptSums(store_path)
    items.add(app, store_path, classes, ItemMasses(state_dir, sums))
    reviewing.add(app, state_dir, store_path, classes)
    bins = functools.partial(bins_of, bundle_path, trust, rules)
    audits.add(app, state_dir, store_path, classes, bins)
    model.add(app, state_dir, bundle_path, trust=trust, rules=rules, opened=opened)
    learning.add(app, state_dir, store_path, opened, bins)
    belt.add(app, state_dir, line)
    _add_trial(app, trial)
    add_monitoring(app, state_dir, store_path, lambda: watch.alarms)
    hourly = HourlyFigures(store_path)
    add_history(app, store_path, hourly)
    add_shift(app, state_dir, store_path, lambda: classes()[0], hourly=hourly, sums=sums)
    return page.mount(app)


def _sizes_of(
    opened: Callable[[], Bundle], rules: Callable[[Bundle], DecisionRules]
) -> Mapping[str, SizeDistribution]:
    """The sizes that the line decides by; none while no bundle can be read."""
    try:
        return rules(opened()).sizes
    except EwasteError:
        return {}


def _add_figures(
    app: Any,
    state_dir: Path,
    store_path: Path,
    opened: Callable[[], Bundle],
    watch: health.AlarmWatch,
) -> None:
    from fastapi import Request, Response
    from fastapi.responses import FileResponse

    @functools.partial(_computed_every, FIGURES_SECONDS)
    def figures() -> dict[str, str]:
        parts = line_parts(state_dir, store_path, labels, hazards)
        return {**parts, "raised": health.raised_part(watch.alarms)}

    labels, hazards = known_classes(opened, state_dir / LEARNED_NAME)

    @app.get("/parts.json")
    def parts() -> dict[str, str]:
        return figures()

    def script(name: str) -> Response:
        path = Path(__file__).with_name(name)
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    for name in SCRIPTS:
        app.get(f"/{name}")(functools.partial(script, name))

    @app.get("/live.jpg")
    def live(request: Request) -> Response:
        jpeg, version = live_picture(state_dir, time.time())
        headers = {"Cache-Control": "no-store", "ETag": version}
        if request.headers.get("if-none-match") == version:
            return Response(status_code=304, headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @app.get("/crops/{name:path}")
    def crop(name: str) -> Response:
        try:
            with Store(store_path, read_only=True) as store:
                jpeg = store.crop(name.removesuffix(".jpg"))
        except EwasteError:
            jpeg = None
        if jpeg is None:
            return Response(status_code=404)
        # An item's crop never changes.
        cache = {"Cache-Control": "private, max-age=604800, immutable"}
        return Response(jpeg, media_type="image/jpeg", headers=cache)


def _add_operation(app: Any, state_dir: Path) -> None:
    from fastapi import Request, Response
    from fastapi.responses import JSONResponse

    @app.post(MODE)
    async def ask(request: Request) -> Response:
        """Ask the line to work in another way: `{"mode": "pause"}`."""
        asked = await posted(request, ModeAsked, MAX_ORDER)
        visitor = visitor_of(request)
        order = Order(mode=asked.mode, by=visitor.name[:LONGEST_NAME], at=time.time())
        await asyncio.get_running_loop().run_in_executor(None, write_order, state_dir, order)
        log_action(visitor, f"asked for the mode {order.mode.value}")
        return JSONResponse({"mode": order.mode.value})


def _add_trial(app: Any, trial: Trial) -> None:
    from fastapi import Request, Response
    from fastapi.responses import JSONResponse
    from starlette.requests import ClientDisconnect

    uploads, started = Uploads(), time.time()
    # A thread of its own: one decoder at a time, and the page's other threads stay free.
    looking = ThreadPoolExecutor(1, thread_name_prefix="trial")
    since: list[float] = []

    def look(arrived: bytearray) -> dict[str, str]:
        since.append(time.monotonic())
        try:
            content = bytes(arrived)
            arrived.clear()
            answer = trial(content)
        finally:
            since.clear()
        return {
            "verdict": fragments.verdict(answer.verdict, answer.hazards, answer.likeness),
            "classes": fragments.classes(answer.probabilities, answer.overlays),
            "looked": fragments.looked(answer.overlays),
        }

    @app.get("/health")
    def alive() -> Response:
        """Answer from the thread pool of the page: if no thread is free, there is no answer."""
        hung = any(time.monotonic() - begun > HUNG_SECONDS for begun in since)
        return JSONResponse({"started": started, "hung": hung}, 503 if hung else 200)

    @app.post("/try")
    async def look_at(request: Request) -> Response:
        if request.headers.get("content-type") != "application/octet-stream":
            # A form of another site cannot send this.
            return _refused(415, _("Send the bytes of one picture as application/octet-stream."))
        try:
            async with uploads.upload() as upload:
                await uploads.take(upload, request.stream())
                head = check_picture(upload.content)
                upload.pixels = head.width * head.height
                await uploads.wait(upload)
                loop = asyncio.get_running_loop()
                return JSONResponse(
                    await loop.run_in_executor(
                        looking, in_context(functools.partial(look, upload.content))
                    )
                )
        except TooLarge as error:
            return _refused(413, str(error))
        except Busy as error:
            return _refused(503, str(error))
        except EwasteError as error:
            return _refused(400, str(error))
        except ClientDisconnect:
            return Response(status_code=400)

    def _refused(status: int, text: str) -> Response:
        content = {"verdict": fragments.problem(text), "classes": "", "looked": ""}
        return JSONResponse(content, status, headers={"Connection": "close"})


def _computed_every(seconds: float, compute: Callable[[], Value]) -> Callable[[], Value]:
    """Compute a value in one thread at a time, and keep that of each language for `seconds`."""
    lock = threading.Lock()
    kept: dict[Language, tuple[float, Value]] = {}

    def value() -> Value:
        language = spoken()
        with lock:
            if language not in kept or time.monotonic() - kept[language][0] > seconds:
                kept[language] = (time.monotonic(), compute())
            return kept[language][1]

    return value


def _unless_changed(path: Path, opened: Callable[[], Bundle]) -> Callable[[], Bundle]:
    """Load the bundle in `path` without its large files, again only when a file has changed."""
    kept: list[tuple[object, Bundle]] = []

    def bundle() -> Bundle:
        try:
            with os.scandir(path) as entries:
                files = sorted(
                    (entry.name, *entry.stat()[1:3], entry.stat()[6:]) for entry in entries
                )
        except OSError:
            files = []
        if not files or not kept or kept[0][0] != files:
            found = opened()
            small = {
                name: found.contents[name] for name in model.SHOWN_FILES & found.contents.keys()
            }
            kept[:] = [(files, replace(found, contents=small))]
        return kept[0][1]

    return bundle


def line_parts(
    state_dir: Path, store_path: Path, labels: Sequence[str], hazards: Collection[str]
) -> dict[str, str]:
    """Render what the page shows of the line: the name of each part and its HTML."""
    now, status = time.time(), read_status(state_dir)
    records, per_minute, trouble = recorded(store_path)
    return {
        "header": fragments.header(status, now),
        "operation": fragments.operation(status, asked_of(state_dir), now),
        "tiles": fragments.tiles(status, per_minute),
        "bars": fragments.bars(status.per_label if status else {}, labels, hazards),
        "latency": fragments.latencies(status.latency if status else {}),
        "items": fragments.items(records, hazards, trouble),
    }


def asked_of(state_dir: Path) -> Order | None:
    """Read what is asked of the line; None if that is damaged."""
    try:
        return read_order(state_dir)
    except EwasteError:
        return None


def recorded(store_path: Path) -> tuple[list[ItemRecord], int, str]:
    """Read the last items, the number of items in the last minute, and why there are none."""
    try:
        with Store(store_path, read_only=True) as store:
            now = time.time()
            return store.recent(RECENT_ITEMS), store.decided_since(now - 60, now), ""
    except EwasteError as error:
        return [], 0, str(error)


def known_classes(
    opened: Callable[[], Bundle], learned: Path
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return labels and hazards of the bundle and of the classes that were taught beside it.

    Defaults if the bundle cannot be loaded; its own alone if what was learned cannot be read.
    """
    try:
        bundle = opened()
    except EwasteError:
        return (), frozenset(DEFAULT_HAZARDS)
    try:
        number = current_number(learned)
        found = None if number is None else read_generation(learned, number).manifest
    except EwasteError:
        found = None
    taught = () if found is None or found.base != bundle.digest else found.classes
    hazards = {*bundle.manifest.hazards, *(each.label for each in taught if each.hazard)}
    return (*bundle.labels, *(each.label for each in taught)), frozenset(hazards)


def bins_of(
    path: Path, trust: TrustConfig, rules: Callable[[Bundle], DecisionRules]
) -> Mapping[str, str]:
    """Return class -> bin, as the line sorts with the bundle in `path` now.

    Raises:
        EwasteError: the bundle cannot be loaded, or does not fit the configuration.
    """
    return rules(load_bundle(path, trust.keys)).bins


@functools.cache
def placeholder() -> bytes:
    """Draw the JPEG shown while the line sends no picture; the page says so in its language."""
    picture = Image.new("RGB", (960, 540), (30, 41, 59))
    stream = io.BytesIO()
    picture.save(stream, "JPEG")
    return stream.getvalue()


def live_picture(state_dir: Path, now: float) -> tuple[bytes, str]:
    """Read the newest picture of the line; the placeholder if it or the status is too old.

    Returns:
        The JPEG, and its version as an entity tag.
    """
    nothing = placeholder(), '"none"'
    status = read_status(state_dir)
    if status is None or abs(now - status.updated_at) > STALE_SECONDS:
        return nothing
    try:
        taken = (state_dir / LIVE_NAME).stat()
    except OSError:
        return nothing
    if abs(now - taken.st_mtime) > STALE_SECONDS:
        return nothing
    jpeg = read_live(state_dir)
    return (jpeg, f'"{taken.st_ino}-{taken.st_mtime_ns}"') if jpeg else nothing


def open_to(panel: PanelConfig, host: str, state_dir: Path) -> Access:
    """Decide who may see a page that listens on `host`.

    Raises:
        BadInput: the page is open to the network without an account, or the accounts cannot be
            read.
    """
    require_account(panel, host, state_dir)
    return Access(
        host,
        frozenset(name.lower() for name in panel.hosts),
        panel.root_path,
        frozenset(panel.proxies),
        accounts_of(panel, state_dir),
        Language(panel.language),
    )


def serve(
    state_dir: Path,
    store_path: Path,
    bundle_path: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    rules: Callable[[Bundle], DecisionRules] | None = None,
    panel: PanelConfig | None = None,
    trust: TrustConfig = TrustConfig(),
    limits: AlarmLimits = AlarmLimits(),
    line: belt.LineConfig = belt.LineConfig(),
) -> None:
    """Serve the page until SIGTERM or SIGINT, then leave by `SystemExit(0)`.

    Call it in the main thread.

    Args:
        state_dir: the state folder of the line.
        store_path: the file of item records.
        bundle_path: the directory of the bundle.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one, which is printed.
        rules: as for `build`.
        panel: who may see the page; its host and port are ignored.
        trust: as for `build`.
        limits: as for `build`.
        line: as for `build`.

    Raises:
        BadInput: the port is in use, or everybody on the network could see the page.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *given: sys.exit(0))  # also during the slow import
    service = ServiceNotifier.from_environment(os.environ)
    show_actions()
    access = open_to(panel or PanelConfig(), host, state_dir)
    return_freed_memory()
    PngImagePlugin.MAX_TEXT_MEMORY = MAX_PNG_TEXT
    sweep(Path(tempfile.gettempdir()))
    with (
        listen(host, port) as listener,
        tempfile.TemporaryDirectory(prefix=f"{TEMPORARY}{os.getpid()}-") as temporary,
    ):
        os.environ["GRADIO_TEMP_DIR"] = temporary
        app = build(
            state_dir,
            store_path,
            bundle_path,
            rules=rules,
            access=access,
            trust=trust,
            limits=limits,
            line=line,
        )
        server = server_of(app)
        limit_lines("uvicorn.error")
        # While it stops, it logs only requests that it aborts.
        logging.getLogger("uvicorn.error").addFilter(lambda record: not server.should_exit)
        shown = f"[{host}]" if ":" in host else host
        with out.beside(), err.beside():  # whether or not somebody reads them
            out.tell(f"panel: http://{shown}:{listener.getsockname()[1]}")
            if not is_local(host):
                err.tell(
                    "warning: the page is open to the network; passwords and pictures go over it "
                    "unencrypted (a proxy with TLS in front helps)"
                )
            with contextlib.ExitStack() as ending:
                if service.has_manager:
                    beat = PageBeat(service, host, listener.getsockname()[1])
                    ending.enter_context(contextlib.closing(beat))
                server.run(sockets=[listener])


def server_of(app: Any) -> Any:
    """Make the Uvicorn server of the page, with limits on connections."""
    import uvicorn

    from edge.panel import connections

    config = uvicorn.Config(
        app,
        http=connections.BoundedConnection,
        ws="none",
        backlog=connections.ACCEPTED_AT_ONCE,
        h11_max_incomplete_event_size=connections.HEAD_BYTES,
        proxy_headers=False,
        server_header=False,
        # Clients could cause any number of warnings.
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return connections.BoundedServer(config)


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed pages left behind."""
    for left in folder.glob(f"{TEMPORARY}*-*"):
        number = left.name.removeprefix(TEMPORARY).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            if left.is_symlink() or left.stat().st_uid != os.getuid():
                continue
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                shutil.rmtree(left)
