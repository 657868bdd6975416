"""The tab "Learning": what the line proposes to learn, and what it has learned.

A person accepts or rejects; the line takes what was accepted as it takes a bundle, on probation.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from edge.bundle.bundle import Bundle
from edge.bundle.history import Standing, read_history
from edge.errors import BadInput, EwasteError, Refused
from edge.labels import MANUAL
from edge.learned.proposal import Decision, Proposal, ProposalKind
from edge.learned.proposals import accept, answers, proposals, reject
from edge.learned.store import LEARNED_NAME, Generation, current_generation, roll_back
from edge.operation import LONGEST_NAME
from edge.panel.door import may_operate
from edge.panel.formats import count, percent
from edge.panel.fragments import crop_address, problem, render
from edge.panel.guard import ACCEPT, REJECT, UNLEARN
from edge.panel.items import Word
from edge.panel.languages import N_, _
from edge.panel.posted import NotDone, NothingMore, in_thread, not_done, posted
from edge.panel.sentences import label_name
from edge.panel.visitor import Visitor, log_action, visitor_of
from edge.records.store import Store

MOST_BYTES = 2000
SHOWN_CROPS = 12
SHOWN_STEPS = 20
FIGURE_NAMES = {
    "recall": N_("Its own items that are recognized"),
    "known_taken": N_("Known items that are taken for it"),
    "right": N_("Items in their own bin"),
    "wrong": N_("Items in another bin"),
    "by_hand": N_("Items sorted by hand"),
    "others_sorted": N_("Other things that are sorted"),
    "calibration_error": N_("Calibration error"),
    "cost": N_("Cost, in items sorted by hand"),
}
FIGURES_OF = {
    "recall": N_("{label} that is recognized"),
    "found": N_("{label} that is found"),
    "leaked": N_("{label} in another bin"),
}
"""What a figure of one class is called; its name in the proposal is `recall Battery`."""
COUNTED = frozenset({"cost"})
"""Figures that are no share."""
STANDING_NAMES = {
    Standing.UNWATCHED: N_("in use, not compared"),
    Standing.ON_PROBATION: N_("on probation"),
    Standing.PASSED: N_("passed its probation"),
    Standing.ROLLED_BACK: N_("rolled back by the line"),
    Standing.LEFT: N_("not in use any more"),
}


class NumberAsked(BaseModel):
    """Which proposal is answered."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[int, Field(ge=1, le=10**9)]


class AcceptAsked(NumberAsked):
    """Which proposal is accepted, and where the items of a new class go; empty: to `manual`."""

    bin: Word = ""


class Figure(NamedTuple):
    """One row of a table: a name, and the value as it is and as it would be."""

    name: str
    before: str
    after: str


class Shown(NamedTuple):
    """A proposal on the page.

    Attributes:
        number: of the proposal.
        proposal: it; None: it cannot be read.
        problem: why, one line.
        figures: before and after.
        crops: addresses of pictures of some items that it rests on.
        fits: it may be accepted: its bundle and what it is derived from are in use.
    """

    number: int
    proposal: Proposal | None
    problem: str
    figures: list[Figure]
    crops: list[str]
    fits: bool


def add(
    app: Any,
    state_dir: Path,
    store_path: Path,
    opened: Callable[[], Bundle],
    bins: Callable[[], Mapping[str, str]],
) -> None:
    """Add the routes of the tab to the FastAPI `app`.

    Args:
        app: the FastAPI application.
        state_dir: the state folder of the line.
        store_path: its file of records.
        opened: loads the bundle in use.
        bins: gives class -> bin, as the line sorts with it.
    """
    from fastapi import Request
    from fastapi.responses import JSONResponse

    desk = LearningDesk(state_dir / LEARNED_NAME, store_path, opened, bins)
    # One at a time: each answer rests on what is in use.
    pool = ThreadPoolExecutor(1, thread_name_prefix="learning")

    @app.get("/learning.json")
    async def show(request: Request) -> JSONResponse:
        visitor = visitor_of(request)
        shown = await in_thread(pool, lambda: desk.parts(visitor))
        return JSONResponse(shown, headers={"Cache-Control": "no-store"})

    def route(
        address: str,
        schema: type[BaseModel],
        work: Callable[["LearningDesk", Any, str, float], str],
    ) -> None:
        @app.post(address)
        async def answer(request: Request) -> dict[str, str]:
            asked = await posted(request, schema, MOST_BYTES)
            visitor = visitor_of(request)

            def do() -> dict[str, str]:
                try:
                    done = work(desk, asked, visitor.name[:LONGEST_NAME], time.time())
                except (BadInput, Refused) as error:
                    raise not_done(error) from None
                log_action(visitor, done)
                return desk.parts(visitor)

            return await in_thread(pool, do)

    route(ACCEPT, AcceptAsked, LearningDesk.accept)
    route(REJECT, NumberAsked, LearningDesk.reject)
    route(UNLEARN, NothingMore, LearningDesk.go_back)


