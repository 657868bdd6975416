"""A thread between the line, which never waits, and an output, which may be slow or unreachable.

Only the thread uses the output. It reports a failure once and tries again, with growing pauses,
until the output works; no failure reaches the line.
"""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from edge.worker import Worker

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1


class Link(Protocol):
    """One output as its thread uses it; any exception of a method counts as a failure."""

    @property
    def sent(self) -> int:
        """Return how many commands or messages the output has acknowledged since the start."""

    @property
    def dropped(self) -> int:
        """Return how many were given up since the start."""

    def connect(self) -> None:
        """Connect to the output, within seconds."""

    def work(self) -> float:
        """Deliver what is new; returns the seconds until the next call at the latest."""

    def disconnect(self) -> None:
        """Disconnect from the output; also called after a failure."""


@dataclass(frozen=True)
class OutputStatus:
    """How an output is doing.

    Attributes:
        name: what it is and where.
        connected: it was reached, and nothing has failed since.
        sent: commands or messages that it acknowledged.
        dropped: commands or messages that were given up because they were too old or too many.
        outages: how many times it was lost, or not reachable at the start.
        last_outage_s: duration of the last outage that ended, s; 0: none has ended.
        error: why it is not connected, one line; None while it is, or before the first try.
    """

    name: str
    connected: bool
    sent: int
    dropped: int
    outages: int
    last_outage_s: float
    error: str | None


class OutputThread(Worker):
    """Keeps one link at work, and brings it back after a failure."""

    def __init__(self, name: str, link: Link, longest_pause_s: float) -> None:
        """Start the thread.

        Args:
            name: what the output is and where, for the person at the line.
            link: the output; from now on only the thread uses it.
            longest_pause_s: longest pause between two tries; the first pauses are shorter.
        """
        super().__init__(name)
        self._name, self._link = name, link
        self._longest_pause_s = longest_pause_s
        self._connected = False
        self._lost_at: float | None = None
        self._outages, self._last_outage_s = 0, 0.0
        self._error: str | None = None
        self._start()

    @property
    def status(self) -> OutputStatus:
        """Return a snapshot; an output whose thread has ended is not connected."""
        alive = self.alive or self._closing.is_set()
        return OutputStatus(
            self._name,
            self._connected and alive,
            self._link.sent,
            self._link.dropped,
            self._outages,
            self._last_outage_s,
            self._error if alive else f"{self._name}: its thread has ended; start the line anew",
        )

    def close(self, timeout: float = 3.0) -> bool:
        """Deliver what is left, for at most `timeout` seconds; False when not all was delivered.

        May be called twice.
        """
        finished = self._finish(timeout)
        return self._connected and finished

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._given_up.is_set():
            last = self._closing.is_set()
            try:
                if not self._connected:
                    self._link.connect()
                    self._connected_again()
                wait = self._link.work()
            except BaseException as error:  # whatever a driver or a library raises, SystemExit too
                self._failed(error)
                self._closing.wait(pause) if not last else self._given_up.wait(FIRST_PAUSE_S)
                pause = min(2 * pause, self._longest_pause_s)
                continue
            pause = FIRST_PAUSE_S
            if last:
                break
            self._awake.wait(wait)
            self._awake.clear()
        with suppress(Exception):
            self._link.disconnect()

    def _connected_again(self) -> None:
        if self._lost_at is not None:
            self._last_outage_s = time.monotonic() - self._lost_at
            log.info("%s: back after %.1f s", self._name, self._last_outage_s)
        self._connected, self._lost_at, self._error = True, None, None

    def _failed(self, error: BaseException) -> None:
        self._connected = False
        with suppress(Exception):
            self._link.disconnect()
        reason = " ".join(str(error).split()) or type(error).__name__
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            self._outages += 1
            log.warning("%s: %s; trying again, the line goes on", self._name, reason)
        self._error = f"{self._name}: {reason}"
