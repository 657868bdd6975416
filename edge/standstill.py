"""Whether a belt stands: measured, for some seconds, and with no item under way."""

from enum import Enum

STILL_MM = 5.0
"""A belt that has moved less than this for `STILL_SECONDS` stands; noise moves it less."""
STILL_SECONDS = 3.0


class BeltRest(str, Enum):
    """Whether the belt stands. The value is what the status of a line holds."""

    NOT_MEASURED = "not_measured"
    MOVES = "moves"
    CARRIES = "carries"
    """It stands, and an item that lies on it has no verdict yet, or is not at its gate yet."""
    STANDS = "stands"


class Standstill:
    """Follows the position of one belt."""

    def __init__(self) -> None:
        """Begin without a position: nothing is measured yet."""
        self._stood_from: float | None = None
        self._stood_mm, self._seen_at = 0.0, 0.0

    def see(self, at: float, position_mm: float | None) -> None:
        """Take in where the belt is.

        Args:
            at: seconds of any clock that does not go back.
            position_mm: where it is, mm; None: nobody measures it now.
        """
        if position_mm is None:
            self._stood_from = None
            return
        # Asked this way round, what is no number is a motion.
        stood = self._stood_from is not None and abs(position_mm - self._stood_mm) < STILL_MM
        if not stood:
            self._stood_from, self._stood_mm = at, position_mm
        self._seen_at = at

    def rest(self, is_carrying: bool) -> BeltRest:
        """Whether the belt stands by now.

        Args:
            is_carrying: whether an item on it is under way.
        """
        if self._stood_from is None:
            return BeltRest.NOT_MEASURED
        if self._seen_at - self._stood_from < STILL_SECONDS:
            return BeltRest.MOVES
        return BeltRest.CARRIES if is_carrying else BeltRest.STANDS
