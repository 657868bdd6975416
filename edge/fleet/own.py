"""What this board reports of itself, from its status, its history of bundles, and its updates."""

import logging
from pathlib import Path

from edge import __version__
from edge.board import host_name, temperature_c
from edge.bundle.history import HISTORY_NAME, InstallEntry, InstallHistory, read_history
from edge.bundle.manifest import LONGEST_NAME
from edge.config import Config, PanelConfig
from edge.errors import BadInput, one_line
from edge.fleet.report import (
    LONGEST_BOARD,
    LONGEST_PROGRAM,
    LONGEST_TEXT,
    BoardReport,
    BundleInUse,
    LineState,
    NewestBundle,
    ProgramUpdate,
    RefusedUpdate,
)
from edge.labels import MANUAL
from edge.limits import is_local
from edge.operation import Mode
from edge.status import NO_PICTURE, NO_POSITION, STOPPED, Status
from edge.update.offer import Ring
from edge.update.outcome import FailedVisit, failed_visit
from edge.update.program_history import (
    PROGRAM_UPDATES,
    ProgramHistory,
    ProgramOutcome,
    read_program_history,
)

log = logging.getLogger(__name__)

EVERY_S = 60.0
"""A board reports so often, and at once when something else than a number has changed, s."""
ALL_ADDRESSES = ("0.0.0.0", "::")
STATES = {
    STOPPED: LineState.STOPPED,
    NO_PICTURE: LineState.NO_PICTURE,
    NO_POSITION: LineState.NO_POSITION,
}
MODES = {Mode.PAUSE: LineState.PAUSED, Mode.MANUAL: LineState.ALL_MANUAL}


class OwnReports:
    """The reports of this board, one after the other. For one thread."""

    def __init__(self, config: Config, programs: Path = PROGRAM_UPDATES) -> None:
        """Nothing is read before `news`; in `programs` root writes what became of programs."""
        self._config, self._programs = config, programs
        self._history: tuple[tuple[int, ...] | None, InstallHistory] = (None, InstallHistory())
        self._last: BoardReport | None = None
        self._failure = ""

    def forget(self) -> None:
        """Take nothing for reported: another broker may be at the other end."""
        self._last = None

    def news(self, status: Status, now: float) -> str | None:
        """The report as JSON; None: there is nothing new, or it cannot be made, which is logged.

        Args:
            status: of the line.
            now: unix seconds.
        """
        try:
            report = self.report(status, now)
        except Exception as error:  # whatever it is: items and state go on
            failure = one_line(error)
            if failure != self._failure:
                log.warning("the board cannot be reported (%s)", failure)
            self._failure = failure
            return None
        last = self._last
        if last is not None and abs(now - last.at) < EVERY_S and _essence(report) == _essence(last):
            return None
        self._last = report
        return report.model_dump_json(exclude_none=True)

    def report(self, status: Status, now: float) -> BoardReport:
        """The report as it is now.

        Raises:
            EwasteError: the state folder is in a home folder that is not there.
        """
        config, latency = self._config, status.latency.get("verdict")
        newest = self._read_history(config.bundles).newest
        program = self._program_history()
        visit = _last_failure(failed_visit(config.updates), program)
        return BoardReport(
            board=board_name(config),
            at=now,
            program=one_line(__version__, LONGEST_PROGRAM),
            ring=Ring(config.update.ring),
            state=_state(status, now),
            bundle=_in_use(status),
            items=status.items,
            by_hand=max(0, status.per_bin.get(MANUAL, 0)),
            unknown=status.unknown,
            p99_ms=None if latency is None or not 0 <= latency.p99 < 1e9 else latency.p99,
            temperature_c=temperature_c(),
            newest=None if newest is None else _as_newest(newest),
            program_update=None if program.last is None else _as_update(program.last),
            refused=visit,
            message=one_line(status.message or "", LONGEST_TEXT),
            page=page_address(config.panel),
        )

    def _program_history(self) -> ProgramHistory:
        try:
            return read_program_history(self._programs)
        except BadInput:  # root's next visit says so
            return ProgramHistory()

    def _read_history(self, store: Path) -> InstallHistory:
        """The history, read again only where it has changed: a damaged one is logged once."""
        try:
            found = (store / HISTORY_NAME).stat()
        except OSError:
            return InstallHistory()
        identity = (found.st_ino, found.st_size, found.st_mtime_ns)
        if identity != self._history[0]:
            self._history = (identity, read_history(store))
        return self._history[1]


def board_name(config: Config) -> str:
    """The name of this board: that of its line at the broker where one is set, or its host name."""
    name = host_name() if config.mqtt is None else config.mqtt.line_name
    return one_line(name, LONGEST_BOARD) or "?"


def page_address(panel: PanelConfig) -> str | None:
    """The host and port under which others reach the page; None: nobody does, or it is not known.

    A page that listens on all addresses is known by the first of `hosts`, if there is one.
    """
    if is_local(panel.host):
        return None
    host = panel.hosts[0] if panel.hosts else panel.host
    if host in ALL_ADDRESSES or not host.isascii():
        return None
    return f"[{host}]:{panel.port}" if ":" in host else f"{host}:{panel.port}"


def _state(status: Status, now: float) -> LineState:
    if status.state != STOPPED and not status.is_at_work(now):
        return LineState.STALLED
    return STATES.get(status.state) or MODES.get(status.order.mode) or LineState.RUNNING


def _in_use(status: Status) -> BundleInUse | None:
    if not status.digest:
        return None
    name = one_line(status.bundle, LONGEST_NAME)
    return BundleInUse(name=name, digest=status.digest, created=status.bundle_created)


def _as_newest(entry: InstallEntry) -> NewestBundle:
    name, why = one_line(entry.name, LONGEST_NAME), one_line(entry.why, LONGEST_TEXT)
    return NewestBundle(name=name, digest=entry.digest, standing=entry.standing, why=why)


def _as_update(last: ProgramOutcome) -> ProgramUpdate:
    return ProgramUpdate(
        version=one_line(last.version, LONGEST_PROGRAM),
        digest=last.digest,
        standing=last.standing,
        at=last.at,
        why=one_line(last.why, LONGEST_TEXT),
    )


def _last_failure(bundle: FailedVisit | None, program: ProgramHistory) -> RefusedUpdate | None:
    """The visit that failed last, of those that were the last of their kind."""
    failed = [each for each in (bundle, program.failed) if each is not None]
    last = max(failed, key=lambda visit: visit.at, default=None)
    if last is None:
        return None
    return RefusedUpdate(at=last.at, why=one_line(last.why, LONGEST_TEXT))


def _essence(report: BoardReport) -> tuple[object, ...]:
    """What is reported at once when it changes."""
    program = report.program, report.program_update
    return report.state, report.bundle, report.newest, report.refused, report.ring, program
