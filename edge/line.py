"""A line put together from its configuration: camera, belt, model, gates, records and page."""

import errno
import importlib.util
import logging
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2

from edge.bundle.bundle import Bundle
from edge.bundle.install import identity
from edge.bundle.window import parse_window
from edge.bundle_watch import BundleWatch
from edge.cameras.device import is_live, shown_source
from edge.clock import Clock, VirtualClock
from edge.config import Config, decision_rules, longest_item_mm, name_notes
from edge.conveyor import Conveyor, assemble
from edge.decision.decider import Decider
from edge.decision.sensing import NoSensing, Sensing
from edge.errors import BadInput
from edge.faults import FAULTS_NAME, FaultLog
from edge.files import leads_nowhere, make_private_folder
from edge.folder_lock import folder_lock
from edge.gates.output import GateOutput
from edge.gates.schedule import GateSchedule
from edge.handover import Handover
from edge.inference.classifier import Classifier
from edge.inference.dispatcher import ModelFails
from edge.inference.memory import return_freed_memory
from edge.inference.worker import Inference, InlineInference, Predicting, ThreadedInference
from edge.line_source import Source, sensors_of
from edge.line_status import LineParts
from edge.loading import bundle_at_start, loaded
from edge.operation import ORDER_NAME, Mode, OrderWatch
from edge.outputs.wiring import Outputs
from edge.panel.accounts import require_account
from edge.panel.beside import EFFECTIVE, PageBeside, await_port
from edge.panel.live import LivePublisher
from edge.records.recall import RECORDS_COMPARED, Recall
from edge.records.record import ItemRecord
from edge.records.store import RECORDS_NAME, Store
from edge.records.writer import Retention, StoreWriter
from edge.sensors.watch import SensorWatch
from edge.service_notify import ServiceNotifier
from edge.shown_line import ShownLine
from edge.standstill import BeltRest
from edge.status import STATUS_NAME
from edge.stills import StillTaker
from edge.tally import Tally
from edge.terminal import safe_line
from edge.tried import Tried
from edge.verdict import Reason

log = logging.getLogger(__name__)

