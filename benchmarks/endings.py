"""How every benchmark ends when it fails: one line, and the documented exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from edge.errors import EwasteError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Within: an error of the project ends the program with its line and its exit code."""
    try:
        yield
    except EwasteError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
