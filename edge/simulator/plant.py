"""The simulated sorting line behind the camera: gates that divert what lies in front of them."""

from collections.abc import Callable, Sequence

import numpy as np

from edge.belt.gates import GateSpec
from edge.decision import MANUAL
from edge.errors import EwasteError
from edge.simulator.scene import PlacedItem

RUN_OUT_MM = 300.0


class SimulatedPlant:
    """Belt, items and gates; also a gate output (`edge.outputs.gate_output`).

    Gates act at once. What lies before the belt's end, `RUN_OUT_MM` behind the last gate, may still
    come back when the belt jogs back; what falls off there is in `manual`.
    """

    def __init__(
        self,
        items: Sequence[PlacedItem],
        gates: Sequence[GateSpec],
        removed: Callable[[int], None] = lambda index: None,
    ) -> None:
        """Start with all gates closed.

        Args:
            items: what lies on the belt.
            gates: one per bin.
            removed: told the index of each item that is no longer on the belt (`Scene.remove`).
        """
        self._positions = np.array([item.position_mm for item in items], np.float64)
        self._gates = sorted(gates, key=lambda gate: gate.distance_mm)
        self._end_mm = max((gate.distance_mm for gate in gates), default=0.0) + RUN_OUT_MM
        self._removed = removed
        self._encoder_mm: float | None = None
        self._open: set[str] = set()
        self.routed: list[str | None] = [None] * len(items)
        """The bin each item ended in, in the order of `items`; None: it is still on the belt."""

    @property
    def open_gates(self) -> frozenset[str]:
        """The bins whose gates are open."""
        return frozenset(self._open)

    def open(self, bin: str) -> None:
        """Open the gate of `bin`.

        Raises:
            EwasteError: there is no such gate.
        """
        self._check(bin)
        self._open.add(bin)

    def close(self, bin: str) -> None:
        """Close the gate of `bin`.

        Raises:
            EwasteError: there is no such gate.
        """
        self._check(bin)
        self._open.discard(bin)

    def close_all(self) -> None:
        """Close every gate."""
        self._open.clear()

    def alive(self) -> None:
        """Simulated gates know no dead-man timer."""

    def fault(self) -> str | None:
        """Simulated gates always move."""
        return None

    def advance(self, encoder_mm: float) -> None:
        """Move the belt to a reading, with the gates as they are now.

        An item whose centre passes an open gate, either way, falls into that bin.
        """
        before = encoder_mm if self._encoder_mm is None else self._encoder_mm
        self._encoder_mm = encoder_mm
        low, high = sorted((before, encoder_mm))
        gates = self._gates if encoder_mm >= before else self._gates[::-1]
        for gate in gates:
            if gate.bin in self._open:
                self._drop(gate.bin, low - gate.distance_mm, high - gate.distance_mm)
        self._drop(MANUAL, -np.inf, encoder_mm - self._end_mm)

    def _drop(self, bin: str, after_mm: float, up_to_mm: float) -> None:
        """Let the items on the belt between two belt coordinates fall into a bin."""
        among = (self._positions > after_mm) & (self._positions <= up_to_mm)
        for index in np.flatnonzero(among):
            if self.routed[index] is None:
                self.routed[index] = bin
                self._positions[index] = np.nan
                self._removed(int(index))

    def _check(self, bin: str) -> None:
        if all(gate.bin != bin for gate in self._gates):
            raise EwasteError(f"the simulated line has no gate for the bin {bin!r}")
