"""The same items on other backgrounds: a model that reads the background instead of the item shows
here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.photos.reading import LabeledPhoto, read_photo
from edge.synthetic.segmentation import NO_JITTER, paste, segment_item
from train.augmentation import backgrounds as backgrounds
from train.data.masks import fitted, read_masks

PLAIN = {"white": backgrounds.white, "black": backgrounds.black, "belt": backgrounds.belt}
BACKGROUNDS = (*PLAIN, "foreign", "own")
"""`foreign` is the background of a photo of another class: of those whose background is not plain,
as far as there are any, since plain ones are tried already. `own` is the control: the item's own
background, painted over where it lay. What is lost there is lost by cutting out, not by the
background."""


@dataclass(frozen=True)
class SegmentedItem:
    """An item that could be segmented in its photo.

    Attributes:
        index: of its photo among those given.
        label: its class.
        pixels: the photo, uint8 RGB [H, W, 3], reduced.
        mask: uint8 [H, W], 255 on the item.
        lends: whether its background is worth laying others on.
    """

    index: int
    label: str
    pixels: np.ndarray
    mask: np.ndarray
    lends: bool


def segment_items(
    photos: Sequence[LabeledPhoto], size: int, masks: Path | None = None
) -> Iterator[SegmentedItem | None]:
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
        mask = known[index] if known else segment_item(pixels)
        if mask is None:
            yield None
            continue
        mask = fitted(mask, *pixels.shape[:2])
        yield SegmentedItem(index, photo.label, pixels, mask, backgrounds.lends(pixels, mask))


def on_background(
    laid: Sequence[SegmentedItem],
    items: Sequence[SegmentedItem],
    background: str,
    size: int,
    seed: int,
) -> Iterator[np.ndarray]:
    """Lay items, as they were, on one of `BACKGROUNDS`: uint8 RGB [size, size, 3] each.

    `items` are those that lend foreign backgrounds. The same item gets the same background each
    time.
    """
    for item in laid:
        rng = np.random.default_rng((seed, BACKGROUNDS.index(background), item.index))
        yield paste(
            item.pixels, item.mask, _background(item, items, background, size, rng), rng, NO_JITTER
        )


def _background(
    item: SegmentedItem,
    items: Sequence[SegmentedItem],
    background: str,
    size: int,
    rng: np.random.Generator,
) -> np.ndarray:
    if background in PLAIN:
        return PLAIN[background](rng, size)
    if background == "own":
        return backgrounds.emptied(item.pixels, item.mask, size)
    others = [other for other in items if other.label != item.label]
    donors = [other for other in others if other.lends] or others or [item]
    donor = donors[int(rng.integers(len(donors)))]
    return backgrounds.emptied(donor.pixels, donor.mask, size)
