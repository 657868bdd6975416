"""What the workstation's commands have in common: errors are one line and an exit code."""

import errno
import io
import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from edge.errors import EwasteError
from edge.process_setup import silence_tensorflow
from edge.quiet import import_quietly
from edge.terminal import ReaderGone, hold_streams, out, release_streams
from train.progress import install_handler

log = logging.getLogger(__name__)

WIDTH = 120
"""Columns of a table that is no terminal's."""
STDOUT = Path("stdout")
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def command(written: Path = STDOUT, once_there_is_room: str = "make room") -> Iterator[None]:
    """Print an error of the block in one line and exit with its code.

    Args:
        written: what the command writes, for errors that name no file.
        once_there_is_room: what to do when the disk is full.
    """
    hold_streams()
    install_handler()
    try:
        yield
    except ReaderGone:
        pass
    except EwasteError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(problem(error, written, once_there_is_room), 1)
    except MemoryError:
        _fail(f"{written}: the memory is not enough for so many or so large photos", 1)
    finally:
        release_streams()


def load_tensorflow() -> None:
    """Import TensorFlow and Keras without the lines that they print while they start.

    Nor does TensorFlow warn later that a function is traced for each of several models.
    """
    silence_tensorflow()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    import_quietly("tensorflow")
    import_quietly("keras")


def problem(error: OSError, written: Path, once_there_is_room: str = "make room") -> str:
    """A failure of the system in a line: which file, why, and what to do."""
    why = error.strerror or str(error) or type(error).__name__
    if error.errno in FULL:
        return f"{written}: cannot be written ({why}); {once_there_is_room}"
    return f"{error.filename or written}: cannot be used ({why})"


def print_json(figures: object) -> None:
    """The figures of a command as one line of JSON on stdout."""
    out.print(json.dumps(figures))


def print_lines(lines: Iterable[str]) -> None:
    """Lines of text on stdout."""
    for line in lines:
        out.print(line)


def print_table(table: object) -> None:
    """A table of figures on stdout."""
    drawn = io.StringIO()
    width = None if sys.stdout.isatty() else WIDTH
    Console(file=drawn, highlight=False, markup=False, width=width).print(table)
    for line in drawn.getvalue().splitlines():
        out.print(line.rstrip())


def _fail(message: str, code: int) -> None:
    log.error("error: %s", message)
    sys.exit(code)
