"""Time several ways of doing a thing in turns, so that load on the machine affects all of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

BURST = 3
"""Calls of one turn. The first is not timed: it loads the data into the cache."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval, by the bootstrap over the rounds."""

    value: float
    low: float
    high: float


def order_of_turn(number: int, ways: int) -> range:
    """The places of the ways in round `number`: every second one goes the other way round.

    So none is always the first.
    """
    return range(ways) if number % 2 == 0 else range(ways - 1, -1, -1)


def take_turns(ways: Sequence[Callable[[], object]], rounds: int) -> np.ndarray:
    """The median time of each way in each round, ms, [rounds, ways]."""
    times_ms = np.zeros((rounds, len(ways)))
    for number in range(rounds):
        for place in order_of_turn(number, len(ways)):
            ways[place]()
            measured = []
            for _ in range(BURST - 1):
                started = time.perf_counter()
                ways[place]()
                measured.append((time.perf_counter() - started) * 1000)
            times_ms[number, place] = np.median(measured)
    return times_ms


def median_interval(values: np.ndarray) -> Interval:
    """The median of one value per round, [rounds], with its percentile interval.

    Source: Efron, Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.
    """
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(np.median(values[drawn], axis=1), [2.5, 97.5])
    return Interval(value=float(np.median(values)), low=float(low), high=float(high))
