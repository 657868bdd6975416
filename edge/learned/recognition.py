"""How a class that was taught from a few crops is recognized.

One direction sets its crops apart from known items and from things of no known class: that of a
logistic regression, all crops weighing as much as all others. Two things must hold for an item to
be of the class: it lies far enough along this direction, and farther than it is familiar to the
bundle. Each has a logarithm of odds that is linear; the lesser of the two counts. How strict both
are comes from crops that were left out: each is judged by what the others teach.

Sources: linear probes on few examples as in Tian, Wang, Krishnan, Tenenbaum, Isola, "Rethinking
few-shot image classification: a good embedding is all you need?", ECCV 2020; odds as in Platt,
"Probabilistic outputs for support vector machines", 1999.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from edge.learned.known import KnownSpace
from edge.learned.logistic import fit_logistic

PENALTY = 0.01
"""On the length of the direction."""
NEGATIVES_SHARE = 0.5
"""Weight of all things of no known class, of all that is not of the class."""
FOLDS = 5
"""Parts of the crops, of which one at a time is left out."""
FAMILIAR = 2.0
"""How many deviations of the crops along the direction a standard deviation of familiarity is
worth."""
BELOW_IN_MARGIN, BELOW_IN_SIMILARITY = 1.3, 2.5
"""The odds are even so many deviations below the mean of the crops: the odds against the known
classes, and against what is like nothing known."""
KNOWN_BELOW, DEAREST = 0.99, 0.05
"""So large a share of known items is less similar than the least similarity, unless that costs more
than this share of the crops."""
MEDIAN_PROBABILITY = 0.98
"""Of the class, for the crop in the middle of those that were left out."""
MOST_SLOPE, LEAST_SLOPE = 200.0, 2.0
LEAST_STEP = 1e-3
"""Of similarity."""
MOST_TAKEN = 1
"""Items of known classes that may be taken for a taught one, of those that are asked; none of a
hazard."""


@dataclass(frozen=True)
class Recognition:
    """How one taught class is recognized.

    Attributes:
        direction: float32 [d], of length 1; an item's similarity to the class is how far it lies
            along it, -1 to 1.
        familiar: how much similarity a standard deviation of familiarity is worth.
        slope, offset: log odds of the class against the known ones are `slope * margin + offset`,
            where the margin is the similarity less `familiar` times the familiarity.
        steepness, least: log odds against what is like nothing known are `steepness * (similarity -
            least)`.
    """

    direction: np.ndarray
    familiar: float
    slope: float
    offset: float
    steepness: float
    least: float

    def similarity(self, placed: np.ndarray) -> np.ndarray:
        """Similarity of placed items [n, d] to the class, float [n], -1 to 1."""
        return np.asarray(placed @ self.direction)

    def log_odds(self, similarity: np.ndarray, familiarity: np.ndarray) -> np.ndarray:
        """Log odds of the class, float [n], from similarity to it and familiarity to the bundle."""
        margin = similarity - self.familiar * familiarity
        return np.minimum(self.slope * margin + self.offset, self.by_similarity(similarity))

    def by_similarity(self, similarity: np.ndarray) -> np.ndarray:
        """Log odds of the class against what is like nothing known, float [n]."""
        return self.steepness * (similarity - self.least)


@dataclass(frozen=True)
class KnownItems:
    """Items of known classes that the bundle recognizes, and must go on to recognize.

    Attributes:
        placed: float32 [items, d], where they lie (`KnownSpace.place`).
        familiarity: float [items], of each to the bundle.
        likely: float [items], logarithm of the probability of the most probable known class: an
            item is taken for a taught class whose log odds are greater.
        hazardous: bool [items], whether it is a hazard.
    """

    placed: np.ndarray
    familiarity: np.ndarray
    likely: np.ndarray
    hazardous: np.ndarray


@dataclass(frozen=True)
class Lesson:
    """Crops of one class, and what they must be set apart from.

    Attributes:
        placed: float32 [crops, d], where they lie.
        familiarity: float [crops], of each to the bundle.
        space: what is known.
        known: items that must not be taken for the class.
    """

    placed: np.ndarray
    familiarity: np.ndarray
    space: KnownSpace
    known: KnownItems


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
    """Learn a class: its direction, and how strict to be."""
    similarity, of_known = _left_out(lesson)
    familiar, middle = FAMILIAR * float(similarity.std()), float(np.median(similarity))
    margin = similarity - familiar * lesson.familiarity
    crossing = _even_at(margin, BELOW_IN_MARGIN)
    slope = _slope(float(np.median(margin)) - crossing)
    usual, dear = np.quantile(of_known, KNOWN_BELOW), np.quantile(similarity, DEAREST)
    least = max(_even_at(similarity, BELOW_IN_SIMILARITY), min(float(usual), float(dear)))
    made = Recognition(
        direction=_direction(lesson.placed, lesson.space),
        familiar=familiar,
        slope=slope,
        offset=-slope * crossing,
        steepness=_slope(middle - least),
        least=min(1.0, max(-1.0, least)),
    )
    made = _sparing(made, lesson.known, middle)
    return Learned(made, made.log_odds(similarity, lesson.familiarity) >= 0)


def _sparing(made: Recognition, known: KnownItems, middle: float) -> Recognition:
    """As strict as it takes for known items not to be taken, all but `MOST_TAKEN`.

    `middle` is the similarity of the crop in the middle.
    """
    similarity = made.similarity(known.placed)
    taken = made.log_odds(similarity, known.familiarity) > known.likely
    needed = similarity - known.likely / made.steepness
    harmless = np.flatnonzero(taken & ~known.hazardous)
    spared = taken.copy()
    spared[harmless[np.argsort(needed[harmless])][-MOST_TAKEN:]] = False
    if not spared.any():
        return made
    least = min(1.0, float(needed[spared].max()) + LEAST_STEP)
    return replace(made, steepness=_slope(middle - least), least=least)


def _left_out(lesson: Lesson) -> tuple[np.ndarray, np.ndarray]:
    """How far crops and known items lie along directions that the other parts of both teach.

    Returns:
        Float [crops] and float [known items].
    """
    sets = lesson.placed, lesson.space.references
    parts = [np.arange(len(rows)) % FOLDS for rows in sets]
    found = np.empty(len(sets[0])), np.empty(len(sets[1]))
    for left in range(FOLDS):
        crops, known = (rows[part != left] for rows, part in zip(sets, parts, strict=True))
        taught = _direction(crops, replace(lesson.space, references=known))
        for values, rows, part in zip(found, sets, parts, strict=True):
            values[part == left] = rows[part == left] @ taught
    return found


def _direction(crops: np.ndarray, space: KnownSpace) -> np.ndarray:
    """The direction, float32 [d], of length 1, that sets crops [n, d] apart from all else."""
    share = NEGATIVES_SHARE if len(space.negatives) else 0.0
    groups = ((crops, 1.0), (space.references, 1 - share), (space.negatives, share))
    items = np.concatenate([rows for rows, _ in groups])
    weights = np.concatenate(
        [np.full(len(rows), weight / 2 / max(len(rows), 1)) for rows, weight in groups]
    )
    found = fit_logistic(items, np.arange(len(items)) < len(crops), weights, PENALTY)
    length = float(np.linalg.norm(found))
    return np.asarray(found / max(length, 1e-12), np.float32)


def _even_at(values: np.ndarray, below: float) -> float:
    """The value where the log odds are even: `below` deviations below the mean."""
    return float(values.mean() - below * values.std())


def _slope(distance: float) -> float:
    """Of log odds that rise from even to those of `MEDIAN_PROBABILITY` in this distance, which is
    that to the value in the middle.
    """
    log_odds = math.log(MEDIAN_PROBABILITY / (1 - MEDIAN_PROBABILITY))
    return min(MOST_SLOPE, max(LEAST_SLOPE, log_odds / max(distance, LEAST_STEP)))
