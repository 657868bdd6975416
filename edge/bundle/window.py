"""The update window: the time of the day in which a running line may get another bundle."""

import re
import time
from dataclasses import dataclass

from edge.errors import Refused
from edge.status import Status

WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True)
class UpdateWindow:
    """A part of every day, in local time; it may cross midnight.

    Attributes:
        start: its first minute, from 0 to 1439.
        end: the first minute after it, from 0 to 1439, another than `start`.
    """

    start: int
    end: int

    def contains(self, minute: int) -> bool:
        """Whether a minute of the day, from 0 to 1439, lies in it."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def parse_window(text: str) -> UpdateWindow | None:
    """The window that a text such as `22:00-05:00` names; None for an empty text: any time.

    Raises:
        ValueError: it names none.
    """
    if not text:
        return None
    found = WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no window; write it as 22:00-05:00, or leave it empty")
    hour, minute, end_hour, end_minute = map(int, found.groups())
    window = UpdateWindow(60 * hour + minute, 60 * end_hour + end_minute)
    if window.start == window.end:
        raise ValueError(f"{text!r} ends when it starts; leave it empty for any time")
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


def require_window(status: Status | None, now: float) -> None:
    """See that a bundle may come into use now.

    A line that is at work on a moving belt names its window in its status; without one, or where
    the belt stands still, any time is good.

    Args:
        status: of the line with this state folder; None: there is none.
        now: unix seconds.

    Raises:
        Refused: it may not.
    """
    if status is None or not status.update_window or not status.is_moving(now):
        return
    try:
        window = parse_window(status.update_window)
    except ValueError:
        window = None
    if window is None or not window.contains(minute_of_day(now)):
        raise Refused(
            "a line is at work on a moving belt, and may be updated only at "
            f"{status.update_window} ([update] window); wait, stop the belt, or install with --now"
        )
