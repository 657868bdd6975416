"""When a running line may exchange its bundle: while the belt stands, in its window, or if asked.

A line that is at work writes what it knows of its belt, its window, and what waits into its status.
So it, the command line, and the page come to the same answer.
"""

import re
import time
from dataclasses import dataclass

from edge.standstill import BeltRest
from edge.status import Status

ALWAYS = "always"
DAY = 24 * 60
WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True)
class UpdateWindow:
    """A part of every day, in local time; it may cross midnight.

    Attributes:
        start: its first minute, from 0 to 1439.
        end: the first minute after it, from 0 to 1440, another than `start`.
    """

    start: int
    end: int

    def contains(self, minute: int) -> bool:
        """Whether a minute of the day, from 0 to 1439, lies in it."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def parse_window(text: str) -> UpdateWindow | None:
    """The window that a text such as `22:00-05:00` or `always` names; None for an empty one.

    Raises:
        ValueError: it names none.
    """
    if not text:
        return None
    if text == ALWAYS:
        return UpdateWindow(0, DAY)
    found = WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text[:40]!r} is no window; write it as 22:00-05:00 or {ALWAYS}, or leave it empty"
        )
    hour, minute, end_hour, end_minute = map(int, found.groups())
    window = UpdateWindow(60 * hour + minute, 60 * end_hour + end_minute)
    if window.start == window.end:
        raise ValueError(f"{text!r} ends when it starts; write {ALWAYS} for the whole day")
    return window


def check_window(text: str) -> str:
    """See that a text is empty or names a window.

    Raises:
        ValueError: it does not.
    """
    parse_window(text)
    return text


def minute_of_day(at: float) -> int:
    """The minute of the day in local time, from 0 to 1439; `at` is unix seconds."""
    local = time.localtime(at)
    return 60 * local.tm_hour + local.tm_min


def may_exchange(window: UpdateWindow | None, rest: BeltRest, now: float) -> bool:
    """Whether a running line may exchange its bundle, which nobody asked for at once.

    Args:
        window: the part of the day in which the belt may move meanwhile; None: it must stand.
        rest: whether it stands.
        now: unix seconds.
    """
    if rest is BeltRest.STANDS:
        return True
    return window is not None and window.contains(minute_of_day(now))


def opens_at(window: UpdateWindow | None) -> str:
    """The time of the day at which a window opens, such as `22:00`; empty without one."""
    return "" if window is None else f"{window.start // 60:02}:{window.start % 60:02}"


def waits_until(window: UpdateWindow | None, rest: BeltRest) -> str:
    """What a bundle waits for that a line may not take now, in words for a person."""
    until = {
        BeltRest.MOVES: "until the belt stands",
        BeltRest.NOT_MEASURED: "until the belt stands, which nothing measures now,",
        BeltRest.CARRIES: "until no item is under way on the belt, which stands,",
        BeltRest.STANDS: "until the line looks again",
    }[rest]
    opening = opens_at(window)
    return f"waits {until} or until {opening}" if opening else f"waits {until.rstrip(',')}"


@dataclass(frozen=True)
class Waiting:
    """Why a running line does not take a bundle yet.

    Attributes:
        rest: whether its belt stands.
        window: its update window; None: it has none.
    """

    rest: BeltRest
    window: UpdateWindow | None

    @property
    def in_words(self) -> str:
        """What the bundle waits for."""
        return waits_until(self.window, self.rest)


def waiting_by(status: Status | None, now: float) -> Waiting | None:
    """Why the line with this status would not exchange its bundle now; None: it would.

    None also where no line is at work: one that starts takes what is installed.

    Args:
        status: of the line with this state folder; None: there is none.
        now: unix seconds.
    """
    if status is None or not status.is_at_work(now):
        return None
    try:
        window = parse_window(status.update_window)
    except ValueError:
        window = None
    rest = status.belt
    return None if may_exchange(window, rest, now) else Waiting(rest, window)
