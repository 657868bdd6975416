"""The parts of the page as HTML, rendered from a status and item records by `templates/*.html`.

The templates escape every value.
"""

import re
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import jinja2

from edge.labels import MANUAL, UNKNOWN
from edge.language import Language
from edge.operation import HELD, Mode, Order
from edge.panel import languages
from edge.panel.formats import (
    count,
    decimal,
    duration,
    measure,
    percent,
    show_date,
    show_moment,
    show_time_of_day,
    significant,
)
from edge.panel.languages import N_, ColorScheme, _, appearance, ngettext
from edge.panel.overlay import SHOWN_CLASSES, ClassOverlay
from edge.panel.sentences import (
    bin_name,
    check_name,
    fault_name,
    figures,
    label_name,
    reason_name,
    sentence,
    state_name,
    user_name,
)
from edge.panel.trial import Likeness
from edge.panel.users import Role
from edge.records.record import ItemRecord
from edge.status import (
    NOT_STARTED,
    RUNNING,
    STALE_SECONDS,
    STALLED,
    STOPPED,
    Percentiles,
    Status,
)
from edge.verdict import Verdict

LEAST_REACH = 0.5
"""What the bar of a score shows on either side of the threshold at least, in units of the score."""
STAGES = {"detect": N_("Detect"), "classify": N_("Classify"), "verdict": N_("Photo to verdict")}
"""What the latencies are called on the page, in this order; others keep their own name."""

MODE_NAMES = {Mode.SORT: N_("Sort"), Mode.PAUSE: N_("Pause"), Mode.MANUAL: N_("All to manual")}
ROLE_NAMES = {Role.VIEWER: N_("viewer"), Role.OPERATOR: N_("operator"), Role.ADMIN: N_("admin")}
COLOR_NAMES = {
    ColorScheme.SYSTEM: N_("as the system"),
    ColorScheme.LIGHT: N_("light"),
    ColorScheme.DARK: N_("dark"),
}

TEMPLATES = Path(__file__).with_name("templates")


def _template(name: str) -> str:
    """A template without the line breaks and indentation that make it readable."""
    return re.sub(r"\s*\n\s*", "", (TEMPLATES / name).read_text(encoding="utf-8"))


