"""Keeping the chatter of native libraries off the terminal."""

import fcntl
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType


@contextmanager
def quiet() -> Iterator[None]:
    """Throw away what this process prints to stdout and stderr, Python and native code alike.

    TensorFlow's converter and the TFLite runtime print from C++, past Python's `sys.stderr`. It
    needs no room on a disk, and works as well where stdout is full, closed or nobody's any more.
    """
    _flush()
    saved = {number: _duplicate(number) for number in (1, 2)}
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in saved:
            os.dup2(sink, number)
        yield
    finally:
        _flush()
        if sink not in saved:  # where one was closed, it may have got that number
            os.close(sink)
        for number, handle in saved.items():
            if handle is None:
                os.close(number)
            else:
                os.dup2(handle, number)
                os.close(handle)


def import_quietly(name: str) -> ModuleType:
    """Import a module whose native code prints while it is loaded, as TensorFlow's does.

    Args:
        name: dotted name of the module.

    Raises:
        ImportError: it cannot be imported.
    """
    with quiet():
        return importlib.import_module(name)


def _duplicate(number: int) -> int | None:
    """Another handle of an open file, above those of the standard streams; None: it is closed."""
    with suppress(OSError):
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
    return None


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # full, closed, or none at all
            stream.flush()
