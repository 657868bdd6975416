"""Keeping the chatter of native libraries off the terminal."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Throw away what this process prints to stdout and stderr, Python and native code alike.

    TensorFlow's converter and the TFLite runtime print from C++, past Python's `sys.stderr`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, handle in enumerate(saved, start=1):
                os.dup2(handle, number)
                os.close(handle)
