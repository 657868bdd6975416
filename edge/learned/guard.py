"""The guard: what is not learned, and why.

Crops are looked at before they teach: too few, one picture again and again, a class that is known
already, crops that are of another class than the rest. What was learned from them is asked about
all old classes: the bundle's golden inputs (`edge.learned.adapted.check_golden`), the items that
persons reviewed, and the crops of the other taught classes.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.errors import Refused, one_line
from edge.labels import UNKNOWN
from edge.learned.recognition import Learned
from edge.verdict import Reason, Verdict

LEAST_CROPS = 12
"""Different pictures that a class is taught from, at least."""
ALIKE, SAME_LEVELS = 0.985, 0.9
"""Two crops show one picture, however it was stored, from this cosine similarity and from this
correlation of their grays."""
LEAST_RECALL = 0.75
"""Share of the crops that must be recognized by what the others teach."""
LEAST_FAMILIAR, MOST_ODD = 1.0, 0.15
"""From this familiarity on, a crop that the bundle decides on, and that lies nearer to known items
than to the other crops, is of the class that it says; of all crops, at most this share may be: they
are left out."""
NEIGHBORS = 3
"""So many of the nearest items say how near a crop lies to them."""
MOST_LOST, ONE_ITEM = 0.005, 1
"""Share of an old class's items that may be lost; where that is less than an item, one may be."""
MOST_NAMED = 6


@dataclass(frozen=True)
class Asked:
    """An item of an old class, asked before and after.

    Attributes:
        name: of the item.
        label: what it is.
        before, after: what was decided on it.
    """

    name: str
    label: str
    before: Verdict
    after: Verdict


def check_enough(crops: int) -> None:
    """See that there are crops enough to teach from.

    Raises:
        Refused: there are not.
    """
    if crops < LEAST_CROPS:
        raise Refused(f"{crops} crops; a class is taught from at least {LEAST_CROPS}, better 20")


