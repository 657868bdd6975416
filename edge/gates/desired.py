"""How the gates should stand by the last command of the line, and how they stand as far as known.

Shared by the line, which commands, and the thread of an output, which carries it out. Only the
newest command counts: one that could not be carried out in time is not made up for later, when
another item lies in front of the gate.
"""

import threading
from collections.abc import Iterable

from edge.errors import EwasteError
from edge.gates.schedule import GateCommand

LATEST_OPENING_S = 0.1
"""An opening that waited longer is given up: at 250 mm/s it comes 25 mm late, and by default the
gates open 43 mm ahead of an item (`edge.config.Config.gate_lead_mm`)."""
DEAD_MAN_S = 1.0
"""All gates close when the line has been silent for this long."""


class DesiredGates:
    """The commands of the line and what became of them; safe to use from several threads.

    Times are monotonic seconds.

    Attributes:
        opened: openings that were carried out.
        dropped: openings that were given up, because the output could not be reached in time.
    """

    def __init__(
        self,
        bins: Iterable[str],
        latest_opening_s: float = LATEST_OPENING_S,
        dead_man_s: float = DEAD_MAN_S,
    ) -> None:
        """Start with all gates desired closed and nothing known about them."""
        self._latest_opening_s, self._dead_man_s = latest_opening_s, dead_man_s
        self._desired = dict.fromkeys(bins, False)
        self._known: dict[str, bool | None] = dict.fromkeys(self._desired)
        self._asked_at: dict[str, float] = {}
        self._heard_at: float | None = None
        self._lock = threading.Lock()
        self.opened = self.dropped = 0

    def want(self, bin_name: str, is_open: bool, now: float) -> None:
        """Take in a command of the line.

        Raises:
            EwasteError: there is no such gate.
        """
        if bin_name not in self._desired:
            raise EwasteError(f"there is no gate for the bin {bin_name!r}; see [[gates]]")
        with self._lock:
            self._heard_at = now
            if is_open and not self._desired[bin_name]:
                self._asked_at[bin_name] = now
                if self._known[bin_name]:
                    # Its closing is due or under way: the opening must be commanded again.
                    self._known[bin_name] = None
            elif not is_open and self._asked_at.pop(bin_name, None) is not None:
                self.dropped += 1
            self._desired[bin_name] = is_open

    def want_all_closed(self) -> None:
        """Take back every opening."""
        with self._lock:
            self._close_all()

    def heard(self, now: float) -> None:
        """Note that the line is at work."""
        self._heard_at = now

    def silent(self, now: float) -> bool:
        """Whether the line has not been heard for longer than the dead-man time, or never was."""
        return self._heard_at is None or now - self._heard_at > self._dead_man_s

    def due(self, now: float) -> list[GateCommand]:
        """What has to be carried out now; closings come first."""
        with self._lock:
            if any(self._desired.values()) and self.silent(now):
                self._close_all()
            for bin_name, asked_at in list(self._asked_at.items()):
                if now - asked_at > self._latest_opening_s:
                    self._give_up(bin_name)
            return sorted(
                (
                    GateCommand(bin_name, desired)
                    for bin_name, desired in self._desired.items()
                    if self._known[bin_name] is not desired
                ),
                key=lambda command: command.open,
            )

    def done(self, command: GateCommand) -> None:
        """Note that a command was carried out."""
        with self._lock:
            self._known[command.bin] = command.open
            if command.open:
                self.opened += 1
                self._asked_at.pop(command.bin, None)

    def forget(self) -> None:
        """Forget the state of all gates, so that each is commanded again, and closed.

        An opening that was under way when the output was lost is given up with its item.
        """
        with self._lock:
            self._known = dict.fromkeys(self._known)
            for bin_name, desired in self._desired.items():
                if desired and bin_name not in self._asked_at:
                    self._desired[bin_name] = False
                    self.dropped += 1

    def doubt_closed(self) -> None:
        """Have gates that should be closed commanded again: something else may have opened them."""
        with self._lock:
            for bin_name, desired in self._desired.items():
                if not desired:
                    self._known[bin_name] = None

    def _close_all(self) -> None:
        for bin_name in list(self._asked_at):
            self._give_up(bin_name)
        self._desired = dict.fromkeys(self._desired, False)

    def _give_up(self, bin_name: str) -> None:
        del self._asked_at[bin_name]
        self._desired[bin_name] = False
        self.dropped += 1
