"""Which gate is open when: an item's way from the camera line to its bin.

All windows are readings of the encoder, so a belt that stops or creeps changes nothing; only how
long a gate may stay open is counted in seconds.
"""

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

REMEMBERED_MM = 2000.0  # an item's way is kept this far beyond the last gate, for jogs back
LEAST_SHARE = 0.25
"""Two items share the belt between their centers; each has at least so much of it."""


class Opening(Enum):
    """Whether a gate opens for an item, or why not."""

    PLANNED = "planned"
    LATE = "too late"
    BESIDE = "too near an item for another bin"
    UNSEEN = "not seen from its beginning"
    NO_GATE = "without a gate"


@dataclass(frozen=True)
class GateSpec:
    """The gate of a bin, `distance_mm` down the belt from the camera line."""

    bin: str
    distance_mm: float


@dataclass(frozen=True)
class GateCommand:
    """Open or close the gate of `bin`."""

    bin: str
    open: bool


@dataclass(frozen=True)
class Passage:
    """An item on its way past the gates; `bin` is None when no gate is to open for it."""

    position_mm: float
    length_mm: float
    bin: str | None


class GateSchedule:
    """Opens a gate while an item of its bin passes, and never for an item of another bin."""

    def __init__(self, gates: Sequence[GateSpec], lead_mm: float, max_open_s: float) -> None:
        """Start with all gates closed and no item known.

        Args:
            gates: one per bin.
            lead_mm: how far before the item arrives the gate opens, and after it closes; at least
                what the belt moves while the gate does.
            max_open_s: a gate that has been open for so long is closed, even on an item that
                stands in front of it, and stays closed until that item is past.
        """
        self._distances = {gate.bin: gate.distance_mm for gate in gates}
        self._lead_mm = lead_mm
        self._max_open_s = max_open_s
        self._beyond_mm = max(self._distances.values(), default=0.0) + REMEMBERED_MM
        self._passages: list[Passage] = []  # by position
        self._windows: dict[str, list[tuple[float, float]]] = {
            bin_name: [] for bin_name in self._distances
        }
        self._opened_at: dict[str, float] = {}
        self._spent: set[str] = set()
        self._pending: dict[str, tuple[str, float]] = {}  # item -> bin, reading at its gate
        self._passed: list[tuple[str, bool]] = []
        self._unseen_mm = -math.inf

    def unseen_before(self, position_mm: float) -> None:
        """Open no gate on the belt downstream of a coordinate: nobody saw what lies there.

        Call it when a camera begins to see, with its view's downstream border.
        """
        self._unseen_mm = position_mm
        self._plan()

    def schedule(
        self, position_mm: float, length_mm: float, bin_name: str, encoder_mm: float, item: str = ""
    ) -> Opening:
        """Take in an item: its belt coordinate, its length along the belt, and its bin.

        Call it for every item, also for those that go to `manual`: no gate opens on their centers.
        `passed` reports it by the name `item`, if it has one and a gate is planned for it.
        """
        passage = Passage(position_mm, length_mm, bin_name)
        opening = self._opening(passage, encoder_mm)
        planned = opening is Opening.PLANNED
        insort(self._passages, passage if planned else replace(passage, bin=None), key=_position)
        self._plan()
        if planned and item:
            self._pending[item] = bin_name, position_mm + self._distances[bin_name]
        return opening

    @property
    def awaits_items(self) -> bool:
        """Whether an item is on its way to a gate that is to open for it."""
        return bool(self._pending)

    def passed(self) -> list[tuple[str, bool]]:
        """The items that have come to their gate since the last call, and whether it was open.

        Those too whose opening was given up. Each is reported once.
        """
        passed, self._passed = self._passed, []
        return passed

    def _opening(self, passage: Passage, encoder_mm: float) -> Opening:
        distance = self._distances.get(passage.bin or "")
        if distance is None:
            return Opening.NO_GATE
        begins_mm = passage.position_mm + distance - passage.length_mm / 2 - self._lead_mm
        if encoder_mm > begins_mm:
            return Opening.LATE
        if passage.position_mm <= self._unseen_mm:
            return Opening.UNSEEN
        return Opening.PLANNED if self._window(passage) is not None else Opening.BESIDE

    def deadline_mm(self, position_mm: float, length_mm: float) -> float:
        """The reading by which an item must be scheduled to reach the first gate, if it needs it.

        Infinite when there is no gate.
        """
        nearest = min(self._distances.values(), default=math.inf)
        return position_mm + nearest - length_mm / 2 - self._lead_mm

    def due(self, encoder_mm: float, now: float) -> list[GateCommand]:
        """The commands that are due at this reading and time (monotonic seconds)."""
        self._forget(encoder_mm)
        commands, were_open = [], set(self._opened_at)
        for bin_name, windows in self._windows.items():
            desired = any(start <= encoder_mm < end for start, end in windows)
            is_open = bin_name in self._opened_at
            if not desired:
                self._spent.discard(bin_name)
            elif is_open and now - self._opened_at[bin_name] >= self._max_open_s:
                self._spent.add(bin_name)
            if desired and not is_open and bin_name not in self._spent:
                self._opened_at[bin_name] = now
                commands.append(GateCommand(bin_name, open=True))
            elif is_open and (not desired or bin_name in self._spent):
                del self._opened_at[bin_name]
                commands.append(GateCommand(bin_name, open=False))
        for item, (bin_name, at_mm) in list(self._pending.items()):
            if at_mm <= encoder_mm:
                del self._pending[item]
                # It passed before this call, so what the gate does now came too late for it.
                self._passed.append((item, bin_name in were_open))
        return commands

    def close_all(self) -> list[GateCommand]:
        """Close every gate and give up every opening: what is on its way goes to `manual`."""
        self._passages = [replace(passage, bin=None) for passage in self._passages]
        self._opened_at.clear()
        self._plan()
        self._passed += [(item, False) for item in self._pending]
        self._pending.clear()
        return [GateCommand(bin_name, open=False) for bin_name in self._distances]

    def _plan(self) -> None:
        """Compute all windows again after the items on the way have changed."""
        self._windows = {bin_name: [] for bin_name in self._distances}
        for passage in self._passages:
            window = self._window(passage) if passage.bin is not None else None
            if passage.bin is not None and window is not None:
                distance = self._distances[passage.bin]
                self._windows[passage.bin].append((window[0] + distance, window[1] + distance))

    def _window(self, passage: Passage) -> tuple[float, float] | None:
        """From where to where, in belt coordinates, a gate may be open for this item.

        Items of other bins clip it, midway between the two items but always between their
        centers. None: their centers are so near that the gate cannot separate them.
        """
        reach = passage.length_mm / 2 + self._lead_mm
        start, end = passage.position_mm - reach, passage.position_mm + reach
        if passage.position_mm <= self._unseen_mm:
            return None
        start = max(start, self._unseen_mm)
        inseparable_mm = max(self._lead_mm, 1.0)
        # What is further away clips nothing.
        for other in self._around(passage.position_mm, max(reach / LEAST_SHARE, inseparable_mm)):
            if other is passage or other.bin == passage.bin:
                continue
            apart = other.position_mm - passage.position_mm
            if abs(apart) <= inseparable_mm:
                return None
            share = 0.5 + (passage.length_mm - other.length_mm) / (4 * abs(apart))
            border = passage.position_mm + apart * min(1 - LEAST_SHARE, max(LEAST_SHARE, share))
            if apart > 0:
                end = min(end, border)
            else:
                start = max(start, border)
        return start, end

    def _around(self, position_mm: float, within_mm: float) -> list[Passage]:
        """The items at most `within_mm` away from a position."""
        first = bisect_left(self._passages, position_mm - within_mm, key=_position)
        last = bisect_right(self._passages, position_mm + within_mm, key=_position)
        return self._passages[first:last]

    def _forget(self, encoder_mm: float) -> None:
        """Drop the items that are far beyond the last gate, and their windows."""
        far_mm = encoder_mm - self._beyond_mm
        gone = bisect_right(self._passages, far_mm, key=_position)
        if not gone:
            return
        del self._passages[:gone]
        for bin_name, windows in self._windows.items():
            end_mm = far_mm + self._distances[bin_name]
            self._windows[bin_name] = [window for window in windows if window[1] > end_mm]


def _position(passage: Passage) -> float:
    return passage.position_mm
