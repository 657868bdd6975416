"""The report of a shift on the page, and what is entered by hand for it."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from edge.errors import EwasteError
from edge.operation import LONGEST_NAME
from edge.panel import fragments
from edge.panel.documents import problem_page, render
from edge.panel.formats import show_moment
from edge.panel.guard import ENTRIES, WITHDRAW
from edge.panel.languages import N_, _
from edge.panel.posted import NotDone, in_thread, posted
from edge.panel.report_page import entry_line, report_html
from edge.panel.sentences import sentence
from edge.panel.visitor import log_action, visitor_of
from edge.records.entries import (
    ENTRIES_NAME,
    EntryKind,
    Given,
    add_entry,
    entries_in,
    withdraw_entry,
)
from edge.records.hourly import HourlyFigures
from edge.records.item_sums import KeptSums
from edge.records.period import LONGEST_TEXT, Period, parse_period, parse_time
from edge.records.report_text import to_csv, to_json
from edge.records.shift import read_report
from edge.status import read_status

MOST_BYTES = 20_000
"""The maximum size of an entry as JSON, bytes; a letter takes up to 12."""
SHIFT_S, LISTED_S = 8 * 3600.0, 3 * 86400.0
"""The length of the shift that the form offers, and of the time whose entries are listed, s."""
BUSY_S = 5.0
"""The time that a report waits for the one before it, s."""
FORMS = {
    ".html": ("text/html; charset=utf-8", report_html),
    ".csv": ("text/csv; charset=utf-8", to_csv),
    ".json": ("application/json", to_json),
}
KINDS = {
    EntryKind.IN: N_("Weighed in, kg"),
    EntryKind.OUT: N_("Weighed out, kg"),
    EntryKind.CLASS: N_("Weighed of a class, kg"),
    EntryKind.COMMENT: N_("Comment"),
}


class EntryAsked(Given):
    """An entry as the page sends it.

    Attributes:
        at: the moment that it is for, local time; empty: now.
    """

    at: str = Field(default="", max_length=LONGEST_TEXT)


class Withdrawn(BaseModel):
    """Which entry is to be withdrawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1, le=2**53)


def shift_part(bins: Sequence[str], labels: Sequence[str], now: float) -> str:
    """Draw the forms that ask for a report and take an entry; `now` is Unix seconds."""
    form = "%Y-%m-%dT%H:00"
    return render(
        "shift_part.html",
        start=time.strftime(form, time.localtime(now - SHIFT_S)),
        end=time.strftime(form, time.localtime(now + 3600)),
        kinds={kind.value: _(name) for kind, name in KINDS.items()},
        names=dict.fromkeys([*bins, *labels]),
    )


def entries_part(path: Path, now: float) -> str:
    """List the entries of the last days, the newest first; `now` is Unix seconds."""
    try:
        found = entries_in(path, Period(now - LISTED_S, now + LISTED_S))
    except EwasteError as error:
        return fragments.problem(str(error))
    rows = [(each.number, show_moment(each.at), each.by, entry_line(each)) for each in found]
    return render("entries_part.html", rows=rows[::-1])


def add_shift(
    app: Any,
    state_dir: Path,
    store_path: Path,
    labels: Callable[[], Sequence[str]],
    *,
    hourly: HourlyFigures,
    sums: KeptSums,
) -> None:
    """Serve the report and take entries.

    Args:
        app: the FastAPI application.
        state_dir: the state folder of the line.
        store_path: its file of records.
        labels: returns the classes of the bundle.
        hourly: what the page keeps of the records.
        sums: what it keeps for the masses.
    """
    _add_reports(app, state_dir, store_path, hourly, sums)
    _add_entries(app, state_dir / ENTRIES_NAME)

    @app.get("/shift.json")
    def part() -> dict[str, str]:
        status = read_status(state_dir)
        bins = sorted(status.per_bin) if status else []
        return {"shift": shift_part(bins, labels(), time.time())}


def _add_reports(
    app: Any, state_dir: Path, store_path: Path, hourly: HourlyFigures, sums: KeptSums
) -> None:
    from fastapi import Request, Response
    from fastapi.responses import HTMLResponse

    busy = threading.Lock()

    def report(ending: str, request: Request) -> Response:
        media, form = FORMS[ending]
        asked = request.query_params
        if not busy.acquire(timeout=BUSY_S):  # a year of records takes seconds
            return HTMLResponse(problem_page(_("Another report is being made; try again.")), 503)
        try:
            period = parse_period(asked.get("from", ""), asked.get("to", ""), time.time())
            text = form(read_report(state_dir, store_path, period, hourly=hourly, sums=sums))
        except EwasteError as error:
            return HTMLResponse(problem_page(str(error)), 400)
        finally:
            busy.release()
        name = f'attachment; filename="shift-report{ending}"'
        headers = {} if ending == ".html" else {"Content-Disposition": name}
        return Response(text, media_type=media, headers={**headers, "Cache-Control": "no-store"})

    @app.get("/report.html")
    def as_page(request: Request) -> Response:
        return report(".html", request)

    @app.get("/report.csv")
    def as_csv(request: Request) -> Response:
        return report(".csv", request)

    @app.get("/report.json")
    def as_json(request: Request) -> Response:
        return report(".json", request)


def _add_entries(app: Any, path: Path) -> None:
    from fastapi import Request

    async def changed(request: Request, kind: type[BaseModel], change: Callable) -> dict[str, str]:
        asked = await posted(request, kind, MOST_BYTES)
        visitor = visitor_of(request)

        def work() -> str:
            change(asked, visitor.name[:LONGEST_NAME], time.time())
            return entries_part(path, time.time())

        try:
            part = await in_thread(None, work)
        except EwasteError as error:
            raise NotDone(400, sentence(str(error))) from None
        log_action(visitor, f"changed the entries: {kind.__name__.lower()}")
        return {"entries": part}

    def add(asked: EntryAsked, user: str, now: float) -> None:
        at = parse_time(asked.at, "time") if asked.at else now
        add_entry(path, asked, at, user, now)

    def withdraw(asked: Withdrawn, user: str, now: float) -> None:
        if not withdraw_entry(path, asked.number, user, now):
            raise EwasteError(_("There is no such entry any more."))

    @app.get("/entries.json")
    def part() -> dict[str, str]:
        return {"entries": entries_part(path, time.time())}

    @app.post(ENTRIES)
    async def enter(request: Request) -> dict[str, str]:
        return await changed(request, EntryAsked, add)

    @app.post(WITHDRAW)
    async def take_back(request: Request) -> dict[str, str]:
        return await changed(request, Withdrawn, withdraw)