@dataclass(frozen=True)
class LearningDesk:
    """What the routes do.

    Attributes:
        learned: the store of generations and proposals.
        store_path: the file of records.
        opened: loads the bundle in use.
        bins: gives class -> bin, as the line sorts with it.
    """

    learned: Path
    store_path: Path
    opened: Callable[[], Bundle]
    bins: Callable[[], Mapping[str, str]]

    def accept(self, asked: AcceptAsked, user: str, now: float) -> str:
        """Put a proposal into use; returns what was done, for the log."""
        base, bin_name = self.opened().digest, asked.bin or None
        if bin_name is not None and bin_name not in self._bins():
            raise NotDone(400, _("There is no such bin; choose one of those on the page."))
        generation = accept(
            self.learned, asked.number, base=base, by=user, now=now, bin_name=bin_name
        )
        return f"accepted proposal {asked.number}, generation {generation.number} is in use"

    def _bins(self) -> list[str]:
        """The bins that the line sorts into, but for `manual`."""
        return sorted({*self.bins().values()} - {MANUAL})

    def reject(self, asked: NumberAsked, user: str, now: float) -> str:
        """Remove a proposal; returns what was done, for the log."""
        rejected = reject(self.learned, asked.number, by=user, now=now)
        return f"rejected proposal {asked.number}: {rejected.what}"

    def go_back(self, asked: NothingMore, user: str, now: float) -> str:
        """Go back to what was in use before; returns what was done, for the log."""
        before = roll_back(self.learned, by=user, now=now)
        use = "the bundle alone" if before is None else f"generation {before.number}"
        return f"rolled back what was learned, {use} is in use"

    def parts(self, visitor: Visitor) -> dict[str, str]:
        """Render the tab for a visitor: the name of each part and its HTML."""
        offered = may_operate(visitor)
        try:
            base = self.opened().digest
            current = current_generation(self.learned)
        except EwasteError as error:
            return {"proposals": problem(str(error)), "learned": self._learned(None, "", offered)}
        parent = "" if current is None else current.digest
        return {
            "proposals": self._proposals(base, parent, offered),
            "learned": self._learned(current, base, offered),
        }

    def _proposals(self, base: str, parent: str, offered: bool) -> str:
        try:
            kept = proposals(self.learned)
        except EwasteError as error:
            return problem(str(error))
        shown = []
        for each in kept:
            found = each.proposal
            shown.append(
                Shown(
                    each.number,
                    found,
                    each.problem,
                    figures(found.before, found.after) if found else [],
                    self._crops(found) if found else [],
                    bool(found and found.is_open and (found.base, found.parent) == (base, parent)),
                )
            )
        return render(
            "proposals.html",
            shown=shown,
            bins=self._bins() if any(_may_have_bin(each) for each in shown) else [],
            answers=answers(self.learned)[: -SHOWN_STEPS - 1 : -1],
            offered=offered,
            new_class=ProposalKind.NEW_CLASS,
            accepted=Decision.ACCEPTED,
        )

    def _crops(self, proposal: Proposal) -> list[str]:
        """Addresses of the pictures that are still there."""
        try:
            with Store(self.store_path, read_only=True) as store:
                there = [item for item in proposal.shown if store.crop(item) is not None]
        except EwasteError:
            return []
        return [crop_address(item) for item in there[:SHOWN_CROPS]]

    def _learned(self, current: Generation | None, base: str, offered: bool) -> str:
        entries = read_history(self.learned).entries
        numbers = {each.number: each for each in entries}
        return render(
            "learned.html",
            generation=current,
            entry=numbers.get(current.number) if current is not None else None,
            fits=current is not None and current.manifest.base == base,
            steps=entries[: -SHOWN_STEPS - 1 : -1],
            standing=standing_name,
            offered=offered,
        )


def _may_have_bin(shown: Shown) -> bool:
    """Whether it is a new class that may be accepted."""
    proposal = shown.proposal
    return shown.fits and proposal is not None and proposal.kind is ProposalKind.NEW_CLASS


def standing_name(standing: Standing) -> str:
    """Return what became of a generation, in words."""
    return _(STANDING_NAMES[standing])


def figures(before: Mapping[str, float], after: Mapping[str, float]) -> list[Figure]:
    """Put figures before and after side by side; one that is not known is a dash."""
    return [
        Figure(figure_name(name), _value(name, before.get(name)), _value(name, after.get(name)))
        for name in dict.fromkeys([*after, *before])
    ]


def figure_name(name: str) -> str:
    """Return what a figure of a proposal is called."""
    if name in FIGURE_NAMES:
        return _(FIGURE_NAMES[name])
    what, _space, label = name.partition(" ")
    return _(FIGURES_OF[what]).format(label=label_name(label)) if what in FIGURES_OF else name


def _value(name: str, value: float | None) -> str:
    if value is not None and name in COUNTED:
        return count(round(value))
    return percent(value, 1)
