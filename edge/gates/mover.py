"""Move the gates by the schedule, and report which items have come to their gate."""

from dataclasses import dataclass

from edge.belt.tracker import TrackedItem
from edge.gates.output import GateOutput
from edge.gates.schedule import GateSchedule, Opening


@dataclass(frozen=True)
class Passed:
    """An item that came to its gate: its name, and whether the gate was open."""

    name: str
    was_open: bool


class GateMover:
    """The schedule and the actuators of one line.

    Attributes:
        is_open: bin -> whether its gate was last commanded to open.
    """

    def __init__(self, schedule: GateSchedule, gates: GateOutput) -> None:
        """Join them; no gate moves yet."""
        self._schedule, self._gates = schedule, gates
        self.is_open: dict[str, bool] = {}

    def alive(self) -> None:
        """Tell the actuators that the line is at work."""
        self._gates.alive()

    def fault(self) -> str | None:
        """Why no gate can be opened at the moment, in a few words; None: they can."""
        return self._gates.fault()

    def move(self, encoder_mm: float, now: float) -> None:
        """Open and close what is due.

        Args:
            encoder_mm: where the belt is now.
            now: seconds of the line's clock.

        Raises:
            EwasteError: a gate cannot be reached.
        """
        self._gates.alive()
        for command in self._schedule.due(encoder_mm, now):
            (self._gates.open if command.open else self._gates.close)(command.bin)
            self.is_open[command.bin] = command.open

    def close_all(self) -> None:
        """Close every gate and give up every opening.

        Raises:
            EwasteError: a gate cannot be reached; every opening is given up all the same.
        """
        try:
            self._gates.close_all()
        finally:
            for command in self._schedule.close_all():
                self.is_open[command.bin] = False

    def plan(self, item: TrackedItem, bin_name: str, encoder_mm: float, name: str = "") -> Opening:
        """Plan the opening for an item, as `GateSchedule.schedule`."""
        return self._schedule.schedule(item.position_mm, item.length_mm, bin_name, encoder_mm, name)

    def deadline_mm(self, item: TrackedItem) -> float:
        """The reading by which the item's verdict must have fallen."""
        return self._schedule.deadline_mm(item.position_mm, item.length_mm)

    def unseen_before(self, position_mm: float) -> None:
        """Open no gate on the belt downstream of a coordinate: nobody saw what lies there."""
        self._schedule.unseen_before(position_mm)

    @property
    def awaits_items(self) -> bool:
        """Whether an item is on its way to a gate that is to open for it."""
        return self._schedule.awaits_items

    def passed(self) -> list[Passed]:
        """The items that have come to their gate since the last call."""
        return [Passed(name, was_open) for name, was_open in self._schedule.passed()]
