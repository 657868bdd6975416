"""The tab "History": plots by hour and by day, drawn here as SVG."""

import time
from pathlib import Path
from typing import Any

from edge.errors import BadInput, EwasteError
from edge.panel import fragments
from edge.panel.documents import problem_page, render
from edge.panel.languages import N_, _
from edge.panel.plots import Plot, class_plot, latency_plot, share_plot
from edge.records.history import Bar, History, Scale, spans
from edge.records.hourly import HourlyFigures
from edge.records.period import parse_time

DAY_S = 86400.0
NAMES = {Scale.HOUR: N_("By hour"), Scale.DAY: N_("By day")}
BAR_NAMES = {Scale.HOUR: N_("hours"), Scale.DAY: N_("days")}
PARTIAL = 202
"""The status of an answer that is not complete: ask again."""


def _plots(bars: list[Bar], scale: Scale) -> list[Plot]:
    return [class_plot(bars, scale), share_plot(bars, scale), latency_plot(bars, scale)]


def _note(bars: list[Bar]) -> str:
    """Say how much is counted; empty: all of it."""
    done = sum(bar.complete for bar in bars)
    if done == len(bars):
        return ""
    return _("Still counting: {done} of {all} are done.").format(done=done, all=len(bars))


def history_part(shown: dict[Scale, list[Bar]]) -> str:
    """Draw the plots of each scale."""
    rows = [
        ({"name": _(NAMES[scale]), "more": f"history.html?by={scale.value}"}, _plots(bars, scale))
        for scale, bars in shown.items()
    ]
    notes = [_note(bars) for bars in shown.values()]
    return render("history_part.html", rows=rows, notes=notes)


def history_page(scale: Scale, bars: list[Bar], until: str) -> str:
    """Draw a page of its own with the plots of one scale."""
    return render(
        "history.html",
        rows=[({"name": _(NAMES[scale]), "more": ""}, _plots(bars, scale))],
        notes=[_note(bars)],
        again=not _complete(bars),
        scales={each.value: _(name) for each, name in BAR_NAMES.items()},
        by=scale.value,
        until=until,
    )


def _complete(bars: list[Bar]) -> bool:
    return all(bar.complete for bar in bars)


def parse_asked(by: str, until: str, now: float) -> tuple[Scale, float]:
    """Parse what is asked for; an empty text stands for days, and for now.

    Raises:
        BadInput: it is no scale, or no date from 2000 to 2099.
    """
    if by and by not in list(Scale):
        raise BadInput("choose hours or days")
    scale = Scale(by) if by else Scale.DAY
    return scale, parse_time(until, "up to") + DAY_S - 1 if until else now


def add_history(app: Any, store_path: Path, hourly: HourlyFigures) -> None:
    """Serve `/history.json`, a part of the page, and `/history.html`, a page of its own."""
    from fastapi import Request, Response
    from fastapi.responses import HTMLResponse, JSONResponse

    history = History(store_path, hourly=hourly)

    @app.get("/history.json")
    def part() -> Response:
        now = time.time()
        try:
            bars = history.bars(spans(Scale.DAY, now), now)
            hours = history.bars(spans(Scale.HOUR, now), now)
        except EwasteError as error:
            return JSONResponse({"history": fragments.problem(str(error))})
        text = history_part({Scale.HOUR: hours, Scale.DAY: bars})
        done = _complete(bars) and _complete(hours)
        return JSONResponse({"history": text}, 200 if done else PARTIAL)

    @app.get("/history.html")
    def whole(request: Request) -> Response:
        now, asked = time.time(), request.query_params
        try:
            scale, until = parse_asked(asked.get("by", ""), asked.get("until", ""), now)
            bars = history.bars(spans(scale, until), now)
        except BadInput as error:
            return HTMLResponse(problem_page(str(error)), 400)
        except EwasteError as error:
            return HTMLResponse(problem_page(str(error)), 503)
        day = time.strftime("%Y-%m-%d", time.localtime(until))
        return HTMLResponse(history_page(scale, bars, day))
