"""Which items look alike, and which few of them differ most: pure functions of their codes.

A code is that of an embedding (`edge.inference.embedding_code`), all of one bundle.
"""

from collections.abc import Sequence

import numpy as np

from edge.inference.embedding_code import CODE_SIZE

LEAST_ALIKE = 0.9
"""Least cosine between any two items of a group. See docs/benchmarks.md for how pure groups are."""
MOST_IN_GROUP = 16


def units(codes: Sequence[bytes]) -> np.ndarray:
    """Return codes as float32 [items, CODE_SIZE], each of length 1; what is no code is all 0."""
    fit = [code if len(code) == CODE_SIZE else bytes(CODE_SIZE) for code in codes]
    numbers = np.frombuffer(b"".join(fit), np.int8).reshape(-1, CODE_SIZE).astype(np.float32)
    lengths = np.linalg.norm(numbers, axis=1, keepdims=True)
    return np.divide(numbers, lengths, out=np.zeros_like(numbers), where=lengths > 0)


def group_around(
    placed: np.ndarray, least: float = LEAST_ALIKE, most: int = MOST_IN_GROUP
) -> list[int]:
    """Return the group of the first item: itself, then its look-alikes, the most alike first.

    Every two items of a group are alike, not only each with the first (complete linkage), so a
    group cannot stretch from one kind of item to another.

    Args:
        placed: float32 [items, features], each of length 1 or 0.
        least: least cosine between any two of a group.
        most: most items of a group.
    """
    group = [0]
    toward = placed @ placed[0]
    for each in np.argsort(-toward, kind="stable").tolist():
        if len(group) >= most or toward[each] < least:
            break
        if each and (placed[group] @ placed[each]).min() >= least:
            group.append(each)
    return group


def most_diverse(placed: np.ndarray, count: int) -> list[int]:
    """Return the first item, and then each time the one that is least like those before it.

    Farthest-point selection. Source: Gonzalez, Clustering to minimize the maximum intercluster
    distance, 1985.

    Args:
        placed: float32 [items, features], each of length 1 or 0.
        count: number of items to choose.
    """
    chosen = [0]
    nearest = placed @ placed[0]
    while len(chosen) < min(count, len(placed)):
        nearest[chosen] = np.inf
        farthest = int(nearest.argmin())
        chosen.append(farthest)
        nearest = np.maximum(nearest, placed @ placed[farthest])
    return chosen
