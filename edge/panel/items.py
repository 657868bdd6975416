"""The tab "Items": all records, filtered, a page at a time, and one item in full."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, NaiveDatetime

from edge.labels import MANUAL, UNKNOWN
from edge.panel.formats import count, measure, percent, show_moment, weight
from edge.panel.fragments import crop_address, kind_of, render
from edge.panel.guard import ITEM, ITEMS
from edge.panel.languages import N_, _
from edge.panel.posted import NotDone, in_thread, posted
from edge.panel.sentences import bin_name, label_name, reason_name, sentence
from edge.records.database import LARGEST_SEQUENCE
from edge.records.item_masses import ItemMass, ItemMasses
from edge.records.reviews import NoClass, Review, history
from edge.records.search import (
    Criteria,
    Found,
    ResultPage,
    ReviewState,
    choices,
    find_item,
    search,
)
from edge.records.store import Store
from edge.verdict import Reason

Classes = Callable[[], tuple[tuple[str, ...], frozenset[str]]]
"""Gives the labels and the hazards of the bundle."""
PAGE_ITEMS = 25
MOST_BYTES = 4096
LONGEST_TEXT = 300
MINUTE_S = 60.0
STATE_NAMES = {
    ReviewState.WAITING: N_("waits for review"),
    ReviewState.REVIEWED: N_("reviewed"),
    ReviewState.NOT_CHOSEN: N_("not chosen for review"),
}
NO_CLASS_NAMES = {
    NoClass.NO_ITEM: N_("No item"),
    NoClass.SEVERAL_ITEMS: N_("Several items"),
    NoClass.OTHER: N_("Other"),
}


def _in_reach(moment: datetime) -> datetime:
    if not 1971 <= moment.year <= 5000:  # of others the system makes no time
        raise ValueError("must be a year from 1971 to 5000")
    return moment


def _given(value: object) -> object:
    """An empty field of a form asks for nothing."""
    return None if value == "" else value


Moment = Annotated[NaiveDatetime, AfterValidator(_in_reach)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Place = Annotated[int, Field(ge=0, le=LARGEST_SEQUENCE)]
Word = Annotated[str, Field(max_length=LONGEST_TEXT)]
ItemId = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Empty = BeforeValidator(_given)


class ItemsAsked(BaseModel):
    """The filters of a search as a browser sends them, and where its page starts.

    Times are those of the device's clock, without a zone; `until` holds its whole minute.
    """

    model_config = ConfigDict(extra="forbid")

    label: Annotated[Word | None, Empty] = None
    bin: Annotated[Word | None, Empty] = None
    reason: Annotated[Reason | None, Empty] = None
    state: Annotated[ReviewState | None, Empty] = None
    since: Annotated[Moment | None, Empty] = None
    until: Annotated[Moment | None, Empty] = None
    least: Annotated[Percent | None, Empty] = None
    most: Annotated[Percent | None, Empty] = None
    before: Place | None = None
    after: Place | None = None

    def criteria(self) -> Criteria:
        """Return what is searched for."""
        return Criteria(
            label=self.label,
            bin=self.bin,
            reason=self.reason,
            since=None if self.since is None else self.since.timestamp(),
            until=None if self.until is None else self.until.timestamp() + MINUTE_S,
            least=None if self.least is None else self.least / 100,
            most=None if self.most is None else self.most / 100,
            state=self.state,
        )


class ItemAsked(BaseModel):
    """The item that is looked at."""

    model_config = ConfigDict(extra="forbid")

    item: ItemId


def add(app: Any, store_path: Path, classes: Classes, masses: ItemMasses) -> None:
    """Add the routes of the tab to the FastAPI `app`."""
    from fastapi import Request

    pool = ThreadPoolExecutor(2, thread_name_prefix="items")

    def form() -> dict[str, str]:
        with Store(store_path, read_only=True) as store:
            labels, bins = choices(store)
        return {"search": filters(sorted({*labels, *classes()[0], UNKNOWN}), {*bins, MANUAL})}

    def find(asked: ItemsAsked) -> dict[str, str]:
        with Store(store_path, read_only=True) as store:
            page = search(
                store,
                asked.criteria(),
                count=PAGE_ITEMS,
                before=asked.before,
                after=asked.after if asked.before is None else None,
            )
        return {"found": results(page, classes()[1])}

    def look(asked: ItemAsked) -> dict[str, str]:
        with Store(store_path, read_only=True) as store:
            found = find_item(store, asked.item)
            if found is None:
                raise NotDone(404, _("There is no such item any more."))
            answers, hazards = history(store, asked.item), classes()[1]
            mass = masses.of(store, found.record)
            return {"item": one_item(found, answers, hazards, mass)}

    @app.get("/search.json")
    def choose() -> dict[str, str]:
        return form()

    @app.post(ITEMS)
    async def items(request: Request) -> dict[str, str]:
        """Search: `{"label": "Mouse", "before": 1200}`."""
        asked = await posted(request, ItemsAsked, MOST_BYTES)
        return await in_thread(pool, lambda: find(asked))

    @app.post(ITEM)
    async def item(request: Request) -> dict[str, str]:
        """Show one item: `{"item": "20260101-120000-7"}`."""
        asked = await posted(request, ItemAsked, MOST_BYTES)
        return await in_thread(pool, lambda: look(asked))


def filters(labels: Sequence[str], bins: Collection[str]) -> str:
    """Offer what can be searched for."""
    return render(
        "search.html",
        labels=labels,
        bins=sorted(bins),
        reasons=[reason.value for reason in Reason],
        states={state.value: _(name) for state, name in STATE_NAMES.items()},
    )


def results(page: ResultPage, hazards: Collection[str]) -> str:
    """Tabulate one page of a search."""
    return render("found.html", rows=[_row(found, hazards) for found in page.found], page=page)


def _row(found: Found, hazards: Collection[str]) -> dict[str, object]:
    record = found.record
    return {
        "id": record.item_id,
        "kind": kind_of(record.label, hazards).strip(),
        "crop": crop_address(record.item_id) if found.has_crop else "",
        "label": record.label,
        "confidence": percent(record.confidence, 1),
        "bin": record.bin,
        "bin_kind": " manual" if record.bin == MANUAL else "",
        "reason": record.detail,
        "time": moment(record.decided_at),
        "review": label_name(answer_name(record.reviewed, record.no_class))
        or (_("to review") if record.review else ""),
    }


def one_item(
    found: Found, answers: Sequence[Review], hazards: Collection[str], mass: ItemMass | None
) -> str:
    """Show one item: its crop, where it went and why, its sizes and times, and its reviews."""
    record = found.record
    late = ", " + _("late") if record.late else ""
    times = (record.detect_ms, record.classify_ms, record.verdict_ms)
    places = (record.position_mm, record.offset_mm)
    facts = {
        _("Label"): label_name(record.label),
        _("Top label"): label_name(record.top_label),
        _("Confidence"): percent(record.confidence, 1),
        _("Bin"): bin_name(record.bin) + late,
        _("Reason"): reason_name(record.reason.value),
        _("Why"): sentence(record.detail),
        _("Decided"): moment(record.decided_at),
        _("Views"): count(record.views),
        _("Detect, classify, photo to verdict"): "; ".join(measure(each, "ms") for each in times),
        _("Length along the belt"): measure(record.length_mm, "mm"),
        _("Longer side"): measure(record.longer_mm, "mm"),
        _("Area"): measure(record.area_mm2 / 100, "cm²"),
        _("Mass, estimated"): mass_line(mass) if mass else "",
        _("On the belt, from its middle"): "; ".join(measure(each, "mm") for each in places),
        _("Bundle"): record.bundle,
        _("Chosen for review"): sentence(record.review) or _("no"),
        _("Reviewed as"): label_name(answer_name(record.reviewed, record.no_class))
        or _("not reviewed"),
        _("Item"): record.item_id,
    }
    return render(
        "item.html",
        item_id=record.item_id,
        kind=kind_of(record.label, hazards),
        crop=crop_address(record.item_id) if found.has_crop else "",
        facts=facts,
        answers=[_in_words(answer) for answer in answers],
    )


def mass_line(found: ItemMass) -> str:
    """The estimated mass of an item with its interval, and what it rests on."""
    mass = found.mass
    line = _("{mass} ({low} to {high} in 19 of 20 cases)").format(
        mass=weight(mass.kg), low=weight(mass.low_kg), high=weight(mass.high_kg)
    )
    return line if found.weighings else f"{line}; " + _("not calibrated")


def _in_words(answer: Review) -> str:
    """Put one answer in words."""
    given = label_name(answer_name(answer.label, answer.no_class))
    text = f"{given}, {answer.reviewer or _('somebody')}, {moment(answer.reviewed_at)}"
    if answer.grouped is not None:
        text += "; " + _("with its look-alikes")
    if not answer.for_training:
        text += "; " + _("not for training")
    if answer.undone_by is not None:
        text += "; " + _("undone by {by}, {time}").format(
            by=answer.undone_by, time=moment(answer.undone_at)
        )
    return text


def answer_name(label: str, no_class: str) -> str:
    """Return what a person answered: the label, or in words why there is none; empty: nothing."""
    if label or not no_class:
        return label
    known = {each.value for each in NoClass}
    return _(NO_CLASS_NAMES[NoClass(no_class)]) if no_class in known else no_class


def moment(unix_s: float | None) -> str:
    """Date and time of the device's clock; a dash if not known."""
    return show_moment(unix_s or None)
