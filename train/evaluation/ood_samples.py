"""OOD samples: drawn, or made from the known photos."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from edge.synthetic.debris import draw_debris
from edge.synthetic.drawings.background import draw_background
from train.augmentation import backgrounds as backgrounds
from train.evaluation.background_swap import SegmentedItem

PARTS = 4


def shuffled(pixels: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Photos cut into `PARTS` x `PARTS` pieces and put together at random.

    Their colors and textures are those of items, their shapes are nothing.

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


def empty_backgrounds(items: Sequence[SegmentedItem], size: int) -> Iterator[np.ndarray]:
    """What items lay on, the items painted over: uint8 RGB [size, size, 3] each."""
    for item in items:
        yield backgrounds.emptied(item.pixels, item.mask, size)


def drawn_debris(count: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """Drawn cardboard, bottles and the like on random backgrounds: uint8 RGB [size, size, 3]
    each.
    """
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        drawn = draw_debris(int(rng.integers(2**31)), size)
        middle = size / 2, size / 2
        turn = cv2.getRotationMatrix2D(middle, rng.uniform(0, 360), rng.uniform(0.6, 1.0))
        item = cv2.warpAffine(drawn, turn, (size, size)).astype(np.float32)
        share = item[..., 3:] / 255
        laid = draw_background(rng, size) * (1 - share) + item[..., :3] * share
        yield np.rint(laid).astype(np.uint8)
