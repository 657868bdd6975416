"""The tab "Items": all records, filtered, a page at a time, and one item in full."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, NaiveDatetime

from edge.labels import MANUAL, UNKNOWN
from edge.panel.fragments import crop_address, kind_of, render
from edge.panel.guard import ITEM, ITEMS
from edge.panel.posted import NotDone, in_thread, posted
from edge.records.period import show_time
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
from edge.records.store import LARGEST_SEQUENCE, Store
from edge.verdict import Reason

Classes = Callable[[], tuple[tuple[str, ...], frozenset[str]]]
"""Gives the labels and the hazards of the bundle."""
PAGE_ITEMS = 25
MOST_BYTES = 4096
LONGEST_TEXT = 300
MINUTE_S = 60.0
STATE_NAMES = {
    ReviewState.WAITING: "waits for review",
    ReviewState.REVIEWED: "reviewed",
    ReviewState.NOT_CHOSEN: "not chosen for review",
}
NO_CLASS_NAMES = {
    NoClass.NO_ITEM: "No item",
    NoClass.SEVERAL_ITEMS: "Several items",
    NoClass.OTHER: "Other",
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


def add(app: Any, store_path: Path, classes: Classes) -> None:
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
                raise NotDone(404, "There is no such item any more.")
            return {"item": one_item(found, history(store, asked.item), classes()[1])}

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
        states={state.value: name for state, name in STATE_NAMES.items()},
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
        "confidence": percent(record.confidence),
        "bin": record.bin,
        "bin_kind": " manual" if record.bin == MANUAL else "",
        "reason": record.detail,
        "time": moment(record.decided_at),
        "review": answer_name(record.reviewed, record.no_class)
        or ("to review" if record.review else ""),
    }


def one_item(found: Found, answers: Sequence[Review], hazards: Collection[str]) -> str:
    """Show one item: its crop, where it went and why, its sizes and times, and its reviews."""
    record = found.record
    facts = {
        "Label": record.label,
        "Top label": record.top_label,
        "Confidence": percent(record.confidence),
        "Bin": record.bin + (", late" if record.late else ""),
        "Reason": record.reason.value,
        "Why": record.detail,
        "Decided": moment(record.decided_at),
        "Views": f"{record.views:,}",
        "Detect, classify, photo to verdict": ", ".join(
            measure(value, "ms") for value in (record.detect_ms, record.classify_ms)
        )
        + f", {measure(record.verdict_ms, 'ms')}",
        "Length along the belt": measure(record.length_mm, "mm"),
        "Longer side": measure(record.longer_mm, "mm"),
        "On the belt, from its middle": f"{measure(record.position_mm, 'mm')}, "
        f"{measure(record.offset_mm, 'mm')}",
        "Bundle": record.bundle,
        "Chosen for review": record.review or "no",
        "Reviewed as": answer_name(record.reviewed, record.no_class) or "not reviewed",
        "Item": record.item_id,
    }
    return render(
        "item.html",
        item_id=record.item_id,
        kind=kind_of(record.label, hazards),
        crop=crop_address(record.item_id) if found.has_crop else "",
        facts=facts,
        answers=[_in_words(answer) for answer in answers],
    )


def _in_words(answer: Review) -> str:
    """Put one answer in words."""
    who = answer.reviewer or "somebody"
    text = f"{answer_name(answer.label, answer.no_class)}, {who}, {moment(answer.reviewed_at)}"
    if answer.undone_by is not None:
        text += f"; undone by {answer.undone_by}, {moment(answer.undone_at)}"
    return text


def answer_name(label: str, no_class: str) -> str:
    """Return what a person answered, in words; empty: nothing."""
    if label or not no_class:
        return label
    known = {each.value for each in NoClass}
    return NO_CLASS_NAMES[NoClass(no_class)] if no_class in known else no_class


def percent(share: float) -> str:
    """A share of 1 as a percentage; a dash if it was not measured."""
    return "-" if share != share else f"{share:.1%}"


def measure(value: float, unit: str) -> str:
    """A number with its unit; a dash if it was not measured."""
    return "-" if value != value else f"{value:.1f} {unit}"


def moment(unix_s: float | None) -> str:
    """Date and time of the device's clock; a dash if not known."""
    return show_time(unix_s) if unix_s else "-"
