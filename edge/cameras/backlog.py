"""Which frames of a live stream are new, and which were kept back somewhere on the way.

After a pause, a stream delivers what had gathered in its buffers in a burst. Those pictures are
older than they seem, and an item in them would be taken to be where it was long ago. A decoder
does so too: when its stream ends or hangs, the last frame comes out of it seconds late.
"""

from collections import deque
from statistics import median

GAPS_KEPT = 15
PAUSE = 3.0  # times the usual gap between two frames
BURST = 0.5  # of the usual gap: a frame that follows its predecessor faster was waiting
LONGEST_S = 1.0  # a stream that always comes in bursts has to be lived with


class Backlog:
    """Recognizes by the arrival times the burst that follows a pause, and the one at the start."""

    def __init__(self, fps: float, now: float) -> None:
        """Begin with a stream that was opened at `now` (seconds) and should give `fps` frames/s."""
        self._gaps: deque[float] = deque(maxlen=GAPS_KEPT)
        self._usual = 1 / fps
        self._pause = max(LONGEST_S, PAUSE / fps)
        self._arrived_at = self._paused_until = now
        self._in_burst = True

    def is_old(self, now: float) -> bool:
        """Whether the frame that arrives at `now` belongs to a burst."""
        gap, self._arrived_at = now - self._arrived_at, now
        if self._in_burst:
            waited_s = now - self._paused_until
            self._in_burst = gap < BURST * self._usual and waited_s < LONGEST_S
        elif gap > self._pause:
            self._in_burst, self._paused_until = True, now
        if not self._in_burst:
            self._gaps.append(gap)
        if len(self._gaps) == GAPS_KEPT:
            self._usual = median(self._gaps)
            self._pause = PAUSE * self._usual
        return self._in_burst
