"""Time several ways in turns, and mark what was disturbed by other programs.

The kernel tells how long each thread was ready to run and had to wait for a processor
(`Documentation/scheduler/sched-stats.rst`). A sample in which that was more than `DISTURBED_SHARE`
of the time says more about the machine than about the way, and is left out.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.rounds import RESAMPLES, Interval, median_interval, order_of_turn

DISTURBED_SHARE = 0.05
"""Of a sample's time: what waited for longer is left out."""
LEAST_KEPT = 0.25
"""Where nearly all is disturbed, this share of the samples, the least disturbed, stays in."""
BURST = 4
"""Timed calls of one turn, after one that only loads the data into the cache."""
TASKS = Path("/proc/self/task")
SHARES = (50, 95, 99)

Timed = tuple[float, float, float]
"""What a call took by the clock, for how long its threads waited for a processor meanwhile, and
what it took of the processors, all in ms."""
Way = Callable[[int], Sequence[Timed]]
"""Does a thing so many times, and says what each took; the first is not timed."""


def run_delay_ns(tasks: Path = TASKS) -> int:
    """For how long the threads of a process have waited for a processor; 0: nobody tells.

    `tasks` is where the kernel tells of them: of this process, or `/proc/ID/task`.
    """
    waited = 0
    for status in tasks.glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # it has ended
            waited += int(status.read_bytes().split()[1])
    return waited


def way_of(action: Callable[[], object]) -> Way:
    """The way that calls `action` in this process."""

    def run(count: int) -> list[Timed]:
        action()
        times = []
        for _ in range(count):
            waited, worked, started = run_delay_ns(), time.process_time(), time.perf_counter()
            action()
            took, worked = time.perf_counter() - started, time.process_time() - worked
            times.append((took * 1e3, (run_delay_ns() - waited) / 1e6, worked * 1e3))
        return times

    return run


@dataclass(frozen=True)
class Samples:
    """What one way took, in turns with the others.

    Attributes:
        times_ms: float [rounds, burst].
        delays_ms: of which its threads waited for a processor, float [rounds, burst].
        cpu_ms: what it took of the processors, float [rounds, burst]. Other programs disturb it
            less than the time by the clock.
    """

    times_ms: np.ndarray
    delays_ms: np.ndarray
    cpu_ms: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Which samples count, bool [rounds, burst]."""
        share = self.delays_ms / np.maximum(self.times_ms, 1e-9)
        return share <= max(DISTURBED_SHARE, float(np.quantile(share, LEAST_KEPT)))

    @property
    def disturbed(self) -> int:
        """How many samples were disturbed, left out or not."""
        return int((self.delays_ms > DISTURBED_SHARE * self.times_ms).sum())

    def shares(self) -> list[Interval]:
        """The percentiles `SHARES` of what counts, ms, with their intervals by the bootstrap."""
        values = self.times_ms[self.kept]
        drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
        found = np.percentile(values, SHARES)
        bounds = np.percentile(np.percentile(values[drawn], SHARES, axis=1), [2.5, 97.5], axis=1)
        return [
            Interval(float(value), float(low), float(high))
            for value, low, high in zip(found, *bounds, strict=True)
        ]

    def of_rounds(self) -> np.ndarray:
        """The median of each round of what counts, ms, [rounds]; NaN where nothing does."""
        rounds = [row[kept] for row, kept in zip(self.times_ms, self.kept, strict=True)]
        return np.array([np.median(row) if row.size else np.nan for row in rounds])

    def ratio_to(self, other: "Samples") -> Interval:
        """How many times as long as another way, by the rounds in which both count."""
        ratios = self.of_rounds() / other.of_rounds()
        found = ratios[np.isfinite(ratios)]
        if not found.size:  # they never counted in the same round
            values, of = self.times_ms[self.kept], other.times_ms[other.kept]
            return Interval(float(np.median(values) / np.median(of)), 0.0, float("inf"))
        return median_interval(found)

    def cpu_ratio_to(self, other: "Samples") -> Interval:
        """How many times as much processor time as another way, by all rounds."""
        ratios = np.median(self.cpu_ms, axis=1) / np.maximum(np.median(other.cpu_ms, axis=1), 1e-9)
        return median_interval(ratios)


def take_marked_turns(ways: Mapping[str, Way], rounds: int, warm_up: int = 2) -> dict[str, Samples]:
    """Let each way work `BURST` times in each round, the order changing from round to round.

    Args:
        ways: by name.
        rounds: that are timed.
        warm_up: rounds before them.
    """
    names = list(ways)
    found: dict[str, list[Sequence[Timed]]] = {name: [] for name in names}
    for number in range(-warm_up, rounds):
        for place in order_of_turn(number, len(names)):
            timed = ways[names[place]](BURST)
            if number >= 0:
                found[names[place]].append(timed)
    return {name: _samples(turns) for name, turns in found.items()}


def _samples(turns: Sequence[Sequence[Timed]]) -> Samples:
    every = np.array(turns, float)
    return Samples(every[..., 0], every[..., 1], every[..., 2])
