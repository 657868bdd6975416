"""When a silent camera is a fault, when its process is replaced, and when the program gives up."""

from dataclasses import dataclass
from enum import Enum

FAILING_FACTOR = 4.0
"""A process that reports failures, and so does not hang, gets this many times as long."""
LONGEST_PAUSE_FACTOR = 8.0
"""A new process gets up to so many times as long as the first one before it is replaced too."""
LEAST_LIFE_S = 0.5
"""A process that ended by itself is replaced so long after its start, s; twice as long for the next
one, up to `restart_s`."""


@dataclass(frozen=True)
class Patience:
    """How long a live camera may give no good picture, s.

    Attributes:
        stall_s: then it is a fault, and the gates close.
        restart_s: then the process that reads it, if it does not answer, is replaced; twice as
            long for the next one.
        give_up_s: then the program ends, and systemd starts it again; 0: never.
    """

    stall_s: float = 1.0
    restart_s: float = 5.0
    give_up_s: float = 60.0


class RecoveryStep(Enum):
    """What is to be done about a camera."""

    WAIT = "wait"
    RESTART = "restart"
    GIVE_UP = "give up"


class Recovery:
    """Judges a camera by what is heard of it. Times are seconds of one monotonic clock."""

    def __init__(self, patience: Patience, now: float) -> None:
        """Begin with a camera whose process was just started."""
        self._patience = patience
        self._good_at = self._alive_at = self._heard_at = self._started_at = now
        self._pause_s, self._life_s = patience.restart_s, LEAST_LIFE_S

    def good(self, captured_at: float) -> None:
        """A good picture was taken."""
        self._good_at = max(self._good_at, captured_at)
        self.alive(captured_at)

    def alive(self, at: float) -> None:
        """The camera answers, though its picture may be of no use: restarting would not help."""
        self._alive_at = max(self._alive_at, at)
        self._pause_s, self._life_s = self._patience.restart_s, LEAST_LIFE_S
        self.heard(at)

    def heard(self, at: float) -> None:
        """The process answers: it opens the camera again by itself."""
        self._heard_at = max(self._heard_at, at)

    def silent_s(self, now: float) -> float:
        """Seconds since the last good picture."""
        return max(0.0, now - self._good_at)

    def is_fault(self, now: float) -> bool:
        """Whether the camera has been silent for too long."""
        return self.silent_s(now) >= self._patience.stall_s

    def due(self, now: float, ended: bool) -> RecoveryStep:
        """What to do; `ended`: the process that reads the camera is no more.

        After RESTART the caller starts a new process and goes on asking.
        """
        if self._patience.give_up_s and now - self._alive_at >= self._patience.give_up_s:
            return RecoveryStep.GIVE_UP
        hangs = now - max(self._started_at, self._heard_at) >= self._pause_s
        fails = now - max(self._started_at, self._alive_at) >= FAILING_FACTOR * self._pause_s
        if hangs or fails or (ended and now - self._started_at >= self._life_s):
            self._started_at = now
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_FACTOR * self._patience.restart_s)
            self._life_s = min(2 * self._life_s, self._patience.restart_s)
            return RecoveryStep.RESTART
        return RecoveryStep.WAIT
