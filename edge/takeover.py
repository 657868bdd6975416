"""Another model for a running line: it decides from one item on to the next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.belt.observer import Observer
from edge.decision.concluder import Concluder
from edge.decision.decider import Decider
from edge.decision.item_recorder import ItemRecorder
from edge.inference.dispatcher import Dispatcher
from edge.records.record import ItemRecord
from edge.standstill import BeltRest


@dataclass
class Takeover:
    """Exchanges the model and its rules in the parts of a line.

    Attributes:
        offered: what is to decide from now on, asked with whether the belt stands; None: what
            decides already. Returns at once.
        now_mm: where the belt is now.
        observer, dispatcher, concluder, recorder: the parts that know the model.
    """

    offered: Callable[[BeltRest], Decider | None]
    now_mm: Callable[[], float]
    observer: Observer
    dispatcher: Dispatcher
    concluder: Concluder
    recorder: ItemRecorder
    _next: Decider | None = None

    def advance(self, rest: BeltRest) -> Iterator[ItemRecord]:
        """Let another model decide from now on, if one is offered.

        The model before it first answers for the view that it is at, and the items that it has
        answered for are decided on by its rules: their records are what this gives. All others are
        the next one's, and the record of each item names the bundle that decided. Nothing is waited
        for.

        Args:
            rest: whether the belt stands.
        """
        if self._next is None:
            self._next = self.offered(rest)
            if self._next is None:
                return
            self.dispatcher.hold()
        if not self.dispatcher.is_idle:
            return
        yield from self.recorder.answered(self.now_mm())
        self.dispatcher.exchange(self._next.classifier)
        self.concluder.exchange(self._next.rules, self._next.bundle)
        self.observer.expect(self._next.longest_item_mm, self._next.rules.certainly_several)
        self._next = None
