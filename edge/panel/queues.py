"""What the tab "Review" goes through: what waits for review, or what an audit has drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from edge.panel.fragments import crop_address
from edge.records.audits import Audit, to_judge
from edge.records.lookalikes import look_alikes
from edge.records.reviews import count_waiting, next_waiting, previous_waiting
from edge.records.search import Found, find_item
from edge.records.store import Store

AHEAD = 3
"""Number of pictures that the browser loads before their turn."""


class Queue(Protocol):
    """Items that a person answers on, one by one."""

    @property
    def store(self) -> Store:
        """The open file of records."""

    @property
    def only_sample(self) -> bool:
        """Whether only the random share is gone through."""

    @property
    def audit(self) -> Audit | None:
        """The audit that is judged; None: what waits for review."""

    def beside(self, found: Found | None, newer: bool = False) -> Found | None:
        """Return the open item next to one; past the end, that at the other end; or None."""

    def pictures_ahead(self, found: Found | None) -> list[str]:
        """Return the addresses of the next crops."""

    def look_alikes(self, found: Found | None) -> list[Found]:
        """Return the items that one answer may be given for together with one."""

    def count(self) -> int:
        """Count the open items."""


@dataclass(frozen=True)
class WaitingQueue:
    """What waits for review, the newest first.

    Attributes:
        store: the open file of records.
        only_sample: only the random share.
    """

    store: Store
    only_sample: bool
    audit: None = None

    def beside(self, found: Found | None, newer: bool = False) -> Found | None:
        """Return the waiting item next to one; past the end, that at the other end; or None."""
        first = next_waiting(self.store, only_sample=self.only_sample)
        if found is None or first is None:
            return first
        if newer:
            place, sample = found.sequence, self.only_sample
            newest = previous_waiting(self.store, after=place, only_sample=sample)
            return newest or previous_waiting(self.store, after=0, only_sample=sample)
        return self._older(found) or first

    def _older(self, found: Found) -> Found | None:
        return next_waiting(self.store, before=found.sequence, only_sample=self.only_sample)

    def pictures_ahead(self, found: Found | None) -> list[str]:
        """Return the addresses of the next crops."""
        addresses: list[str] = []
        while found is not None and len(addresses) < AHEAD:
            found = self._older(found)
            if found is not None:
                addresses.append(crop_address(found.record.item_id))
        return addresses

    def look_alikes(self, found: Found | None) -> list[Found]:
        """Return the waiting items that look like one; none for the random share."""
        return look_alikes(self.store, found) if found is not None else []

    def count(self) -> int:
        """Count what waits for review."""
        return count_waiting(self.store, self.only_sample)


@dataclass(frozen=True)
class AuditQueue:
    """What is to be judged of an audit, in the order of the draw.

    Attributes:
        store: the open file of records.
        audit: the audit.
    """

    store: Store
    audit: Audit
    only_sample: bool = False

    @cached_property
    def _open(self) -> Sequence[str]:
        return to_judge(self.store, self.audit)

    def _after(self, found: Found | None) -> list[str]:
        """The open items, those after `found` first."""
        place = {each.item_id: place for place, each in enumerate(self.audit.drawn)}
        at = place.get(found.record.item_id, -1) if found is not None else -1
        later = [each for each in self._open if place[each] > at]
        return [*later, *(each for each in self._open if place[each] < at)]

    def beside(self, found: Found | None, newer: bool = False) -> Found | None:
        """Return the open item after one, or before it; past the end, that at the other end."""
        others = self._after(found)
        return find_item(self.store, others[-1 if newer else 0]) if others else None

    def pictures_ahead(self, found: Found | None) -> list[str]:
        """Return the addresses of the next crops."""
        return [crop_address(each) for each in self._after(found)[:AHEAD]]

    def look_alikes(self, found: Found | None) -> list[Found]:
        """Return nothing: each item of an audit is judged alone."""
        return []

    def count(self) -> int:
        """Count what is to be judged."""
        return len(self._open)