PATIENCE = 0.6
"""A frame waits for the model for so much of the time until the next one."""
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""What a disk may say that worked yesterday: no reason for the line not to start."""
PAGE_REMEDY = "run: pip install 'gradio>=6,<7' jinja2 babel prometheus-client"
UNWIRED_REMEDY = (
    "bins are decided and recorded, but nothing is sorted; give each of [[gates]] a pin or a coil"
)
STATE_FILES = (RECORDS_NAME, STATUS_NAME, EFFECTIVE, ORDER_NAME, FAULTS_NAME, "bundles", "learned")
"""A folder that holds one of these is the state of a line."""

AtEnd = Callable[[str, Callable[[], object]], None]
"""Takes the name of a part, for people, and how it is closed when the line ends."""


def build_conveyor(
    config: Config,
    source: Source,
    gates: GateOutput,
    decider: Decider,
    record: Callable[[ItemRecord], object],
    *,
    recall: Recall | None = None,
    inference: Callable[[Predicting], Inference] | None = None,
    moved: Callable[[ItemRecord], object] = lambda record: None,
    asked: Callable[[], Mode] = lambda: Mode.SORT,
    offered: Callable[[BeltRest], Decider | None] = lambda rest: None,
    sensing: Sensing = NoSensing(),
) -> Conveyor:
    """Build the loop around what decides on the items.

    `inference` sets the model to work; None: beside the loop, or in it when time is virtual.
    `record`, `moved`, `asked`, `offered` and `sensing` are as for `assemble`.
    """
    cv2.setNumThreads(1)  # pictures this small are done sooner without
    return assemble(
        camera=source.camera,
        encoder=source.encoder,
        clock=source.clock,
        geometry=config.geometry,
        inference=(inference or _inference(config, source.clock))(decider.classifier),
        rules=decider.rules,
        voting=config.classifier.voting,
        schedule=GateSchedule(config.gate_specs, config.gate_lead_mm, config.gate_open_s),
        gates=gates,
        bundle=decider.bundle,
        record=record,
        longest_item_mm=decider.longest_item_mm,
        recall=recall,
        on_rerouted=moved,
        asked=asked,
        offered=offered,
        sensing=sensing,
    )


def decider_of(config: Config, proved: tuple[Bundle, Classifier]) -> Decider:
    """What decides by a bundle alone that `proved_bundle` returned, whatever was learned beside it.

    Raises:
        BadInput: the bundle does not fit the configuration.
    """
    bundle, classifier = proved
    rules = decision_rules(config, bundle)
    return Decider(bundle.digest, classifier, rules, longest_item_mm(config, rules))


def _inference(config: Config, clock: Clock) -> Callable[[Predicting], Inference]:
    if isinstance(clock, VirtualClock):
        return InlineInference
    return lambda classifier: ThreadedInference(classifier, PATIENCE / config.camera.fps)


def run_line(
    config: Config,
    opened: Callable[[Config], Source],
    panel: bool,
    stopped: Callable[[], bool],
    decided: Callable[[ItemRecord], None],
    *,
    config_file: Path | None = None,
) -> Tally:
    """Run a line with its records and, if asked for, its page, until it is stopped.

    Args:
        config: the configuration.
        opened: opens the source of frames.
        panel: whether to serve the page, in a process of its own.
        stopped: asked before every frame.
        decided: gets each item's record, and once more if it went to manual after all.
        config_file: that the configuration was read from, for the belt set-up on the page; None:
            from none.

    Raises:
        Refused: the bundle cannot be proved.
        BadInput: something configured cannot be used, another line has the same folder, or another
            program has the page's port.
        CameraLost: the camera did not come back.
        EwasteError: a gate failed, or the model fails again and again.
    """
    return_freed_memory()
    service = ServiceNotifier.from_environment(os.environ)
    if panel and not page_installed():
        log.warning("the page needs Gradio and Babel; %s; the line runs without it", PAGE_REMEDY)
        panel = False
    _make_state(config.state_folder)
    with ExitStack() as ending:
        ending.enter_context(folder_lock(config.state_folder))
        if panel:
            require_account(config.panel, config.panel.host, config.state_folder)
            await_port(config.panel.host, config.panel.port)
        tried = Tried()

        def at_end(what: str, close: Callable[[], object]) -> None:
            """Close it in any case, and after a failure to close another one; the first counts."""
            ending.callback(tried, f"{what} cannot be closed", close)

        outputs = Outputs(config)  # first: it closes the gates
        at_end("the outputs", outputs.close)
        service.status("proves the bundle")
        items = _prove(config, outputs, decided, tried, at_end)
        service.status("opens the camera")
        source = opened(config)
        at_end("the camera", source.camera.close)
        conveyor, orders, sensors = _wire(config, source, items, at_end)
        show = _show_beside(
            config,
            items,
            conveyor,
            orders,
            sensors,
            panel=panel,
            config_file=config_file,
            at_end=at_end,
        )
        at_end("the last words", show.end)
        at_end("the service", service.stopping)
        try:
            conveyor.run(stopped, show, lambda: service.beat(time.monotonic(), show.summary))
        except ModelFails as error:
            tried("the bundle cannot be rolled back", items.watch.model_failed, str(error))
            raise
    return conveyor.tally


def without_gates(record: ItemRecord) -> ItemRecord:
    """The record of an item on a line without gates: the bin is decided, nothing is sorted."""
    if record.reason is not Reason.SORTED:
        return record
    return replace(record, reason=Reason.NO_GATE, detail=f"{record.detail}; no gate is wired")


def page_installed() -> bool:
    """Whether the page's libraries are on this machine."""
    return all(importlib.util.find_spec(name) is not None for name in ("gradio", "babel"))


