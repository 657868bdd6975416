"""Plots as shapes in a drawing of 400 by 200, which `templates/plot.html` turns into SVG."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edge.labels import UNKNOWN
from edge.panel.formats import count, percent, show_date, show_day_of_year, show_minute, significant
from edge.panel.formats import show_time_of_day as show_time
from edge.panel.languages import _
from edge.panel.sentences import label_name
from edge.records.history import OTHER, Bar, Scale

WIDTH, HEIGHT = 400.0, 200.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 6.0, 10.0, 22.0
"""The margins, where the scales stand."""
COLORS = (
    "#3b7dc4",
    "#d97706",
    "#16823b",
    "#8b5cf6",
    "#0891b2",
    "#be185d",
    "#84760a",
    "#64748b",
    "#b45309",
)
"""Of the most frequent classes, in this order."""
GRAY, RED = "#9aa7b4", "#d63640"
MOST_CLASSES = len(COLORS)
LABELED = {Scale.HOUR: 6, Scale.DAY: 7}
"""Every so many bars one has its time below it."""


@dataclass(frozen=True)
class PlotArea:
    """A rectangle, and what it says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    color: str
    text: str


@dataclass(frozen=True)
class Curve:
    """Points that are joined, each x and y; a gap in the values begins a new part."""

    parts: tuple[tuple[tuple[float, float], ...], ...]
    color: str


@dataclass(frozen=True)
class Tick:
    """A mark of a scale: where, and what it says."""

    place: float
    text: str


@dataclass(frozen=True)
class Plot:
    """One plot.

    Attributes:
        title: what it shows, with its unit.
        summary: the same for who cannot see it.
        boxes, curves: its content.
        below, beside: the marks of its scales.
        legend: name -> color.
    """

    title: str
    summary: str
    boxes: tuple[PlotArea, ...]
    curves: tuple[Curve, ...]
    below: tuple[Tick, ...]
    beside: tuple[Tick, ...]
    legend: Mapping[str, str]


def class_plot(bars: Sequence[Bar], scale: Scale) -> Plot:
    """Plot the items of each bar, the classes upon each other."""
    totals: dict[str, int] = {}
    for bar in bars:
        for label, items in bar.tally.per_label.items():
            totals[label] = totals.get(label, 0) + items
    named = sorted(set(totals) - {UNKNOWN, OTHER}, key=lambda label: (-totals[label], label))
    legend = dict(zip(named[:MOST_CLASSES], COLORS, strict=False))
    if named[MOST_CLASSES:] or OTHER in totals:
        legend[OTHER] = "#c9b79c"
    if UNKNOWN in totals:
        legend[UNKNOWN] = GRAY
    highest = max([1, *(bar.tally.items for bar in bars)])
    top = nice_top(highest)
    boxes: list[PlotArea] = []
    step = (WIDTH - LEFT - RIGHT) / len(bars)
    for number, bar in enumerate(bars):
        when = show_bar(bar, scale)
        for label, items, below in _stacked(bar, legend):
            low, high = _height(below / top), _height((below + items) / top)
            left, text = LEFT + step * number + 1, f"{when}: {shown_name(label)} {count(items)}"
            boxes.append(PlotArea(left, high, step - 2, low - high, legend[label], text))
    return Plot(
        title=_("Items an hour, by class") if scale is Scale.HOUR else _("Items a day, by class"),
        summary=(
            _("{items} items; at most {most} in one hour")
            if scale is Scale.HOUR
            else _("{items} items; at most {most} in one day")
        ).format(items=count(sum(totals.values())), most=count(highest)),
        boxes=tuple(boxes),
        curves=(),
        below=_times(bars, scale),
        beside=_marks(top, count),
        legend={shown_name(label): color for label, color in legend.items()},
    )


def _stacked(bar: Bar, legend: Mapping[str, str]) -> Iterator[tuple[str, int, int]]:
    """Yield the label of each part of a bar, its items, and those below it."""
    sums, below = dict.fromkeys(legend, 0), 0
    for label, items in bar.tally.per_label.items():
        sums[label if label in sums else OTHER] += items
    for label, items in sums.items():
        if items:
            yield label, items, below
            below += items


