"""The tabs "Review" and "Quality": a person labels items, and sees how good the verdicts are.

This is the only part of the page that writes to the records, and it writes reviews only.
"""

import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.errors import BadInput
from edge.operation import LONGEST_NAME
from edge.panel.formats import count, percent
from edge.panel.fragments import crop_address, kind_of, render
from edge.panel.guard import QUALITY, QUEUE, REVIEW
from edge.panel.items import (
    MOST_BYTES,
    NO_CLASS_NAMES,
    Classes,
    ItemId,
    Word,
    answer_name,
    moment,
)
from edge.panel.languages import _
from edge.panel.posted import NotDone, in_thread, not_done, posted
from edge.panel.quality import QualityAsked, quality, share_line
from edge.panel.queues import AuditQueue, Queue, WaitingQueue
from edge.panel.sentences import sentence
from edge.panel.typed_name import LONGEST_TYPED, typed_name
from edge.panel.visitor import log_action, visitor_of
from edge.records.audits import AUDITS_NAME, find_audit
from edge.records.database import LARGEST_SEQUENCE
from edge.records.grouping import MOST_IN_GROUP
from edge.records.measured import measured
from edge.records.named import names_given
from edge.records.record import ItemRecord
from edge.records.reviews import (
    MOST_COUNTED,
    NoClass,
    Review,
    ReviewStore,
    group_size,
    last_standing,
)
from edge.records.search import Found, find_item
from edge.records.store import Store

KEYS = "1234567890abcdefghijklmpqrtvwxyz"
"""Keys of the classes, in their order: all that no other answer has."""
GROUP_KEY = "-"
"""Takes all look-alikes out of the group, or puts them back."""
MOST_GROUP_BYTES = 32_000
"""Largest answer on a group as JSON, bytes: a letter of an item's id takes up to 4."""
MOST_OFFERED = 100
"""Names typed before that are offered again."""
NO_CLASS_KEYS = {NoClass.NO_ITEM: "n", NoClass.SEVERAL_ITEMS: "s", NoClass.OTHER: "o"}
Number = Annotated[int, Field(ge=1, le=LARGEST_SEQUENCE)]


class QueueAsked(BaseModel):
    """Which item of the queue is looked at; without `item` and `beside`, the first.

    Attributes:
        item: this one, whether it waits or not.
        beside: the one next to this one.
        newer: the next newer one, not the next older one.
        only_sample: only the random share.
        audit: only what is to be judged of this audit.
    """

    model_config = ConfigDict(extra="forbid")

    item: ItemId | None = None
    beside: ItemId | None = None
    newer: bool = False
    only_sample: bool = False
    audit: Number | None = None


class Answered(BaseModel):
    """What a person says of an item: exactly one of a label, why there is none, and undo.

    Attributes:
        item: the item.
        alike: its look-alikes that the answer is for too.
        label: one of the classes of the bundle.
        no_class: why it has none.
        name: of an item of no class of the bundle, what a person calls it.
        undo: the number of the answer to take back.
        only_sample: go on with the random share only.
        audit: go on with what is to be judged of this audit.
    """

    model_config = ConfigDict(extra="forbid")

    item: ItemId
    alike: Annotated[list[ItemId], Field(max_length=MOST_IN_GROUP - 1)] = []
    label: Annotated[Word, Field(min_length=1)] | None = None
    no_class: NoClass | None = None
    name: Annotated[Word, Field(min_length=1)] | None = None
    undo: Number | None = None
    only_sample: bool = False
    audit: Number | None = None

    @model_validator(mode="after")
    def _check_one(self) -> "Answered":
        if sum(each is not None for each in (self.label, self.no_class, self.undo)) != 1:
            raise ValueError("must be one answer: label, no_class, or undo")
        if self.name is not None and self.no_class is not NoClass.OTHER:
            raise ValueError("must have no name, unless the item is another thing")
        if self.alike and (self.undo is not None or self.audit is not None):
            raise ValueError("must be no group: an audit, and an undo, are of one item")
        return self

    @property
    def in_words(self) -> str:
        """What is done, for the log."""
        if self.undo is not None:
            return f"undid review {self.undo} of item {self.item}"
        given = self.label or (self.no_class.value if self.no_class else "")
        others = f" and {len(self.alike)} look-alikes" if self.alike else ""
        called = f", called {self.name}" if self.name else ""
        return f"reviewed item {self.item}{others} as {given}{called}"


def reviewer(request: Any) -> str:
    """Return who reviews."""
    return visitor_of(request).name[:LONGEST_NAME]


def add(app: Any, state_dir: Path, store_path: Path, classes: Classes) -> None:
    """Add the routes of the tabs to the FastAPI `app`."""
    from fastapi import Request

    reading = ThreadPoolExecutor(2, thread_name_prefix="queue")
    # One at a time: the line writes to the same file.
    writing = ThreadPoolExecutor(1, thread_name_prefix="reviews")
    tabs = Tabs(store_path, state_dir / AUDITS_NAME, classes)

    @app.post(QUEUE)
    async def queue(request: Request) -> dict[str, str]:
        """Show an item to review: `{}`, `{"item": "..."}`, `{"beside": "...", "newer": true}`."""
        asked = await posted(request, QueueAsked, MOST_BYTES)
        user = reviewer(request)
        return await in_thread(reading, lambda: tabs.look(asked, user))

    @app.post(REVIEW)
    async def review(request: Request) -> dict[str, str]:
        """Answer on an item, and show the next: `{"item": "...", "label": "Mouse"}`."""
        answered = await posted(request, Answered, MOST_GROUP_BYTES)
        user = reviewer(request)
        answer = await in_thread(writing, lambda: tabs.answer(answered, user, time.time()))
        log_action(visitor_of(request), answered.in_words)
        return answer

    @app.post(QUALITY)
    async def show_quality(request: Request) -> dict[str, str]:
        """Show how good the verdicts are: `{"bundle": "sha256:...", "width": 5}`."""
        asked = await posted(request, QualityAsked, MOST_BYTES)
        return await in_thread(reading, lambda: tabs.measure(asked))


