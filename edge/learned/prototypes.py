"""Prototypes: how a class that was taught from a few crops is recognized.

An item's similarity to a class is the mean cosine similarity to its nearest prototypes. Two things
must hold for an item to be of the class: it is similar enough, and it is more similar than it is
familiar to the bundle. Each has a logarithm of odds that is linear; the lesser of the two counts.
How strict both are, and the number of prototypes, comes from leave-one-out: each crop is judged by
what the others teach.

Sources: Snell, Swersky, Zemel, "Prototypical networks for few-shot learning", NeurIPS 2017; odds
as in Platt, "Probabilistic outputs for support vector machines", 1999.
"""

import math
from dataclasses import dataclass

import numpy as np

from edge.inference.ood import unit
from edge.learned.known import KnownSpace, nearest

NEAREST = 2
"""So many of the most similar prototypes count."""
COUNTS = (4, 8)
"""Numbers of prototypes that are tried."""
ROUNDS = 12
"""Of k-means."""
FAMILIAR = 0.2
"""How much similarity a standard deviation of familiarity is worth."""
LOST_BY_MARGIN, LOST_BY_SIMILARITY = 0.08, 0.06
"""Shares of the crops that are lost to the known classes, and to what is like nothing known."""
MEDIAN_PROBABILITY = 0.98
"""Of the class, for the crop in the middle of those that were left out."""
MOST_SLOPE, LEAST_SLOPE = 200.0, 2.0


@dataclass(frozen=True)
class Recognition:
    """How one taught class is recognized.

    Attributes:
        prototypes: float32 [prototypes, features], unit vectors.
        familiar: how much similarity a standard deviation of familiarity is worth.
        slope, offset: log odds of the class against the known ones are `slope * margin + offset`,
            where the margin is the similarity less `familiar` times the familiarity.
        steepness, least: log odds against what is like nothing known are `steepness * (similarity -
            least)`.
    """

    prototypes: np.ndarray
    familiar: float
    slope: float
    offset: float
    steepness: float
    least: float

    def similarity(self, placed: np.ndarray) -> np.ndarray:
        """Similarity of placed items [n, features] to the class, float [n], -1 to 1."""
        return nearest(placed @ self.prototypes.T, NEAREST)

    def log_odds(self, similarity: np.ndarray, familiarity: np.ndarray) -> np.ndarray:
        """Log odds of the class, float [n], from similarity to it and familiarity to the bundle."""
        margin = similarity - self.familiar * familiarity
        return np.minimum(self.slope * margin + self.offset, self.by_similarity(similarity))

    def by_similarity(self, similarity: np.ndarray) -> np.ndarray:
        """Log odds of the class against what is like nothing known, float [n]."""
        return self.steepness * (similarity - self.least)


@dataclass(frozen=True)
class Lesson:
    """Crops of one class, and what they must be set apart from.

    Attributes:
        placed: float32 [crops, features], where they lie, unit vectors.
        familiarity: float [crops], of each to the bundle.
        space: what is known.
    """

    placed: np.ndarray
    familiarity: np.ndarray
    space: KnownSpace


@dataclass(frozen=True)
class Learned:
    """A class as it was learned.

    Attributes:
        recognition: how it is recognized.
        recalled: bool [crops], whether a crop is recognized by what the others teach.
    """

    recognition: Recognition
    recalled: np.ndarray


def learn_class(lesson: Lesson) -> Learned:
    """Learn a class: its prototypes, and how strict to be."""
    most = max(1, len(lesson.placed) - 1)
    fits = [_fitted(lesson, min(count, most)) for count in COUNTS]
    # The fewest prototypes among those that tell most crops from the known items.
    best = max(range(len(fits)), key=lambda index: (round(fits[index][0], 2), -index))
    return fits[best][1]


def _fitted(lesson: Lesson, count: int) -> tuple[float, Learned]:
    """How well so many prototypes tell the class from what is known, and the class with them."""
    prototypes = cluster(lesson.placed, count)
    similarity = _left_out(lesson.placed, count)
    slope, crossing = _calibrated(similarity - FAMILIAR * lesson.familiarity, LOST_BY_MARGIN)
    steepness, least = _calibrated(similarity, LOST_BY_SIMILARITY)
    least = min(1.0, max(-1.0, least))
    made = Recognition(prototypes, FAMILIAR, slope, -slope * crossing, steepness, least)
    recalled = made.log_odds(similarity, lesson.familiarity) >= 0
    others = nearest(lesson.space.references @ prototypes.T, NEAREST)
    return _separation(similarity, others), Learned(made, recalled)


def _left_out(placed: np.ndarray, count: int) -> np.ndarray:
    """Similarity of each crop to prototypes of all others, float [crops]."""
    found = np.empty(len(placed))
    for crop in range(len(placed)):
        others = np.delete(placed, crop, axis=0) if len(placed) > 1 else placed
        found[crop] = nearest(placed[crop : crop + 1] @ cluster(others, count).T, NEAREST)[0]
    return found


def _separation(own: np.ndarray, others: np.ndarray) -> float:
    """The distance of two means in their common standard deviation."""
    spread = math.sqrt((float(own.var()) + float(others.var())) / 2)
    return (float(own.mean()) - float(others.mean())) / max(spread, 1e-6)


def _calibrated(values: np.ndarray, lost: float) -> tuple[float, float]:
    """Slope of the log odds, and the value where they are even: `lost` of the values are under it.

    The value in the middle has `MEDIAN_PROBABILITY`.
    """
    crossing, middle = np.quantile(values, (lost, 0.5)).tolist()
    slope = math.log(MEDIAN_PROBABILITY / (1 - MEDIAN_PROBABILITY)) / max(middle - crossing, 1e-3)
    return min(MOST_SLOPE, max(LEAST_SLOPE, slope)), crossing


def cluster(vectors: np.ndarray, count: int) -> np.ndarray:
    """The centers of `count` groups of unit vectors [n, d], unit vectors: spherical k-means.

    Starts with the vectors that lie farthest from each other, so that the result is always the
    same. Source: Dhillon, Modha, "Concept decompositions for large sparse text data", 2001.
    """
    count = min(count, len(vectors))
    centers = vectors[_spread(vectors, count)]
    for _ in range(ROUNDS):
        group = (vectors @ centers.T).argmax(axis=1)
        sums = np.zeros_like(centers)
        np.add.at(sums, group, vectors)
        moved = np.where(np.linalg.norm(sums, axis=1, keepdims=True) > 1e-9, unit(sums), centers)
        if np.allclose(moved, centers, atol=1e-6):
            break
        centers = moved
    return np.asarray(centers, np.float32)


def _spread(vectors: np.ndarray, count: int) -> list[int]:
    """Indices of vectors far from each other; the first is the most central one."""
    chosen = [int((vectors @ vectors.mean(axis=0)).argmax())]
    closest = vectors @ vectors[chosen[0]]
    while len(chosen) < count:
        chosen.append(int(closest.argmin()))
        closest = np.maximum(closest, vectors @ vectors[chosen[-1]])
    return chosen
