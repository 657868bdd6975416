"""The simulated sorting line after the camera: gates that divert the items in front of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.errors import EwasteError
from edge.gates.schedule import GateSpec
from edge.labels import MANUAL
from edge.simulator.layout import PlacedItem

RUN_OUT_MM = 300.0
HALF_OPEN = 0.5


@dataclass(frozen=True)
class Swing:
    """The start of a gate's motion.

    Attributes:
        at: seconds of the clock.
        from_share: how far open the gate is then, 0 to 1.
        open: whether it opens.
    """

    at: float
    from_share: float
    open: bool

    def share(self, at: float, travel_s: float) -> float:
        """Return how far open the gate is at a later time, 0 to 1."""
        moved = (at - self.at) / travel_s if travel_s else 1.0
        return min(1.0, self.from_share + moved) if self.open else max(0.0, self.from_share - moved)


class SimulatedPlant:
    """Belt, items and gates; also a gate output (`edge.gates.output`).

    A gate takes time to swing, and diverts items that pass it while it is at least half open. The
    belt ends `RUN_OUT_MM` after the last gate: until there an item may come back when the belt
    jogs back; there it falls into `manual`.
    """

    def __init__(
        self,
        items: Sequence[PlacedItem],
        gates: Sequence[GateSpec],
        on_removed: Callable[[int], None] = lambda index: None,
        travel_s: float = 0.0,
        now: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Start with all gates closed.

        Args:
            items: the items on the belt.
            gates: one per bin.
            on_removed: called with the index of each item that leaves the belt (`Scene.remove`).
            travel_s: the time that a gate takes from closed to open, s.
            now: the clock, s.
        """
        self._positions = np.array([item.position_mm for item in items], np.float64)
        self._gates = sorted(gates, key=lambda gate: gate.distance_mm)
        self._end_mm = max((gate.distance_mm for gate in gates), default=0.0) + RUN_OUT_MM
        self._on_removed = on_removed
        self._encoder_mm: float | None = None
        self._travel_s, self._now, self._moved_at = travel_s, now, now()
        closed = Swing(-np.inf, 0.0, open=False)
        self._swings = {gate.bin: [closed] for gate in self._gates}
        self.routed: list[str | None] = [None] * len(items)
        """The bin each item ended in, in the order of `items`; None: it is still on the belt."""

    @property
    def open_gates(self) -> frozenset[str]:
        """The bins whose gates are open, or opening."""
        return frozenset(bin_name for bin_name, swings in self._swings.items() if swings[-1].open)

    def open(self, bin_name: str) -> None:
        """Open the gate of `bin_name`.

        Raises:
            EwasteError: there is no such gate.
        """
        self._swing(bin_name, is_open=True)

    def close(self, bin_name: str) -> None:
        """Close the gate of `bin_name`.

        Raises:
            EwasteError: there is no such gate.
        """
        self._swing(bin_name, is_open=False)

    def close_all(self) -> None:
        """Close every gate."""
        for gate in self._gates:
            self._swing(gate.bin, is_open=False)

    def alive(self) -> None:
        """Do nothing: simulated gates have no dead-man timer."""

    def fault(self) -> str | None:
        """Return None: simulated gates always move."""
        return None

    def advance(self, belt_mm: float) -> None:
        """Move the belt to its present position.

        An item whose center passes an open gate, either way, falls into that bin.
        """
        before = belt_mm if self._encoder_mm is None else self._encoder_mm
        self._encoder_mm = belt_mm
        began_at, self._moved_at = self._moved_at, self._now()
        gates = self._gates if belt_mm >= before else self._gates[::-1]
        for gate in gates:
            self._pass(gate, before, belt_mm, began_at)
            last = self._swings[gate.bin][-1]
            self._swings[gate.bin] = [
                Swing(self._moved_at, last.share(self._moved_at, self._travel_s), last.open)
            ]
        self._drop(MANUAL, self._among(-np.inf, belt_mm - self._end_mm))

    def _pass(self, gate: GateSpec, from_mm: float, to_mm: float, began_at: float) -> None:
        """Drop the items that pass a gate on this way if it is open at that moment."""
        low, high = sorted((from_mm, to_mm))
        among = self._among(low - gate.distance_mm, high - gate.distance_mm)
        if not len(among):
            return
        share_of_way = (self._positions[among] + gate.distance_mm - from_mm) / (to_mm - from_mm)
        passed_at = began_at + share_of_way * (self._moved_at - began_at)
        fallen = [
            index
            for index, at in zip(among.tolist(), passed_at.tolist(), strict=True)
            if self._open_share(gate.bin, at) >= HALF_OPEN
        ]
        self._drop(gate.bin, fallen)

    def _open_share(self, bin_name: str, at: float) -> float:
        latest = [swing for swing in self._swings[bin_name] if swing.at <= at][-1]
        return latest.share(at, self._travel_s)

    def _swing(self, bin_name: str, is_open: bool) -> None:
        if bin_name not in self._swings:
            raise EwasteError(f"the simulated line has no gate for the bin {bin_name!r}")
        last, now = self._swings[bin_name][-1], self._now()
        if last.open != is_open:
            self._swings[bin_name].append(Swing(now, last.share(now, self._travel_s), is_open))

    def _among(self, after_mm: float, up_to_mm: float) -> np.ndarray:
        """Find the items on the belt between two belt coordinates, by index."""
        return np.flatnonzero((self._positions > after_mm) & (self._positions <= up_to_mm))

    def _drop(self, bin_name: str, indices: Iterable[int]) -> None:
        """Drop items into a bin."""
        for index in indices:
            self.routed[index] = bin_name
            self._positions[index] = np.nan
            self._on_removed(int(index))
