"""Log lines for the person at the terminal, or for the journal of systemd.

Every module logs to its own logger. A program installs the one handler with `install_handler`.
"""

import logging
import os

from edge.terminal import err

PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.NOTSET, 7),
)
"""Level -> priority of syslog (RFC 5424, section 6.2.1), as sd-daemon(3) reads it."""


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
        try:
            text = record.getMessage()
        except Exception:  # arguments that do not fit the text
            text = str(record.msg)
        err.tell(f"<{priority(record.levelno)}>{text}" if self._with_priority else text)


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
