"""The same items on other backgrounds and at other angles.

A model that reads the background instead of the item, or knows it upright only, shows here.
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
TURNED = "turned"
BACKGROUNDS = (*PLAIN, "foreign", "own", TURNED)
"""`foreign` is the background of a photo of another class: of those whose background is not plain,
as far as there are any, since plain ones are tried already. `own` is the control: the item's own
background, painted over where it lay. What is lost there is lost by cutting out, not by the
background. `turned` is the belt again, with the same item at any angle: items lie any way round."""


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
    time, upright and turned.
    """
    shown = "belt" if background == TURNED else background
    for item in laid:
        rng = np.random.default_rng((seed, BACKGROUNDS.index(shown), item.index))
        pixels, mask = item.pixels, item.mask
        if background == TURNED:
            angle = np.random.default_rng((seed, item.index)).uniform(-180, 180)
            pixels, mask = turned(pixels, mask, angle)
        yield paste(pixels, mask, _background(item, items, shown, size, rng), rng, NO_JITTER)


def turned(pixels: np.ndarray, mask: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Turn an item about its middle as a camera over a belt would show it: the view is a square
    around the item, so the longer side of its box stays as long.

    Args:
        pixels: uint8 RGB [H, W, 3].
        mask: uint8 [H, W], 255 on the item, which is not empty.
        degrees: counterclockwise.

    Returns:
        The picture, uint8 RGB [S, S, 3], and the mask, uint8 [S, S], S the longer of H and W; the
        item is in the middle.
    """
    left, top, width, height = cv2.boundingRect(mask)
    middle = left + (width - 1) / 2, top + (height - 1) / 2
    placed = np.asarray(cv2.getRotationMatrix2D(middle, degrees, 1.0), np.float64)
    outline = cv2.convexHull(cv2.findNonZero(mask)).reshape(-1, 2)
    reached = outline @ placed[:, :2].T + placed[:, 2]
    low, high = reached.min(axis=0), reached.max(axis=0)
    scale, side = max(width, height) / (max(high - low) + 1), max(mask.shape)
    placed *= scale
    placed[:, 2] += (side - 1) / 2 - scale * (low + high) / 2
    size = (side, side)
    return (
        cv2.warpAffine(pixels, placed, size, borderMode=cv2.BORDER_REPLICATE),
        cv2.warpAffine(mask, placed, size, flags=cv2.INTER_NEAREST),
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
