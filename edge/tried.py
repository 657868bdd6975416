"""What a line can do without: it is tried, and what fails is counted and reported once."""

import logging
from collections.abc import Callable
from contextlib import suppress

log = logging.getLogger(__name__)


class Tried:
    """Does what the line can do without; what fails is counted, and reported once of each kind.

    Attributes:
        failures: how many times something failed.
        error: the last failure, one line; None: there was none.
    """

    def __init__(self) -> None:
        """Begin without failures."""
        self._known = set[str]()
        self.failures = 0
        self.error: str | None = None

    def __call__(self, what: str, action: Callable[..., object], *given: object) -> None:
        """Do it; `what` says for people that it failed."""
        try:
            action(*given)
        except Exception as error:
            self.failures += 1
            self.error = f"{what} ({' '.join(str(error).split()) or type(error).__name__})"
            if what not in self._known:
                self._known.add(what)
                with suppress(Exception):
                    log.warning("%s; it is done without", self.error)
