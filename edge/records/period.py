"""A period of time, as a person gives it: two dates, or two dates with times."""

import time
from dataclasses import dataclass
from datetime import datetime

from edge.errors import BadInput, one_line

FIRST_YEAR, LAST_YEAR = 2000, 2099
LONGEST_DAYS = 366
LONGEST_TEXT = 40
DAY_S = 86400.0
EXAMPLE = "2026-11-29T06:00"


@dataclass(frozen=True)
class Period:
    """A period of time.

    Attributes:
        start: Unix seconds, within it.
        end: Unix seconds, the first moment after it.
    """

    start: float
    end: float

    @property
    def hours(self) -> float:
        """How long it is, above 0."""
        return (self.end - self.start) / 3600


def parse_time(text: str, what: str) -> float:
    """Parse a date, or a date and a time, to Unix seconds; without an offset it is local time.

    Args:
        text: such as 2026-11-29, 2026-11-29T06:00, or 2026-11-29T06:00+01:00.
        what: what it is called in an error.

    Raises:
        BadInput: it is none, or its year is not from 2000 to 2099.
    """
    wrong = BadInput(f"{what} {one_line(text, LONGEST_TEXT)}: no date; write it as {EXAMPLE}")
    if len(text) > LONGEST_TEXT or not text.isascii():
        raise wrong
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise wrong from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise BadInput(
            f"{what}: the year {moment.year}; choose one from {FIRST_YEAR} to {LAST_YEAR}"
        )
    return moment.timestamp()


def parse_period(start: str, end: str, now: float) -> Period:
    """Parse a period; without an end it ends `now`, Unix seconds.

    Raises:
        BadInput: a date is none, the end does not follow the start, or they are too far apart.
    """
    period = Period(parse_time(start, "from"), parse_time(end, "to") if end else now)
    if not period.start < period.end:
        raise BadInput(
            f"from {show_time(period.start)} to {show_time(period.end)}: ends before it starts"
        )
    if period.end - period.start > LONGEST_DAYS * DAY_S:
        raise BadInput(f"a period of {period.hours / 24:.0f} days; the longest is {LONGEST_DAYS}")
    return period


def show_time(unix_s: float) -> str:
    """Return a moment as local date and time to the second; `-` if it is none."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))
    except (ValueError, OverflowError, OSError):  # a corrupted record
        return "-"
