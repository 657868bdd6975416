"""The same items on other grounds: a model that reads the ground instead of the item shows here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.photos.reading import LabelledPhoto, read_photo
from edge.synthetic.segmentation import AS_IT_WAS, cut_out, paste
from train.augmentation import backgrounds as grounds
from train.data.masks import fitted, read_masks

PLAIN = {"white": grounds.white, "black": grounds.black, "belt": grounds.belt}
GROUNDS = (*PLAIN, "foreign", "own")
"""`foreign` is the ground of a photo of another class: of those whose ground is not plain, as far
as there are any, since plain ones are tried already. `own` is the control: the item's own ground,
painted over where it lay. What is lost there is lost by cutting out, not by the ground."""


@dataclass(frozen=True)
class CutItem:
    """An item that could be cut out of its photo.

    Attributes:
        index: of its photo among those given.
        label: its class.
        pixels: the photo, uint8 RGB [H, W, 3], reduced.
        mask: uint8 [H, W], 255 on the item.
        lends: whether its ground is worth laying others on.
    """

    index: int
    label: str
    pixels: np.ndarray
    mask: np.ndarray
    lends: bool


def cut_items(
    photos: Sequence[LabelledPhoto], size: int, masks: Path | None = None
) -> Iterator[CutItem | None]:
    """Cut each photo's item out, at most `size` px long; None where it cannot be.

    With the folder `masks` (`train.data.masks`) as those say.

    Raises:
        BadInput: a photo or its mask cannot be read, or `masks` holds none of them.
    """
    known = read_masks(masks, [photo.path for photo in photos]) if masks else None
    for index, photo in enumerate(photos):
        pixels = read_photo(photo.path)
        scale = min(1.0, size / max(pixels.shape[:2]))
        if scale < 1:
            shape = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
            pixels = cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA)
        mask = known[index] if known else cut_out(pixels)
        if mask is None:
            yield None
            continue
        mask = fitted(mask, *pixels.shape[:2])
        yield CutItem(index, photo.label, pixels, mask, grounds.lends(pixels, mask))


def on_ground(
    laid: Sequence[CutItem], items: Sequence[CutItem], ground: str, size: int, seed: int
) -> Iterator[np.ndarray]:
    """Lay items, as they were, on one of `GROUNDS`: uint8 RGB [size, size, 3] each.

    `items` are those that lend foreign grounds. The same item gets the same ground each time.
    """
    for item in laid:
        rng = np.random.default_rng((seed, GROUNDS.index(ground), item.index))
        yield paste(item.pixels, item.mask, _ground(item, items, ground, size, rng), rng, AS_IT_WAS)


def _ground(
    item: CutItem, items: Sequence[CutItem], ground: str, size: int, rng: np.random.Generator
) -> np.ndarray:
    if ground in PLAIN:
        return PLAIN[ground](rng, size)
    if ground == "own":
        return grounds.emptied(item.pixels, item.mask, size)
    others = [other for other in items if other.label != item.label]
    donors = [other for other in others if other.lends] or others or [item]
    donor = donors[int(rng.integers(len(donors)))]
    return grounds.emptied(donor.pixels, donor.mask, size)
