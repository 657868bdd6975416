"""Score what the line and its peers made of a film whose truth is known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.peer_film import PlantFilm
from benchmarks.rounds import RESAMPLES, Interval
from edge.simulator.layout import PlacedItem
from edge.simulator.score import ItemFinder, is_right


@dataclass(frozen=True)
class Place:
    """Where something was counted or recorded.

    Attributes:
        position_mm: belt coordinate of its center, mm.
        offset_mm: across the belt, mm.
    """

    position_mm: float
    offset_mm: float


@dataclass(frozen=True)
class Miscounts:
    """The errors of a count.

    Attributes:
        missed: items that were not counted.
        twice: counts beyond the first of an item.
        nothing: counts where no item was.
    """

    missed: int
    twice: int
    nothing: int

    @property
    def total(self) -> int:
        """All errors."""
        return self.missed + self.twice + self.nothing


def line_right(placed: Sequence[PlacedItem], records: Sequence[dict[str, Any]]) -> np.ndarray:
    """Which items have a first record with the right label, bool [items]."""
    right, find, seen = np.zeros(len(placed), bool), ItemFinder(placed), set[int]()
    for record in records:
        index = find.item_of(Place(record["position_mm"], record["offset_mm"]))
        if index is not None and index not in seen:
            seen.add(index)
            right[index] = is_right(placed[index].label, record["label"])
    return right


def peer_right(film: PlantFilm, classes: Sequence[int], labels: Sequence[str]) -> np.ndarray:
    """Which items have the right label in the frame in which they are in the middle, bool [items].

    Args:
        film: the film.
        classes: the peer's class for each frame.
        labels: of the classes.
    """
    frames = film.middle_frames
    given = [labels[classes[frame]] for frame in frames]
    truths = [item.label for item in film.placed]
    return np.array([truth == label for truth, label in zip(truths, given, strict=True)], bool)


def line_places(records: Sequence[dict[str, Any]]) -> list[Place]:
    """Where the line recorded items."""
    return [Place(each["position_mm"], each["offset_mm"]) for each in records]


def miscounts(placed: Sequence[PlacedItem], places: Sequence[Place]) -> Miscounts:
    """Compare what was counted with what lay there, as `edge.simulator.score` does."""
    find = ItemFinder(placed)
    found = Counter(find.item_of(place) for place in places)
    nothing = found.pop(None, 0)
    return Miscounts(
        missed=len(placed) - len(found),
        twice=sum(found.values()) - len(found),
        nothing=nothing,
    )


def ratio(
    ours: np.ndarray, ours_s: np.ndarray, peer: np.ndarray, peer_s: np.ndarray
) -> Interval | None:
    """How many times as many items the line has right per processor second as a peer.

    The interval is by the bootstrap over the items and over the rounds, 95 %
    (`benchmarks.rounds.median_interval`); both have the same items and the same rounds.

    Args:
        ours: which items the line has right, bool [items].
        ours_s: its processor time of each round, s, [rounds].
        peer: which items the peer has right, bool [items].
        peer_s: its processor time of each round, s, [rounds].

    Returns:
        The ratio; None: the peer has none right. Draws of items without any of these are left out.
    """
    if not peer.any():
        return None
    generator = np.random.default_rng(0)
    items = generator.integers(0, len(ours), (RESAMPLES, len(ours)))
    rounds = generator.integers(0, len(ours_s), (RESAMPLES, len(ours_s)))
    times = np.median(peer_s[rounds] / ours_s[rounds], axis=1)
    rights, of_peer = ours[items].sum(axis=1), peer[items].sum(axis=1)
    some = of_peer > 0
    low, high = np.percentile(times[some] * rights[some] / of_peer[some], [2.5, 97.5])
    value = np.median(peer_s / ours_s) * ours.sum() / peer.sum()
    return Interval(value=float(value), low=float(low), high=float(high))
