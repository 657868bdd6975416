"""The tab "Health", and the watch that raises alarms whether or not a browser is open.

The watch runs in the page's process and reads what the line leaves in the state folder; the line
knows nothing of it. How the alarms stand lies in a file of its own (`edge.alarms.kept`).
"""

import math
import shutil
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from edge.alarms.alarm import (
    LONGEST_SHELF_S,
    Alarms,
    AlarmState,
    acknowledge,
    advance,
    shelve,
    unshelve,
)
from edge.alarms.catalog import CATALOG, AlarmName, Priority
from edge.alarms.counting import RecordCounts, Sizes, newest_purities
from edge.alarms.kept import change_alarms, read_alarms
from edge.alarms.reference import SAMPLES_JUDGED, SAMPLES_NEEDED, PictureReference, typical
from edge.alarms.signals import AlarmLimits, Facts, is_silent, read_signals
from edge.board import BoardHealth, board_health, resident_bytes
from edge.errors import EwasteError, one_line
from edge.faults import read_faults
from edge.panel.fragments import crop_address, line_state, problem, render
from edge.panel.guard import ACKNOWLEDGE, ALARMS, REFERENCE, SHELVE, UNSHELVE
from edge.panel.posted import in_thread, not_done, posted
from edge.panel.sentences import state_name
from edge.panel.visitor import log_action, visitor_of
from edge.status import RUNNING, BeltLook, Status, read_status

LOOK_S, COUNT_S, BOARD_S = 5.0, 60.0, 30.0
"""How often causes are looked at, records counted, and the board asked, s."""
MOST_BYTES = 1000
SHOWN_EVENTS, SHOWN_FAULTS = 50, 100
SHELVES_H = (1, 4, 8)
HOUR_S, GIGABYTE, MEGABYTE = 3600.0, 1e9, 1e6
MOST_HOURS = LONGEST_SHELF_S / HOUR_S


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AcknowledgeAsked(_Asked):
    """Acknowledge these alarms."""

    names: Annotated[tuple[AlarmName, ...], Field(min_length=1, max_length=len(CATALOG))]


class ShelveAsked(_Asked):
    """Put an alarm out of service for so many hours."""

    name: AlarmName
    hours: Annotated[float, Field(gt=0, le=MOST_HOURS, allow_inf_nan=False)]


class UnshelveAsked(_Asked):
    """Put an alarm into service again."""

    name: AlarmName


class ReferenceAsked(_Asked):
    """Take the belt as it looks now for right; nothing more is asked for."""


