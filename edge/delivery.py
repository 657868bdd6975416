"""The way of a record out of the loop: counted, and handed over at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge.records.record import ItemRecord
from edge.tally import Tally


@dataclass(frozen=True)
class Delivery:
    """Where records go.

    Attributes:
        on_record: takes each item's record; must return at once.
        on_rerouted: takes, likewise, the record of an item that went to manual after all.
        tally: counts both.
    """

    on_record: Callable[[ItemRecord], object]
    on_rerouted: Callable[[ItemRecord], object]
    tally: Tally

    def new(self, records: Iterable[ItemRecord]) -> tuple[ItemRecord, ...]:
        """Count each record and hand it over as soon as it is made; returns all of them."""
        made = []
        for record in records:
            self.tally.count(record)
            self.on_record(record)
            made.append(record)
        return tuple(made)

    def rerouted(self, changes: Iterable[tuple[str, ItemRecord]]) -> None:
        """Report items that found their gate closed: the bin they were meant for, their record."""
        for from_bin, record in changes:
            self.tally.reroute(from_bin, record.bin)
            self.on_rerouted(record)
