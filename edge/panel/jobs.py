"""What takes too long for a request: one job at a time, in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from edge.bundle.verify import Check
from edge.errors import EwasteError, one_line
from edge.panel.languages import N_, _
from edge.panel.posted import NotDone
from edge.panel.visitor import Visitor, log_action

log = logging.getLogger(__name__)
LONGEST_REASON = 500


class JobKind(str, Enum):
    """What is done; the value is what the log calls it."""

    CHECK = "the golden check"
    INSTALL = "the install of a bundle"
    ROLL_BACK = "the roll back"


AT_WORK = {
    JobKind.CHECK: N_("The golden check is still at work; try again after it."),
    JobKind.INSTALL: N_("The install of a bundle is still at work; try again after it."),
    JobKind.ROLL_BACK: N_("The roll back is still at work; try again after it."),
}
"""What is answered to who asks for another job meanwhile."""


@dataclass(frozen=True)
class Finding:
    """What a job came to.

    Attributes:
        name: of the bundle; empty if it is not known.
        checks: that were made of it.
        reason: why it failed, one line; empty: it did not.
    """

    name: str = ""
    checks: tuple[Check, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Job:
    """A job, at work or done.

    Attributes:
        kind: what is done.
        by: who asked for it.
        began_at: Unix seconds.
        seconds: how long it took, s.
        found: what it came to; None: it is at work.
    """

    kind: JobKind
    by: str
    began_at: float
    seconds: float = 0.0
    found: Finding | None = None


class Jobs:
    """Does one job at a time and keeps the last of each kind; safe to use from several threads.

    The thread is a daemon: the page may end at any moment, and what a job does must bear that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[JobKind, Job] = {}
        self._running: JobKind | None = None

    @property
    def running(self) -> JobKind | None:
        """What is at work."""
        return self._running

    def last(self, *kinds: JobKind) -> Job | None:
        """The job of these kinds that began last."""
        with self._lock:
            jobs = [self._last[kind] for kind in kinds if kind in self._last]
        return max(jobs, key=lambda job: job.began_at, default=None)

    def require_idle(self) -> None:
        """Check that nothing is at work.

        Raises:
            NotDone: something is.
        """
        if self._running is not None:
            raise NotDone(409, _(AT_WORK[self._running]))

    def start(self, kind: JobKind, visitor: Visitor, work: Callable[[], Finding]) -> None:
        """Begin a job; both its begin and its end are logged.

        Raises:
            NotDone: another one is at work.
        """
        with self._lock:
            self.require_idle()
            self._running = kind
            self._last[kind] = Job(kind, visitor.name, time.time())
        log_action(visitor, f"began {kind.value}")
        name = kind.name.lower().replace("_", " ")
        threading.Thread(
            target=self._do, args=(kind, visitor, work), name=name, daemon=True
        ).start()

    def _do(self, kind: JobKind, visitor: Visitor, work: Callable[[], Finding]) -> None:
        began = time.monotonic()
        try:
            found = work()
        except EwasteError as error:
            found = Finding(reason=one_line(error, LONGEST_REASON))
        except Exception as error:  # whatever a bundle or a disk does: the page goes on
            log.exception("%s failed", kind.value)
            found = Finding(reason=one_line(f"{type(error).__name__}: {error}", LONGEST_REASON))
        with self._lock:
            seconds = time.monotonic() - began
            self._last[kind] = replace(self._last[kind], seconds=seconds, found=found)
            self._running = None
        outcome = f"failed: {found.reason}" if found.reason else f"passed: {found.name}"
        log_action(visitor, f"{kind.value} {outcome}")