class AlarmWatch:
    """Looks at the causes of all alarms again and again.

    Attributes:
        alarms: how they stand.
        error: why they cannot be kept or judged, one line; empty: they can.
        board: what the board tells, as of the last time it was asked.
    """

    def __init__(
        self,
        state: Path,
        store_path: Path,
        limits: AlarmLimits,
        board: Callable[[], BoardHealth] = board_health,
        sizes: Sizes = dict,
    ) -> None:
        """Read how the alarms stood; nothing is looked at before `start` or `look`."""
        self.state, self._store_path, self._limits = state, store_path, limits
        self._ask_board, self.board = board, BoardHealth()
        self._records = RecordCounts(store_path, sizes)
        self._counted = Facts()
        self._looks: deque[BeltLook] = deque(maxlen=SAMPLES_JUDGED)
        self._learning: list[BeltLook] = []
        self._dropped: int | None = None
        self._lost_at: float | None = None
        self._count_at = self._board_at = -math.inf
        self._unkept: Alarms | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.error = ""
        try:
            self.alarms = read_alarms(state)
        except EwasteError:
            self.alarms = Alarms()

    def run(self) -> None:
        """Look until `close` is called."""
        while not self._closing.is_set():
            try:
                self.look(time.time())
            except Exception as error:  # no exception may end the watch
                self._fail(f"the alarms cannot be judged ({one_line(error)})")
            self._closing.wait(LOOK_S)

    def close(self) -> None:
        """Stop."""
        self._closing.set()

    def look(self, now: float) -> Alarms:
        """Look at every cause once; `now` is Unix seconds."""
        self.error = ""
        facts = self._facts(now)

        def change(before: Alarms) -> Alarms:
            with_reference = self._learn(before, facts.status, now)
            seen = replace(facts, reference=self._reference(with_reference, facts.status))
            return advance(with_reference, read_signals(seen, self._limits, now), now)

        return self.change(change)

    def change(self, change: Callable[[Alarms], Alarms]) -> Alarms:
        """Change the alarms, and keep them; on a disk that takes nothing they live on in memory."""
        with self._lock:
            unkept = self._unkept
            try:
                self.alarms = change_alarms(
                    self.state, lambda kept: change(unkept if unkept is not None else kept)
                )
                self._unkept = None
            except EwasteError as error:
                self.alarms = self._unkept = change(self.alarms)
                self._fail(str(error))
            return self.alarms

    def take_reference(self, by: str, now: float) -> Alarms:
        """Take the belt as it looks now for what it is to look like.

        Raises:
            NotDone: the line does not tell how the belt looks.
        """
        status, look = read_status(self.state), typical(self._looks)
        if status is None or look is None:
            raise not_done(EwasteError("the line does not tell yet how the empty belt looks"))
        taken = PictureReference(camera=status.camera[:1000], look=look, taken_at=now, taken_by=by)
        return self.change(lambda before: before.model_copy(update={"reference": taken}))

    def _facts(self, now: float) -> Facts:
        status = read_status(self.state)
        self._follow(status, now)
        if now - self._board_at >= BOARD_S or now < self._board_at:
            self._board_at, self.board = now, self._ask_board()
        if now - self._count_at >= COUNT_S or now < self._count_at:
            self._count_at, self._counted = now, self._count(now)
        return replace(
            self._counted,
            status=status,
            lost_at=self._lost_at,
            disk_free=free_share(self._store_path.parent),
            board=self.board,
            look=typical(self._looks),
        )

    def _follow(self, status: Status | None, now: float) -> None:
        """Follow what one status alone does not tell."""
        if status is None or is_silent(status, now) or status.state != RUNNING:
            self._looks.clear()
            self._learning.clear()
        elif status.look is not None:
            self._looks.append(status.look)
        if status is not None:
            if status.dropped_records > (self._dropped or 0):
                self._lost_at = now
            self._dropped = status.dropped_records

    def _learn(self, before: Alarms, status: Status | None, now: float) -> Alarms:
        """Learn how the belt looks from the first minutes with a camera."""
        if status is None or not self._looks or self._reference(before, status) is not None:
            return before
        self._learning.append(self._looks[-1])
        if len(self._learning) < SAMPLES_NEEDED:
            return before
        look = typical(self._learning)
        self._learning.clear()
        if look is None:
            return before
        taken = PictureReference(camera=status.camera[:1000], look=look, taken_at=now)
        return before.model_copy(update={"reference": taken})

    @staticmethod
    def _reference(alarms: Alarms, status: Status | None) -> PictureReference | None:
        """The reference, if it is of the camera that the line has."""
        found = alarms.reference
        mine = found is not None and status is not None and found.camera == status.camera[:1000]
        return found if mine else None

    def _count(self, now: float) -> Facts:
        facts = Facts()
        try:
            facts = self._records.lately(now)
            found = newest_purities(self.state, self._store_path, now)
            facts = replace(facts, purities=tuple(found))
        except EwasteError as error:
            if self._store_path.exists():
                self._fail(str(error))
        return facts

    def _fail(self, why: str) -> None:
        self.error = why


def free_share(folder: Path) -> float | None:
    """The free share of the disk of a folder; None: it is not known."""
    try:
        found = shutil.disk_usage(folder)
    except OSError:
        return None
    return found.free / found.total if found.total else None


def raised_part(alarms: Alarms) -> str:
    """The number of alarms to acknowledge, for the line's own tab; empty: there is none."""
    names = alarms.unacknowledged
    urgent = any(CATALOG[name].priority is Priority.HIGH for name in names)
    return render("raised.html", count=len(names), kind="high" if urgent else "medium")