def share_plot(bars: Sequence[Bar], scale: Scale) -> Plot:
    """Plot the shares of unknown items, and of those that went to manual."""
    unknown = [_share(bar.tally.unknown, bar.tally.items) for bar in bars]
    manual = [_share(bar.tally.manual, bar.tally.items) for bar in bars]
    legend = {_("to manual"): RED, _("unknown"): COLORS[0]}
    return Plot(
        title=_("Share unknown and to manual"),
        summary=_("to manual {manual}, unknown {unknown}").format(
            manual=_range(manual), unknown=_range(unknown)
        ),
        boxes=(),
        curves=(_curve(manual, 1.0, RED), _curve(unknown, 1.0, COLORS[0])),
        below=_times(bars, scale),
        beside=_marks(1.0, percent),
        legend=legend,
    )


def latency_plot(bars: Sequence[Bar], scale: Scale) -> Plot:
    """Plot median and 99th percentile of capture to verdict."""
    p50 = [bar.tally.latency_ms(0.5) for bar in bars]
    p99 = [bar.tally.latency_ms(0.99) for bar in bars]
    top = nice_top(max([1.0, *(value for value in p99 if value is not None)]))
    legend = {"p99": COLORS[1], _("median"): COLORS[0]}
    return Plot(
        title=_("Photo to verdict, ms"),
        summary=_("up to {number} ms").format(number=significant(top, 6)),
        boxes=(),
        curves=(_curve(p99, top, COLORS[1]), _curve(p50, top, COLORS[0])),
        below=_times(bars, scale),
        beside=_marks(top, count if top >= 4 else lambda value: significant(value, 6)),
        legend=legend,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _range(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    if not known:
        return _("not known")
    return _("{low} to {high}").format(low=percent(min(known)), high=percent(max(known)))


def _curve(values: Sequence[float | None], top: float, color: str) -> Curve:
    step = (WIDTH - LEFT - RIGHT) / len(values)
    parts: list[list[tuple[float, float]]] = [[]]
    for number, value in enumerate(values):
        if value is not None:
            parts[-1].append((LEFT + step * (number + 0.5), _height(value / top)))
        elif parts[-1]:
            parts.append([])
    return Curve(tuple(tuple(part) for part in parts if part), color)


def _height(share: float) -> float:
    """The y of a share of the full height, 0 to 1."""
    return TOP + (1 - min(max(share, 0.0), 1.0)) * (HEIGHT - TOP - BOTTOM)


def nice_top(highest: float) -> float:
    """Return the end of a scale: 1, 2, 4, or 6 times a power of ten, or the next one."""
    power = 10.0 ** math.floor(math.log10(highest))
    return next(each * power for each in (1, 2, 4, 6, 8, 10) if each * power >= highest)


def _marks(top: float, show: Callable[[float], str]) -> tuple[Tick, ...]:
    return tuple(Tick(_height(part / 2), show(top * part / 2)) for part in range(3))


def _times(bars: Sequence[Bar], scale: Scale) -> tuple[Tick, ...]:
    step = (WIDTH - LEFT - RIGHT) / len(bars)
    every = LABELED[scale]
    return tuple(
        Tick(LEFT + step * (number + 0.5), _mark(bar, scale))
        for number, bar in enumerate(bars)
        if number % every == every // 2
    )


def show_bar(bar: Bar, scale: Scale) -> str:
    """Name the hour or the day of a bar, in local time."""
    return show_minute(bar.start) if scale is Scale.HOUR else show_date(bar.start)


def _mark(bar: Bar, scale: Scale) -> str:
    if scale is Scale.HOUR:
        return show_time(bar.start, seconds=False)
    return show_day_of_year(bar.start)


def shown_name(label: str) -> str:
    """Return the name of a class in a legend."""
    return _("other") if label == OTHER else label_name(label)
