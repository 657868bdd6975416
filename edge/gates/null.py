"""Gates that no wire leads to: for a line that only watches, or before it is wired up."""

from collections.abc import Iterable

from edge.errors import EwasteError


class NullGates:
    """Keeps the state of each gate and moves nothing."""

    def __init__(self, bins: Iterable[str]) -> None:
        """Start with all gates closed."""
        self.is_open = dict.fromkeys(bins, False)

    def open(self, bin: str) -> None:
        """Note that the gate of `bin` is open.

        Raises:
            EwasteError: there is no such gate.
        """
        self._set(bin, True)

    def close(self, bin: str) -> None:
        """Note that the gate of `bin` is closed.

        Raises:
            EwasteError: there is no such gate.
        """
        self._set(bin, False)

    def close_all(self) -> None:
        """Note that all gates are closed."""
        self.is_open = dict.fromkeys(self.is_open, False)

    def alive(self) -> None:
        """Nothing moves, so nothing has to be closed."""

    def fault(self) -> str | None:
        """There is nothing that could fail."""
        return None

    def _set(self, bin: str, state: bool) -> None:
        if bin not in self.is_open:
            raise EwasteError(f"there is no gate for the bin {bin!r}; see [[gates]]")
        self.is_open[bin] = state