@dataclass(frozen=True)
class Tabs:
    """What the routes do.

    Attributes:
        store_path: the file of records.
        audits_path: the file of audits.
        classes: gives the labels and the hazards of the bundle.
    """

    store_path: Path
    audits_path: Path
    classes: Classes

    def look(self, asked: QueueAsked, user: str) -> dict[str, str]:
        """Show one item of the queue to a user."""
        with Store(self.store_path, read_only=True) as store:
            named = asked.item or asked.beside
            found = find_item(store, named) if named else None
            if named and found is None:
                raise NotDone(404, _("There is no such item any more."))
            queue = self._chosen(store, asked)
            if asked.item is None:
                found = queue.beside(found, asked.newer) or found
            return self._shown(queue, found, user)

    def _chosen(self, store: Store, asked: QueueAsked | Answered) -> Queue:
        if asked.audit is None:
            return WaitingQueue(store, asked.only_sample)
        audit = find_audit(self.audits_path, asked.audit)
        if audit is None:
            raise NotDone(404, _("There is no such audit."))
        return AuditQueue(store, audit)

    def answer(self, answered: Answered, user: str, now: float) -> dict[str, str]:
        """Store the answer of a user, and show the next item; after an undo, the item itself."""
        labels = self.classes()[0]
        if answered.label is not None and answered.label not in labels:
            raise NotDone(400, _("The bundle has no such class; choose one of those on the page."))
        store = ReviewStore(self.store_path)
        with store:
            queue = self._chosen(store, answered)
            try:
                self._write(store, self._named(store, answered, labels), user, now)
            except BadInput as error:
                raise not_done(error) from None
            found = find_item(store, answered.item)
            if answered.undo is None:
                found = queue.beside(found)
            return self._shown(queue, found, user)

    def _named(self, store: Store, answered: Answered, labels: Sequence[str]) -> Answered:
        """An answer with the name that was typed as its label.

        The records so tell it from all other things; a class may be taught from it, on this device
        or on the workstation.
        """
        if answered.name is None:
            return answered
        name = typed_name(answered.name, labels, names_given(store, labels))
        return answered.model_copy(update={"label": name, "no_class": None, "name": None})

    def _write(self, store: ReviewStore, answered: Answered, user: str, now: float) -> None:
        if answered.undo is not None:
            store.undo(answered.undo, answered.item, by=user, at=now)
            return
        label, no_class = answered.label or "", answered.no_class
        store.give_group(
            answered.item, answered.alike, label=label, no_class=no_class, by=user, at=now
        )

    def measure(self, asked: QualityAsked) -> dict[str, str]:
        """Show how good the verdicts are."""
        with Store(self.store_path, read_only=True) as store:
            return {"quality": quality(store, asked)}

    def _shown(self, queue: Queue, found: Found | None, user: str) -> dict[str, str]:
        labels, hazards = self.classes()
        sample = measured(queue.store)[0]
        last = last_standing(queue.store, user)
        return {
            "review": queue_part(
                found,
                labels,
                hazards,
                undoable=last,
                undone_items=group_size(queue.store, last) if last is not None else 0,
                queue=queue,
                names=sorted(names_given(queue.store, labels))[:MOST_OFFERED],
                note=share_line(sample.accuracy),
            )
        }


def top_of(record: ItemRecord, labels: Sequence[str]) -> str:
    """Return the label to confirm: the top label if it is a class of the bundle; else empty."""
    return next((each for each in (record.top_label, record.label) if each in labels), "")


def queue_part(
    found: Found | None,
    labels: Sequence[str],
    hazards: Collection[str],
    *,
    undoable: Review | None,
    undone_items: int,
    queue: Queue,
    names: Sequence[str],
    note: str,
) -> str:
    """Show an item with a button and a key for each answer."""
    waiting = queue.count()
    shown = count(waiting)
    keys = [*KEYS, *[""] * max(0, len(labels) - len(KEYS))]
    buttons = [
        (label, key, kind_of(label, hazards)) for label, key in zip(labels, keys, strict=False)
    ]
    return render(
        "review.html",
        item=_shown(found, labels) if found is not None else None,
        classes=buttons,
        group_key=GROUP_KEY,
        others=[
            (each.value, NO_CLASS_KEYS[each], _(name)) for each, name in NO_CLASS_NAMES.items()
        ],
        names=names,
        longest_name=LONGEST_TYPED,
        undoable=undoable,
        undo_name=answer_name(undoable.label, undoable.no_class) if undoable else "",
        undone_items=undone_items,
        alike=[_shown(each, labels) for each in queue.look_alikes(found)],
        waiting=_("{count} or more").format(count=shown) if waiting >= MOST_COUNTED else shown,
        only_sample=queue.only_sample,
        audit=queue.audit,
        note=note,
        ahead=queue.pictures_ahead(found),
    )


def _shown(found: Found, labels: Sequence[str]) -> dict[str, str]:
    record = found.record
    return {
        "id": record.item_id,
        "crop": crop_address(record.item_id) if found.has_crop else "",
        "label": record.label,
        "top": top_of(record, labels),
        "confidence": percent(record.confidence, 1),
        "bin": record.bin,
        "detail": record.detail,
        "why": sentence(record.review) or _("not chosen for review"),
        "time": moment(record.decided_at),
        "answer": answer_name(record.reviewed, record.no_class),
    }
