"""Log lines for the person at the terminal, or for the journal of systemd.

Every module logs to its own logger. A program installs the one handler with `install_handler`.
"""

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable

from edge.terminal import err

PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.NOTSET, 7),
)
"""Level -> priority of syslog (RFC 5424, section 6.2.1), as sd-daemon(3) reads it."""
LINES_A_MINUTE = 300
"""Lines a minute for a program whose clients can cause any number: room for some tracebacks."""


class LineHandler(logging.Handler):
    """Writes each record as one safe line to standard error; it never raises.

    While `edge.terminal.err.beside` is open it never waits either.
    """

    def __init__(self, *, with_priority: bool) -> None:
        """Choose the form.

        Args:
            with_priority: put `<N>`, the priority of syslog, before each line.
        """
        super().__init__()
        self._with_priority = with_priority

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        text = text_of(record)
        err.tell(f"<{priority(record.levelno)}>{text}" if self._with_priority else text)


class RateLimit(logging.Filter):
    """Lets through a bounded number of lines in each period, tracebacks included.

    The first record of a later period says how many were dropped. A traceback that is longer than
    a whole period may take is left out, not its record.
    """

    def __init__(
        self,
        lines: int = LINES_A_MINUTE,
        *,
        period_s: float = 60.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with a whole period.

        Args:
            lines: the most lines in a period.
            period_s: length of a period, s.
            now: the clock, s.
        """
        super().__init__()
        self._lines, self._period_s, self._now = lines, period_s, now
        self._lock = threading.RLock()
        self._began_at, self._left, self._dropped = now(), lines, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be written."""
        with self._lock:
            if self._now() - self._began_at >= self._period_s:
                self._began_at, self._left = self._now(), self._lines
            if lines_of(record) > self._lines:
                record.exc_info = record.exc_text = record.stack_info = None
            needed = lines_of(record)
            if needed > self._left:
                self._dropped += 1
                return False
            self._left -= needed
            dropped, self._dropped = self._dropped, 0
        if dropped:
            record.msg = f"{text_of(record)} ({dropped} earlier messages dropped)"
            record.args = None
        return True


def text_of(record: logging.LogRecord) -> str:
    """The message of a record, also when its arguments do not fit it."""
    try:
        return record.getMessage()
    except Exception:
        return str(record.msg)


def lines_of(record: logging.LogRecord) -> int:
    """How many lines a record takes, with its traceback."""
    lines = text_of(record).count("\n") + 1
    if record.exc_info:
        lines += sum(part.count("\n") for part in traceback.format_exception(*record.exc_info))
    return lines + (record.stack_info.count("\n") + 1 if record.stack_info else 0)


def limit_lines(*loggers: str) -> None:
    """Bound what these loggers, and libraries without a handler of their own, write in a minute."""
    limit = RateLimit()
    for name in loggers:
        logging.getLogger(name).addFilter(limit)
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.addFilter(limit)
    logging.getLogger().addHandler(handler)


def priority(level: int) -> int:
    """The priority of syslog for a level of `logging`."""
    return next(number for lowest, number in PRIORITIES if level >= lowest)


def in_journal() -> bool:
    """Whether standard error is systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def install_handler() -> None:
    """Show what all loggers say, our own from INFO on, other libraries' from WARNING on.

    Call it again to follow a change of standard error; there is never more than one handler.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, LineHandler):
            root.removeHandler(handler)
    root.addHandler(LineHandler(with_priority=in_journal()))
    logging.getLogger("edge").setLevel(logging.INFO)
