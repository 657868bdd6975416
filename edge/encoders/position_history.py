"""Where the belt was at the moments it was measured, for the last seconds."""

from bisect import bisect_right

REMEMBERED_S = 10.0
"""How far back positions are known: frames are asked for later than they were captured."""
TRIMMED_AT = 4096


class PositionHistory:
    """Measured positions in the order of their times; between two the belt moves evenly."""

    def __init__(self, at: float, position_mm: float = 0.0) -> None:
        """Begin with one position, which holds for all time before."""
        self._times = [at]
        self._positions = [position_mm]

    def __len__(self) -> int:
        return len(self._times)

    @property
    def at(self) -> float:
        """When the newest position was measured, s."""
        return self._times[-1]

    @property
    def position_mm(self) -> float:
        """The newest position."""
        return self._positions[-1]

    @property
    def last_step(self) -> tuple[float, float]:
        """Seconds and millimeters from the position before to the newest; (0, 0): there is one."""
        if len(self._times) < 2:
            return 0.0, 0.0
        return self._times[-1] - self._times[-2], self._positions[-1] - self._positions[-2]

    def append(self, at: float, position_mm: float) -> None:
        """Add a position, measured no earlier than the newest."""
        self._times.append(at)
        self._positions.append(position_mm)
        half = TRIMMED_AT // 2
        if len(self._times) > TRIMMED_AT and self._times[half] < at - REMEMBERED_S:
            del self._times[:half], self._positions[:half]

    def known(self, at: float) -> float:
        """The position at a time, mm; beyond the two ends of the history that of the end."""
        after = bisect_right(self._times, at)
        if after == 0:
            return self._positions[0]
        if after == len(self._times):
            return self._positions[-1]
        before = after - 1
        share = (at - self._times[before]) / (self._times[after] - self._times[before])
        step_mm = self._positions[after] - self._positions[before]
        return self._positions[before] + share * step_mm
