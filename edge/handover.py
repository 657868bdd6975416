"""The exchange of what decides on a running line, between the watch that offers and the loop."""

import logging
import threading
import time
from dataclasses import replace

from edge.bundle.window import UpdateWindow, may_exchange, waits_until
from edge.decision.decider import Decider
from edge.loading import Loaded
from edge.standstill import BeltRest

log = logging.getLogger(__name__)


class Handover:
    """What decides on a line, and what is ready to decide in its place.

    The watch offers, the loop takes: each does so in a thread of its own.

    Attributes:
        in_use: what decides.
        ready: what waits to be taken; None: nothing does.
        has_waited: whether the loop came for it before it might be taken.
    """

    def __init__(self, first: Loaded, window: UpdateWindow | None) -> None:
        """Begin with nothing to take.

        Args:
            first: what decides at the start.
            window: the part of the day in which another may be taken while the belt moves; None:
                there is none.
        """
        self.in_use = first
        self.ready: Loaded | None = None
        self.has_waited = False
        self._at_once = False
        self._window = window
        self._lock = threading.Lock()

    @property
    def waiting(self) -> str:
        """Digest of the bundle that is ready and waits to be taken; empty: none does."""
        ready = self.ready
        return "" if ready is None or ready.has_bundle_of(self.in_use) else ready.bundle.digest

    def offer(self, ready: Loaded, *, at_once: bool) -> None:
        """Have this ready in place of what waited; `at_once`: also while the belt moves."""
        self._replace(ready, at_once)

    def withdraw(self) -> None:
        """Have nothing ready: what waited is in use no more."""
        self._replace(None, False)

    def hasten(self) -> None:
        """Let what waits be taken also while the belt moves."""
        self._at_once = True

    def note_unused(self, unused: str) -> None:
        """Have what decides say why what was learned beside it is not used; empty: it is."""
        self.in_use = replace(self.in_use, unused=unused)

    def take(self, rest: BeltRest, now: float | None = None) -> Decider | None:
        """What is to decide from now on, once; None: nothing new. The loop asks; returns at once.

        The loop does not refuse it.

        Args:
            rest: whether the belt stands.
            now: unix seconds; None: by the clock of the system.
        """
        if self.ready is None:
            return None
        with self._lock:
            ready = self.ready
            now = time.time() if now is None else now
            if ready is None:
                return None
            if not (self._at_once or may_exchange(self._window, rest, now)):
                self._let_wait(ready, rest)
                return None
            self.ready = None
            self.in_use = ready
        log.info("the line takes %s", ready.in_words)
        return ready.decider

    def _replace(self, ready: Loaded | None, at_once: bool) -> None:
        with self._lock:
            self.ready, self._at_once, self.has_waited = ready, at_once, False

    def _let_wait(self, ready: Loaded, rest: BeltRest) -> None:
        """Log once what it waits for."""
        if not self.has_waited:
            waits = waits_until(self._window, rest)
            how = "" if ready.generation else "; ewaste-edge install --now takes it at once"
            log.info("%s %s%s", ready.in_words, waits, how)
        self.has_waited = True