def alarms_part(alarms: Alarms, error: str) -> str:
    """All alarms that do not stand at normal, the most urgent first, and the journal."""
    order = list(Priority)
    listed = [(name, CATALOG[name], alarms.of(name)) for name in CATALOG]
    quiet = (AlarmState.NORMAL, AlarmState.SUPPRESSED)
    standing = [each for each in listed if each[2].state not in quiet]
    standing.sort(
        key=lambda each: (not each[2].needs_acknowledgment, order.index(each[1].priority))
    )
    return render(
        "alarms.html",
        standing=standing,
        suppressed=[name for name, _, alarm in listed if alarm.state is AlarmState.SUPPRESSED],
        events=alarms.events[: -SHOWN_EVENTS - 1 : -1],
        reference=alarms.reference,
        hours=SHELVES_H,
        error=error,
        hour_s=HOUR_S,
        crop_of=crop_address,
    )


def health_part(status: Status | None, board: BoardHealth, folder: Path, now: float) -> str:
    """The figures of line, page, and board."""
    try:
        disk = shutil.disk_usage(folder)
    except OSError:
        disk = None
    return render(
        "health.html",
        status=status,
        state=state_name(line_state(status, now)),
        board=board,
        disk=disk,
        page_bytes=resident_bytes(),
        gigabyte=GIGABYTE,
        megabyte=MEGABYTE,
    )


def faults_part(state: Path) -> str:
    """The faults of the line, the newest first."""
    try:
        faults = read_faults(state)
    except (EwasteError, OSError) as error:
        return problem(one_line(error))
    return render("faults.html", faults=faults[: -SHOWN_FAULTS - 1 : -1])


def add(app: Any, watch: AlarmWatch) -> None:
    """Add the routes to the FastAPI `app`, and let the watch run while it is served."""
    from fastapi import Request

    pool = ThreadPoolExecutor(1, thread_name_prefix="alarms")
    _run_beside(app, watch)

    @app.get(ALARMS)
    def parts() -> dict[str, str]:
        now, status = time.time(), read_status(watch.state)
        return {
            "alarms": alarms_part(watch.alarms, watch.error),
            "health": health_part(status, watch.board, watch.state, now),
            "faults": faults_part(watch.state),
        }

    def route(
        address: str,
        schema: type[BaseModel],
        work: Callable[[Any, str, float], Alarms],
        done: Callable[[Any], str],
    ) -> None:
        @app.post(address)
        async def answer(request: Request) -> dict[str, str]:
            asked = await posted(request, schema, MOST_BYTES)
            visitor = visitor_of(request)

            def do() -> Alarms:
                try:
                    return work(asked, visitor.name, time.time())
                except ValueError as error:
                    raise not_done(EwasteError(str(error))) from None

            alarms = await in_thread(pool, do)
            log_action(visitor, done(asked))
            return {"alarms": alarms_part(alarms, watch.error), "raised": raised_part(alarms)}

    def on_acknowledge(asked: AcknowledgeAsked, by: str, now: float) -> Alarms:
        return watch.change(lambda before: acknowledge(before, asked.names, by, now))

    def on_shelve(asked: ShelveAsked, by: str, now: float) -> Alarms:
        seconds = asked.hours * HOUR_S
        return watch.change(lambda before: shelve(before, asked.name, seconds, by, now))

    def on_unshelve(asked: UnshelveAsked, by: str, now: float) -> Alarms:
        return watch.change(lambda before: unshelve(before, asked.name, by, now))

    def on_reference(asked: ReferenceAsked, by: str, now: float) -> Alarms:
        return watch.take_reference(by, now)

    route(ACKNOWLEDGE, AcknowledgeAsked, on_acknowledge, _acknowledged_words)
    route(SHELVE, ShelveAsked, on_shelve, lambda asked: f"shelved the alarm {asked.name.value}")
    route(UNSHELVE, UnshelveAsked, on_unshelve, lambda asked: f"unshelved {asked.name.value}")
    route(REFERENCE, ReferenceAsked, on_reference, lambda asked: "took the belt as the reference")


def _acknowledged_words(asked: AcknowledgeAsked) -> str:
    return f"acknowledged the alarms {', '.join(name.value for name in asked.names)}"


def _run_beside(app: Any, watch: AlarmWatch) -> None:
    """Let the watch run from the start to the end of the server."""
    before = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(served: Any) -> AsyncIterator[Any]:
        threading.Thread(target=watch.run, name="alarms", daemon=True).start()
        try:
            async with before(served) as kept:
                yield kept
        finally:
            watch.close()

    app.router.lifespan_context = lifespan
