"""What a user sees of a long training: log lines and bars on stderr."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edge.terminal import safe_line


class _Stderr:
    """stderr as far as it takes anything: a training outlives its terminal."""

    @property
    def encoding(self) -> str:
        """As `sys.stderr` has it."""
        return getattr(sys.stderr, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return sys.stderr.write(text)
        except UnicodeEncodeError:
            known = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
            return self.write(known)
        except (OSError, ValueError, AttributeError):
            return len(text)

    def flush(self) -> None:
        """Give up what cannot be written."""
        try:
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            return

    def isatty(self) -> bool:
        """Whether bars are of any use."""
        try:
            return sys.stderr.isatty()
        except (ValueError, AttributeError):
            return False

    def fileno(self) -> int:
        """As `sys.stderr` has it."""
        return sys.stderr.fileno()


console = Console(file=_Stderr(), highlight=False)  # type: ignore[arg-type]


class ConsoleHandler(logging.Handler):
    """Writes each record as one safe line to stderr, above a bar; errors are red."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        style = "red" if record.levelno >= logging.ERROR else None
        console.print(safe_line(record.getMessage()), style=style, markup=False, soft_wrap=True)


HANDLER = ConsoleHandler()


def install_handler() -> None:
    """Show the log lines of training, conversion and benchmarks, and the device's warnings.

    They go no further: TensorFlow's converter gives the root logger a handler of its own, which
    would show each line again.
    """
    for name in ("train", "convert", "benchmarks", "edge"):
        logger = logging.getLogger(name)
        logger.addHandler(HANDLER)
        logger.propagate = False
        if name != "edge":
            logger.setLevel(logging.INFO)


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Bars with the time left; the function gets (what, done, total)."""
    tasks: dict[str, TaskID] = {}
    columns = TextColumn("{task.description:32}", markup=False), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:

        def on_step(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for task in tasks.values():
                    progress.update(task, visible=False)
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        yield on_step


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; the function gets how many more are done."""
    columns = TextColumn("{task.description:24}", markup=False), BarColumn(), MofNCompleteColumn()
    times = TimeElapsedColumn(), TimeRemainingColumn()
    hidden = not console.is_terminal
    with Progress(*columns, *times, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)
