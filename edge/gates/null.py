"""Gates that no wire leads to: for a line that only watches, or before it is wired up."""

from collections.abc import Iterable

from edge.errors import EwasteError


class NullGates:
    """Keeps the state of each gate and moves nothing."""

    def __init__(self, bins: Iterable[str]) -> None:
        """Start with all gates closed."""
        self.is_open = dict.fromkeys(bins, False)

    def open(self, bin_name: str) -> None:
        """Note that the gate of `bin_name` is open.

        Raises:
            EwasteError: there is no such gate.
        """
        self._set(bin_name, True)

    def close(self, bin_name: str) -> None:
        """Note that the gate of `bin_name` is closed.

        Raises:
            EwasteError: there is no such gate.
        """
        self._set(bin_name, False)

    def close_all(self) -> None:
        """Note that all gates are closed."""
        self.is_open = dict.fromkeys(self.is_open, False)

    def alive(self) -> None:
        """Nothing moves, so nothing has to be closed."""

    def fault(self) -> str | None:
        """There is nothing that could fail."""
        return None

    def _set(self, bin_name: str, state: bool) -> None:
        if bin_name not in self.is_open:
            raise EwasteError(f"there is no gate for the bin {bin_name!r}; see [[gates]]")
        self.is_open[bin_name] = state