def environment(loader: jinja2.BaseLoader) -> jinja2.Environment:
    """Return an environment for templates that escapes every value, and knows no missing one.

    Its filters write numbers, moments, and what the line wrote as the visitor's language does.
    """
    made = jinja2.Environment(
        loader=loader,
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    languages.install(made)
    made.filters.update(FILTERS)
    made.globals.update(look=appearance, languages=tuple(Language), colors=color_names)
    return made


FILTERS = {
    "bin": bin_name,
    "check": check_name,
    "count": count,
    "date": show_date,
    "decimal": decimal,
    "duration": duration,
    "fault": fault_name,
    "figures": figures,
    "label": label_name,
    "measure": measure,
    "moment": show_moment,
    "percent": percent,
    "reason": reason_name,
    "sentence": sentence,
    "significant": significant,
    "user": user_name,
}


def color_names() -> dict[str, str]:
    """Return what may be chosen for light and dark, and its names."""
    return {colors.value: _(name) for colors, name in COLOR_NAMES.items()}


def mode_name(mode: Mode) -> str:
    """Return a mode in words."""
    return _(MODE_NAMES[mode])


_environment = environment(jinja2.FunctionLoader(_template))


def render(template: str, **values: object) -> str:
    """Fill a template; every value is escaped."""
    return _environment.get_template(template).render(values)


class Tile(NamedTuple):
    """One large number on the page.

    Attributes:
        key: its name for scripts and tests.
        name: what is counted.
        value: the count, as it is shown.
        note: a line of text under it; may be empty.
        kind: its CSS class: `large`, `warning`, `alarm` or empty.
    """

    key: str
    name: str
    value: str
    note: str
    kind: str


class ItemRow(NamedTuple):
    """One item of the table.

    Attributes:
        kind: the CSS class of its row; may be empty.
        crop: the address of its picture; empty without one.
        label: its label.
        confidence: as a percentage.
        bin_name: where it went.
        bin_kind: a further CSS class of the bin, after a space; may be empty.
        late: whether its verdict came too late.
        reason: why, in words.
        time: of day.
    """

    kind: str
    crop: str
    label: str
    confidence: str
    bin_name: str
    bin_kind: str
    late: bool
    reason: str
    time: str


def line_state(status: Status | None, now: float) -> str:
    """Name the state in one word, given unix seconds; `stalled` when the line fell silent."""
    if status is None:
        return NOT_STARTED
    # A status from the future is from before the clock was set back: nothing current either.
    if status.state != STOPPED and abs(now - status.updated_at) > STALE_SECONDS:
        return STALLED
    return status.state


def header(status: Status | None, now: float) -> str:
    """Tell the state of the line, what it runs with, and what a person should know or do."""
    state = line_state(status, now)
    facts: dict[str, str] = {}
    message: str | None = _("Start the conveyor; this page then follows by itself.")
    if status is not None:
        facts = {
            _("Camera"): status.camera,
            _("Bundle"): f"{status.bundle} {status.digest.removeprefix('sha256:')[:8]}".strip(),
            _("Belt"): f"{count(status.speed_mm_s)} mm/s",
            _("Pictures"): _("{count} per second").format(count=count(status.fps)),
        }
        message = sentence(status.message) if status.message else None
    if state == STALLED and status is not None:
        age = max(0, round(now - status.updated_at))
        message = _("No news from the line for {duration}: check the conveyor program.").format(
            duration=duration(age)
        )
    if state == RUNNING and status is not None and status.order.mode is not Mode.SORT:
        state = HELD[status.order.mode].detail
    kind = state if state in (RUNNING, STOPPED, STALLED) else "other"
    return render("header.html", state=state_name(state), kind=kind, facts=facts, message=message)


def operation(status: Status | None, asked: Order | None, now: float) -> str:
    """Offer the modes of the line, and tell who asked for the present one and what it made of it.

    Args:
        status: of the line; None: there is none.
        asked: what is asked of it; None: that is damaged.
        now: unix seconds.
    """
    state = line_state(status, now)
    runs = status is not None and state not in (STOPPED, STALLED)
    followed = status.order.mode if status is not None and runs else None
    note = ""
    if asked is None:
        note = _("What was asked of the line cannot be read. Choose again.")
    elif asked.by and (asked.mode is not Mode.SORT or followed is not asked.mode):
        note = _("{mode}: asked by {by} at {time}.").format(
            mode=mode_name(asked.mode),
            by=user_name(asked.by),
            time=show_time_of_day(asked.at, seconds=False),
        )
        if not runs:
            note += " " + _("The line does not run; it will start so.")
        elif followed is not asked.mode:
            note += " " + _("The line has not followed yet.")
    current = followed if asked is None or runs else asked.mode
    modes = {mode: mode_name(mode) for mode in MODE_NAMES}
    return render("operation.html", modes=modes, current=current, note=note)


def tiles(status: Status | None, per_minute: int) -> str:
    """Show the large numbers, and the gates."""
    status = status or Status(updated_at=0, state=NOT_STARTED)
    share = status.unknown / status.items if status.items else None
    of_all = _("{share} of all").format(share=percent(share)) if share is not None else ""
    late_kind = "warning" if status.late else ""
    shown = [
        Tile("items", _("Items"), count(status.items), _("since the start"), "large"),
        Tile("rate", _("Per minute"), count(per_minute), _("in the last minute"), "large"),
        Tile("unknown", _("Unknown"), count(status.unknown), of_all, ""),
        Tile("late", _("Late"), count(status.late), _("sent to manual"), late_kind),
        _dropped(status),
    ]
    return render("tiles.html", tiles=shown, gates=status.gates)


def _dropped(status: Status) -> Tile:
    """Say what was dropped; a lost picture is normal under load, a lost record is not."""
    frames, records = status.dropped_frames, status.dropped_records
    notes = []
    if frames:
        text = ngettext("{count} picture", "{count} pictures", frames)
        notes.append(text.format(count=count(frames)))
    if records:
        text = ngettext("{count} record", "{count} records", records)
        notes.append(text.format(count=count(records)))
    kind = "alarm" if records else ""
    return Tile("dropped", _("Dropped"), count(frames + records), ", ".join(notes), kind)


def bars(counts: Mapping[str, int], labels: Sequence[str], hazards: Collection[str]) -> str:
    """Items per label as bars: the model's `labels` in their order, then whatever else counted."""
    names = [*labels, *sorted(set(counts) - set(labels) - {UNKNOWN}), UNKNOWN]
    longest = max([1, *counts.values()])
    shown = [(name, counts.get(name, 0)) for name in names]
    rows = [
        (name, kind_of(name, hazards), count(items), f"{100 * items / longest:.1f}")
        for name, items in shown
    ]
    return render("bars.html", bars=rows)


def kind_of(label: str, hazards: Collection[str]) -> str:
    """The CSS class of a label, after a space; most labels have none."""
    return " hazard" if label in hazards else " unknown" if label == UNKNOWN else ""


def latencies(latency: Mapping[str, Percentiles]) -> str:
    """Tabulate the median and the slowest hundredth of each stage."""
    stages = [*(name for name in STAGES if name in latency), *sorted(set(latency) - set(STAGES))]
    rows = [
        (
            _(STAGES[name]) if name in STAGES else name,
            decimal(latency[name].p50, 1),
            decimal(latency[name].p99, 1),
        )
        for name in stages
    ]
    return render("latency.html", stages=rows)


def crop_address(item_id: str) -> str:
    """Where the crop of an item is served, relative to the page."""
    return f"crops/{quote(item_id, safe='')}.jpg"


def items(records: Sequence[ItemRecord], hazards: Collection[str], trouble: str = "") -> str:
    """Tabulate the last items, the newest first, or say why there are none."""
    return render(
        "items.html", items=[_item_row(record, hazards) for record in records], trouble=trouble
    )


def _item_row(record: ItemRecord, hazards: Collection[str]) -> ItemRow:
    return ItemRow(
        kind=kind_of(record.label, hazards).strip(),
        crop=crop_address(record.item_id) if record.crop else "",
        label=record.label,
        confidence=percent(record.confidence),
        bin_name=record.bin,
        bin_kind=" manual" if record.bin == MANUAL else "",
        late=record.late,
        reason=record.detail,
        time=show_time_of_day(record.decided_at),
    )


def verdict(verdict: Verdict, hazards: Collection[str], likeness: Likeness | None = None) -> str:
    """Put the verdict on a tried picture in words, and its likeness to the known classes."""
    width = "" if likeness is None else f"{likeness_percent(likeness):.1f}"
    return render(
        "verdict.html",
        verdict=verdict,
        kind=kind_of(verdict.label, hazards),
        likeness=likeness,
        width=width,
    )


def likeness_percent(likeness: Likeness) -> float:
    """Where a score lies on a bar with the threshold in its middle, 0 to 100.

    The units of the scores differ, so the bar reaches as far as the threshold is from zero.
    """
    reach = max(abs(likeness.threshold), LEAST_REACH)
    off = (likeness.score - likeness.threshold) / reach
    return 50 * (1 + min(1.0, max(-1.0, off)))


def classes(
    probabilities: Mapping[str, float], overlays: Mapping[str, ClassOverlay] | None = None
) -> str:
    """The most likely classes of a tried picture as bars; those with an overlay are buttons."""
    top = sorted(probabilities.items(), key=lambda pair: -pair[1])[:SHOWN_CLASSES]
    rows = []
    for label, share in top:
        overlay = (overlays or {}).get(label)
        address = "" if overlay is None else _png_address(overlay.png)
        place = None if overlay is None else overlay.place
        rows.append((label, percent(share), f"{100 * share:.1f}", address, place))
    return render("classes.html", classes=rows)


def looked(overlays: Mapping[str, ClassOverlay] | None) -> str:
    """Offer to show where the model looked, or say why that is not known."""
    return render("looked.html", declared=overlays is not None, known=bool(overlays))


def _png_address(png: bytes) -> str:
    """A PNG as an address that holds it."""
    return f"data:image/png;base64,{b64encode(png).decode()}"


def problem(text: str) -> str:
    """One line that says what is wrong."""
    return render("problem.html", problem=sentence(text))