def _make_state(state: Path) -> None:
    """Make the folder of the records; on a disk that takes nothing the line does without.

    Raises:
        BadInput: it can never be one.
    """
    try:
        make_private_folder(state, STATE_FILES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if leads_nowhere(state):
            target = state.readlink()
            log.warning(
                "%s: leads to %s, which is not there; the line goes on without", state, target
            )
            return
        if getattr(error, "errno", None) in DISK_FAULTS:
            log.warning("%s: cannot be made (%s); the line goes on without", state, reason)
            return
        raise BadInput(f"{state}: cannot be made ({reason}); set another --state") from None


def _recall_from(path: Path) -> Recall | None:
    """What was recorded before this start; None when the records cannot be read."""
    try:
        with Store(path, read_only=True) as store:
            return Recall(store.recent(RECORDS_COMPARED), time.time())
    except Exception:  # whatever a damaged file makes of it: the line starts
        return None


@dataclass(frozen=True)
class _Items:
    """Where the record of each item goes: to the store, to the outputs, to who runs the line."""

    writer: StoreWriter
    outputs: Outputs
    handover: Handover
    watch: BundleWatch
    decided: Callable[[ItemRecord], None]
    tried: Tried

    def hand_over(self, item: ItemRecord) -> None:
        """Hand a record to all of them."""
        self.writer.put(item)
        self.tried("an item cannot be published", self.outputs.item, item)
        self.tried("an item cannot be printed", self.decided, item)

    def record(self, item: ItemRecord, *, wired: bool) -> None:
        """Hand over the record of an item that was just decided; `wired`: there are gates."""
        item = replace(item, review=self.handover.in_use.review(item))
        self.hand_over(item if wired else without_gates(item))


def _prove(
    config: Config,
    outputs: Outputs,
    decided: Callable[[ItemRecord], None],
    tried: Tried,
    at_end: AtEnd,
) -> _Items:
    """Prove the bundle to begin with; open the records, and the watch on later bundles.

    The handover alone holds what decides, and lets go of it.
    """
    installed = identity(config.bundles)  # first: what comes after it is seen as another
    bundle, _ = proved = bundle_at_start(config)
    for note in name_notes(config, bundle):
        log.warning(note)
    kept = Retention(config.records.days, config.records.megabytes)
    writer = StoreWriter(config.state_folder / RECORDS_NAME, retention=kept)
    at_end("the records", writer.close)
    handover = Handover(loaded(config, proved), parse_window(config.update.window))
    watch = BundleWatch(config, handover, installed)
    at_end("the watch on the bundles", watch.close)
    return _Items(writer, outputs, handover, watch, decided, tried)


def _wire(
    config: Config, source: Source, items: _Items, at_end: AtEnd
) -> tuple[Conveyor, OrderWatch, SensorWatch]:
    """Build the loop between source, gates, sensors, and records; and the watch on orders."""
    outputs = items.outputs
    gates, wired = source.gates or outputs.gates, outputs.wired or source.gates is not None
    if not wired:
        log.warning("no gate is wired: %s", UNWIRED_REMEDY)
    sensors = source.sensors or sensors_of(config, source)
    at_end("the other sensors", sensors.close)
    state = config.state_folder
    # A film that is played again is not a line that starts again: its items are counted anew.
    recall = _recall_from(state / RECORDS_NAME) if is_live(config.camera.source) else None
    orders = OrderWatch(state)
    at_end("the orders", orders.close)
    conveyor = build_conveyor(
        config,
        source,
        gates,
        items.handover.in_use.decider,
        partial(items.record, wired=wired),
        recall=recall,
        moved=items.hand_over,
        asked=lambda: orders.mode,
        offered=items.handover.take,
        sensing=sensors,
    )
    return conveyor, orders, sensors


def _show_beside(
    config: Config,
    items: _Items,
    conveyor: Conveyor,
    orders: OrderWatch,
    sensors: SensorWatch,
    *,
    panel: bool,
    config_file: Path | None,
    at_end: AtEnd,
) -> ShownLine:
    """Open what shows the line: the history of faults, the live view, pictures, the page."""
    state = config.state_folder
    faults = FaultLog(state, time.time())
    at_end("the history of faults", lambda: faults.end(time.time()))
    publisher = LivePublisher(state)
    at_end("the live view", publisher.close)
    stills = StillTaker(state)
    at_end("the pictures to measure by", stills.close)
    page = PageBeside(config, state, config_file=config_file) if panel else None
    if page is not None:
        at_end("the page", page.close)
    parts = LineParts(
        camera=safe_line(shown_source(config.camera.source)),
        window=config.update.window,
        handover=items.handover,
        watch=items.watch,
        conveyor=conveyor,
        publisher=publisher,
        stills=stills,
        writer=items.writer,
        outputs=items.outputs,
        orders=orders,
        sensors=sensors,
        page=page,
        faults=faults,
        tried=items.tried,
    )
    return ShownLine(parts)
