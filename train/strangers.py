"""Stand-ins for things of no known class, made from the known photos alone."""

from collections.abc import Iterator, Sequence

import numpy as np

from train import grounds
from train.swap import CutItem

PARTS = 4


def shuffled(pixels: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Photos cut into `PARTS` x `PARTS` pieces and put together at random.

    Their colours and textures are those of items, their shapes are nothing.

    Args:
        pixels: uint8 RGB [photos, S, S, 3].
        seed: of the order of the pieces.
    """
    side = pixels.shape[1] // PARTS
    for index, photo in enumerate(pixels):
        rng = np.random.default_rng((seed, index))
        jumbled = photo.copy()
        for place, taken in enumerate(rng.permutation(PARTS * PARTS).tolist()):
            (row, column), (top, left) = divmod(place, PARTS), divmod(taken, PARTS)
            jumbled[row * side : (row + 1) * side, column * side : (column + 1) * side] = photo[
                top * side : (top + 1) * side, left * side : (left + 1) * side
            ]
        yield jumbled


def empty_grounds(items: Sequence[CutItem], size: int) -> Iterator[np.ndarray]:
    """What items lay on, the items painted over: uint8 RGB [size, size, 3] each."""
    for item in items:
        yield grounds.foreign(item.pixels, item.mask, size)