def distinct(names: Sequence[str], placed: np.ndarray, pictures: Sequence[np.ndarray]) -> list[int]:
    """The crops that show different pictures, the first of each.

    Args:
        names: of the crops.
        placed: float [crops, d], unit vectors.
        pictures: uint8 RGB [height, width, 3] each.

    Raises:
        Refused: there are too few.
    """
    small = np.stack([_thumbnail(each) for each in pictures])
    same = (placed @ placed.T >= ALIKE) & (small @ small.T >= SAME_LEVELS)
    kept: list[int] = []
    for index in range(len(names)):
        if not same[index, kept].any():
            kept.append(index)
    if len(kept) < LEAST_CROPS:
        again = [names[each] for each in range(len(names)) if each not in kept]
        raise Refused(
            f"{len(names)} crops show only {len(kept)} different pictures, at least {LEAST_CROPS} "
            f"needed; the same again: {_listed(again)}"
        )
    return kept


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    """The grays of a picture, coarsely, float64 [256], of length 1 around their mean."""
    gray = cv2.cvtColor(
        cv2.resize(pixels, (16, 16), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    levels = gray.astype(np.float64).ravel()
    levels -= levels.mean()
    length = float(np.linalg.norm(levels))
    return levels / length if length > 1 else np.full(levels.shape, 1 / math.sqrt(len(levels)))


def nearer_known(placed: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Which crops lie nearer to known items than to the other crops, bool [crops].

    A class that the bundle does not know may look familiar to it, but its items look more like each
    other.

    Args:
        placed: float [crops, d], unit vectors.
        references: float [known items, d], unit vectors.
    """
    among = placed @ placed.T
    np.fill_diagonal(among, -1.0)
    return np.asarray(_nearness(placed @ references.T) > _nearness(among))


def _nearness(similarities: np.ndarray) -> np.ndarray:
    """The mean of the `NEIGHBORS` greatest of float [n, m] along its last axis, or of all m."""
    taken = min(NEIGHBORS, similarities.shape[1])
    return np.asarray(np.partition(similarities, -taken, axis=1)[:, -taken:].mean(axis=1))


def odd_crops(
    names: Sequence[str],
    believed: Sequence[str],
    familiarity: np.ndarray,
    nearer: np.ndarray,
) -> list[int]:
    """The crops that are of a class that the bundle knows.

    They are those that it decides on, that are as familiar to it as its own classes' items, and
    that are more like these than like the other crops.

    Args:
        names: of the crops.
        believed: label that the bundle decides on, or `unknown`.
        familiarity: float [crops], of each to the bundle.
        nearer: bool [crops], `nearer_known`.

    Raises:
        Refused: they are more than `MOST_ODD`; it names them.
    """
    odd = [
        index
        for index, label in enumerate(believed)
        if label != UNKNOWN and familiarity[index] >= LEAST_FAMILIAR and nearer[index]
    ]
    if len(odd) <= MOST_ODD * len(names):
        return odd
    listed = _listed([f"{names[index]} ({believed[index]})" for index in odd])
    count = f"{len(odd)} of {len(names)} crops"
    if 2 * len(odd) > len(names):
        raise Refused(f"the bundle knows {count} already: {listed}; teach what it does not know")
    raise Refused(f"{count} are of classes that the bundle knows: {listed}; take them out")


def check_learned(learned: Learned, label: str) -> None:
    """See that a class is set apart well enough.

    Raises:
        Refused: too few of its crops are recognized when they are left out.
    """
    recall = float(learned.recalled.mean())
    if recall < LEAST_RECALL:
        raise Refused(
            f"{label}: only {recall:.0%} of its crops are recognized by what the others teach, at "
            f"least {LEAST_RECALL:.0%} needed; teach from more crops, or from clearer ones"
        )


def recalls(asked: Sequence[Asked]) -> dict[str, tuple[float, float]]:
    """Of each old class, the share of its items that is recognized before, and after."""
    items = Counter(each.label for each in asked)
    before = Counter(each.label for each in asked if each.before.label == each.label)
    after = Counter(each.label for each in asked if each.after.label == each.label)
    return {label: (before[label] / items[label], after[label] / items[label]) for label in items}


def check_old(asked: Sequence[Asked], hazards: Sequence[str], bins: Mapping[str, str]) -> None:
    """See that no old class loses items.

    Args:
        asked: items of old classes.
        hazards: the labels that must never reach another label's bin.
        bins: label -> bin.

    Raises:
        Refused: a hazard would go to another bin, or an old class loses more than `MOST_LOST` of
            its items, or, where that is less than one, more than one.
    """
    for each in asked:
        if each.label in hazards and _is_lost_hazard(each, bins):
            raise Refused(
                f"{one_line(each.name)}: the hazard {each.label} would be taken for "
                f"{each.after.label}"
            )
    totals = Counter(each.label for each in asked)
    lost = Counter(each.label for each in asked if _is_lost(each))
    lost.subtract(Counter(each.label for each in asked if _is_won(each)))
    for label, count in lost.items():
        if count > max(ONE_ITEM, MOST_LOST * totals[label]):
            raise Refused(
                f"{label} would lose {count} of {totals[label]} items that persons reviewed"
            )


def _is_lost_hazard(each: Asked, bins: Mapping[str, str]) -> bool:
    """Whether a hazard that was found would not be suspected any more, or go to another's bin."""
    suspected = each.after.reason is Reason.HAZARD_SUSPECTED
    was_safe = _is_safe(each.before, each.label, bins)
    return (_is_lost(each) and not suspected) or (
        was_safe and not _is_safe(each.after, each.label, bins)
    )


def _is_safe(verdict: Verdict, label: str, bins: Mapping[str, str]) -> bool:
    if verdict.reason is Reason.HAZARD_SUSPECTED or verdict.label in (label, UNKNOWN):
        return True
    return verdict.bin == bins.get(label)


def _is_lost(each: Asked) -> bool:
    return each.before.label == each.label != each.after.label


def _is_won(each: Asked) -> bool:
    return each.after.label == each.label != each.before.label


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(one_line(name) for name in names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
