"""Choose photos with the classes as even as possible."""

import numpy as np


def balanced_indices(classes: np.ndarray, limit: int) -> np.ndarray:
    """Indices of at most `limit` photos, in order, the first of each class before any second.

    Args:
        classes: int [n], the class of each photo.
        limit: how many to choose.
    """
    occurrence = np.zeros(len(classes), dtype=int)
    for number in np.unique(classes):
        occurrence[classes == number] = np.arange((classes == number).sum())
    return np.sort(np.argsort(occurrence, kind="stable")[:limit])
