"""Audits on the tab "Quality": random draws that are judged by eye, and test pieces.

The draw and the windows of the test pieces lie in a file of their own beside the records. What a
person answers on a drawn item is a review (`edge.panel.reviewing`).
"""

import functools
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from edge.errors import BadInput, EwasteError
from edge.operation import LONGEST_NAME
from edge.panel.fragments import problem, render
from edge.panel.guard import AUDIT, BEGIN, CANCEL, DRAW, END
from edge.panel.items import MOST_BYTES, Classes, Word
from edge.panel.languages import _
from edge.panel.posted import NotDone, in_thread, not_done, posted
from edge.panel.report_page import share_in_interval
from edge.panel.visitor import log_action, visitor_of
from edge.records.audits import AUDITS_NAME, MOST_PER_BIN, audits_in, draw_audit, judge
from edge.records.database import LARGEST_SEQUENCE
from edge.records.period import LONGEST_TEXT, Period, parse_period
from edge.records.pieces import (
    MOST_PIECES,
    Window,
    begin_window,
    cancel_window,
    count_items,
    end_window,
    open_window,
    recalls,
    windows_in,
)
from edge.records.store import Store

SHIFT_S, AUDITS_S, WINDOWS_S = 8 * 3600.0, 7 * 86400.0, 86400.0
"""The length of the shift that the form offers, and how long audits and windows are shown, s."""
SHOWN_AUDITS = 5
Pieces = Annotated[int, Field(ge=1, le=MOST_PIECES)]
Moment = Annotated[str, Field(max_length=LONGEST_TEXT)]
Number = Annotated[int, Field(ge=1, le=LARGEST_SEQUENCE)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AuditAsked(_Asked):
    """Show the audits; nothing more is asked for."""


class DrawAsked(_Asked):
    """Draw an audit: so many items of each bin, of a time as the device's clock has it.

    Attributes:
        start: the beginning.
        end: the end; empty: now.
        count: number of items of each bin.
    """

    start: Moment
    end: Moment = ""
    count: Annotated[int, Field(ge=1, le=MOST_PER_BIN)]


class BeginAsked(_Asked):
    """Begin to send so many pieces of a class."""

    label: Word
    pieces: Pieces


class EndAsked(_Asked):
    """End a window, in which so many pieces were sent."""

    number: Number
    pieces: Pieces


class CancelAsked(_Asked):
    """Cancel a window."""

    number: Number


def add(
    app: Any,
    state_dir: Path,
    store_path: Path,
    classes: Classes,
    bins: Callable[[], Mapping[str, str]],
) -> None:
    """Add the routes to the FastAPI `app`.

    Args:
        app: the FastAPI application.
        state_dir: the state folder of the line.
        store_path: its file of records.
        classes: gives the labels and the hazards of the bundle.
        bins: gives class -> bin, as the line sorts now.
    """
    from fastapi import Request

    # One at a time: what is open or not judged is looked up before something is written.
    pool = ThreadPoolExecutor(1, thread_name_prefix="audits")
    desk_of = functools.partial(Desk, state_dir / AUDITS_NAME, store_path, classes, bins)

    def route(
        address: str,
        schema: type[BaseModel],
        work: Callable[[Desk, Any, float], None] | None = None,
        done: str = "",
    ) -> None:
        @app.post(address)
        async def answer(request: Request) -> dict[str, str]:
            asked = await posted(request, schema, MOST_BYTES)
            visitor = visitor_of(request)
            desk = desk_of(visitor.name[:LONGEST_NAME])

            def do() -> dict[str, str]:
                try:
                    if work is not None:
                        work(desk, asked, time.time())
                except BadInput as error:
                    raise not_done(error) from None
                return {"audit": desk.part(time.time())}

            part = await in_thread(pool, do)
            if done:
                log_action(visitor, done)
            return part

    route(AUDIT, AuditAsked)
    route(DRAW, DrawAsked, Desk.draw, "drew an audit")
    route(BEGIN, BeginAsked, Desk.begin, "began to send test pieces")
    route(END, EndAsked, Desk.end, "ended the test pieces")
    route(CANCEL, CancelAsked, Desk.cancel, "cancelled the test pieces")


@dataclass(frozen=True)
class Desk:
    """What the routes do.

    Attributes:
        path: the file of audits.
        store_path: the file of records.
        classes: gives the labels and the hazards of the bundle.
        bins: gives class -> bin, as the line sorts now.
        user: who works with the page.
    """

    path: Path
    store_path: Path
    classes: Classes
    bins: Callable[[], Mapping[str, str]]
    user: str

    def draw(self, asked: DrawAsked, now: float) -> None:
        """Draw an audit; nobody chooses its seed."""
        period = parse_period(asked.start, asked.end, now)
        with Store(self.store_path, read_only=True) as store:
            draw_audit(
                self.path,
                store,
                period,
                per_bin=asked.count,
                bins=self.bins(),
                seed=secrets.token_hex(16),
                by=self.user,
                now=now,
            )

    def begin(self, asked: BeginAsked, now: float) -> None:
        """Begin to send test pieces."""
        if asked.label not in self.classes()[0]:
            raise NotDone(400, _("The bundle has no such class; choose one of those on the page."))
        bins = self.bins()
        # The bundle took a moment: only what is decided from now on is counted.
        now = max(now, time.time())
        begin_window(
            self.path, label=asked.label, bins=bins, pieces=asked.pieces, by=self.user, now=now
        )

    def end(self, asked: EndAsked, now: float) -> None:
        """End the window, and keep what was counted."""
        window = open_window(self.path)
        if window is None or window.number != asked.number:
            raise BadInput("this test was ended or cancelled before")
        with Store(self.store_path, read_only=True) as store:
            counts = count_items(store, window, now)
        end_window(self.path, window, counts, pieces=asked.pieces, by=self.user, now=now)

    def cancel(self, asked: CancelAsked, now: float) -> None:
        """Cancel the window."""
        cancel_window(self.path, asked.number, self.user, now)

    def part(self, now: float) -> str:
        """Show the audits and the test pieces; `now` is Unix seconds."""
        try:
            audits = audits_in(self.path, Period(now - AUDITS_S, now), SHOWN_AUDITS)
            windows = windows_in(self.path, Period(now - WINDOWS_S, now + 1))
            running = open_window(self.path)
            with Store(self.store_path, read_only=True) as store:
                results = [judge(store, audit) for audit in audits[::-1]]
                counts, trouble = _counted(store, running, now)
        except EwasteError as error:
            return problem(str(error))
        labels, hazards = self.classes()
        return render(
            "audits.html",
            start=time.strftime("%Y-%m-%dT%H:%M", time.localtime(now - SHIFT_S)),
            most=MOST_PER_BIN,
            most_pieces=MOST_PIECES,
            labels=sorted(labels, key=lambda label: (label not in hazards, label)),
            results=results,
            running=running,
            counts=counts,
            trouble=trouble,
            recalls=recalls(windows),
            windows=windows[::-1],
            share=share_in_interval,
        )


def _counted(store: Store, window: Window | None, now: float) -> tuple[Any, str]:
    """What an open window has counted until now, and why it cannot be ended."""
    if window is None:
        return None, ""
    try:
        return count_items(store, window, now), ""
    except BadInput as error:
        return None, str(error)
