"""Augmented views of a photo: the same item as a camera over a belt may see it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from edge.synthetic.drawings.background import draw_background
from edge.synthetic.segmentation import PasteJitter, paste, segment_item
from train.augmentation import backgrounds
from train.augmentation.lighting import lit
from train.augmentation.wear import worn

Augmenter = Callable[[int, int], np.ndarray]
"""(photo, view) -> uint8 RGB [S, S, 3]; view 0 is the photo as it is."""

MILD = 0.2
"""Share of the views that stay close to the photo: the model must know those too."""

PASTED = 0.55
"""Share of the other views, of photos whose item can be segmented, with another background.

With 0.9 (8 views, a third of the backgrounds white or black) the network was worse on the
simulated belt, and lost more by quantizing.
"""

SHARE_TURNED_FREELY = 0.75
"""Share of those on their own background that are turned by any angle; the rest a little."""

TURNED = 0.9
"""Share of the pasted items that are turned by any angle; the rest a little."""

WORN, LIT = 0.15, 0.25
"""Share of the views with dirt, scratches, or cracks, and of those in a difficult light."""

TURNED_JITTER, UPRIGHT_JITTER = (
    PasteJitter(180, (0.6, 1.3), 0.14, 0.5, 4 / 3),
    PasteJitter(20, (0.6, 1.3), 0.14, 0.5, 4 / 3),
)
BACKGROUNDS = {
    backgrounds.belt: 0.22,
    backgrounds.white: 0.1,
    backgrounds.black: 0.08,
    backgrounds.gray: 0.1,
    backgrounds.brown: 0.06,
    backgrounds.textured: 0.08,
    backgrounds.tinted: 0.1,
    draw_background: 0.06,
}
FOREIGN = 0.2
"""Share of the backgrounds of each kind; the last, of those of other photos."""

BACKGROUNDS_KEPT = 400
"""How many foreign backgrounds, painted over once, are kept for the next item."""


def plain_augmenter(pixels: np.ndarray, seed: int) -> Augmenter:
    """Augment photos, uint8 RGB [photos, S, S, 3], on their own backgrounds."""

    def augment_view(photo: int, view: int) -> np.ndarray:
        if not view:
            return pixels[photo]
        return augment(pixels[photo], np.random.default_rng((seed, view - 1, photo)))

    return augment_view


def belt_augmenter(
    pixels: np.ndarray,
    classes: np.ndarray,
    seed: int,
    masks: Sequence[np.ndarray | None] | None = None,
) -> Augmenter:
    """Augment photos; more than a third of the views show the item on another background.

    A model that may look at the background learns the background: phones photographed on tables,
    machines on white. So items are laid on belts, plain, drawn and other photos' backgrounds; the
    rest keeps its own. All are turned, moved, scaled, exposed, blurred, compressed and partly
    covered.

    Args:
        pixels: uint8 RGB [photos, S, S, 3].
        classes: int [photos]; a foreign background comes from a photo of another class.
        seed: of everything.
        masks: the photos' items, uint8 [S, S] 0 or 255, None where none was found; without
            `masks` they are segmented here.
    """
    if masks is None:
        with ThreadPoolExecutor() as pool:
            masks = list(pool.map(segment_item, pixels))
    foreign_background = foreign_backgrounds(pixels, masks, classes)

    def augment_view(photo: int, view: int) -> np.ndarray:
        image, mask = pixels[photo], masks[photo]
        if not view:
            return image
        rng = np.random.default_rng((seed, view, photo))
        if rng.random() < MILD:
            return augment(image, rng)
        if rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
            mask = None if mask is None else np.ascontiguousarray(mask[:, ::-1])
        if mask is not None and rng.random() < PASTED:
            jitter = TURNED_JITTER if rng.random() < TURNED else UPRIGHT_JITTER
            background = any_background(rng, image.shape[0], lambda: foreign_background(photo, rng))
            image = paste(image, mask, background, rng, jitter)
        else:
            image = _jitter(image, rng)
        if rng.random() < WORN:
            image = worn(image, rng)
        if rng.random() < LIT:
            image = lit(image, rng)
        return _cover(_grain(expose(image, rng), rng), rng)

    return augment_view


def foreign_backgrounds(
    pixels: np.ndarray, masks: Sequence[np.ndarray | None], classes: np.ndarray
) -> Callable[[int, np.random.Generator], np.ndarray | None]:
    """(photo, rng) -> the background of a photo of another class, any way round; None: none lends
    its.

    Arguments as of `belt_augmenter`.
    """
    lenders = _lenders(pixels, masks)
    lent: dict[int, np.ndarray] = {}

    def foreign_background(photo: int, rng: np.random.Generator) -> np.ndarray | None:
        others = lenders[classes[lenders] != classes[photo]]
        if not len(others):
            return None
        lender = int(others[rng.integers(len(others))])
        if lender not in lent:
            if len(lent) >= BACKGROUNDS_KEPT:
                lent.clear()
            mask = masks[lender]
            assert mask is not None  # a lender has one
            lent[lender] = backgrounds.emptied(pixels[lender], mask, pixels.shape[1])
        return np.ascontiguousarray(np.rot90(lent[lender], int(rng.integers(4))))

    return foreign_background


def _lenders(pixels: np.ndarray, masks: Sequence[np.ndarray | None]) -> np.ndarray:
    """Photos whose background is worth laying others on: int [lenders]."""
    lending = [
        photo
        for photo, mask in enumerate(masks)
        if mask is not None and backgrounds.lends(pixels[photo], mask)
    ]
    return np.array(lending, dtype=int)


def any_background(
    rng: np.random.Generator, size: int, foreign: Callable[[], np.ndarray | None]
) -> np.ndarray:
    """A belt, a plain background, a drawn one, or what `foreign` gives: uint8 RGB [size, size,
    3].
    """
    drawn = rng.choice(len(BACKGROUNDS) + 1, p=[*BACKGROUNDS.values(), FOREIGN])
    if drawn < len(BACKGROUNDS):
        return list(BACKGROUNDS)[drawn](rng, size)
    lent = foreign()
    return backgrounds.tinted(rng, size) if lent is None else lent


def _jitter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn, move and scale a photo with its background; what is missing at the border is made
    up.
    """
    size = image.shape[0]
    scale = rng.uniform(0.65, 1.0) if rng.random() < 0.35 else rng.uniform(1.0, 1.4)
    turn = rng.uniform(-180, 180) if rng.random() < SHARE_TURNED_FREELY else rng.normal(0, 10)
    middle = (size - 1) / 2, (size - 1) / 2
    placed = np.asarray(cv2.getRotationMatrix2D(middle, turn, scale), np.float64)
    room = abs(1 - scale) * size / 2
    placed[:, 2] += rng.uniform(-room, room, 2)
    placed[0, :2] *= np.exp(rng.uniform(-1, 1) * np.log(4 / 3) / 1)
    kind = rng.random()
    if kind < 0.75:
        border = cv2.BORDER_REPLICATE if kind < 0.5 else cv2.BORDER_REFLECT_101
        return cv2.warpAffine(image, placed, (size, size), borderMode=border)
    background = (
        backgrounds.belt(rng, size) if rng.random() < 0.5 else backgrounds.tinted(rng, size)
    )
    shown = cv2.warpAffine(np.full((size, size), 255, np.uint8), placed, (size, size))
    moved = cv2.warpAffine(image, placed, (size, size), borderMode=cv2.BORDER_REPLICATE)
    return np.where(shown[..., np.newaxis] > 127, moved, background)


def _grain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sensor noise, now and then."""
    if rng.random() >= 0.2:
        return image
    noisy = image + rng.normal(0, rng.uniform(3, 25), image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _cover(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Something before a part of the picture, now and then."""
    if rng.random() >= 0.2:
        return image
    size = image.shape[0]
    area, aspect = rng.uniform(0.02, 0.2), rng.uniform(0.5, 2)
    height, width = (np.sqrt(area * np.array([aspect, 1 / aspect])) * size).astype(int)
    top, left = rng.integers(0, max(1, size - height)), rng.integers(0, max(1, size - width))
    covered = image.copy()
    color = rng.uniform(0, 255, 3) if rng.random() < 0.5 else 96
    covered[top : top + height, left : left + width] = color
    return covered


def augment(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random variation of uint8 RGB [S, S, 3], of the same shape.

    Turned, mirrored, moved and scaled (shrunk onto a plain background, as on a belt, or cropped),
    then exposed, tinted, blurred and compressed a little differently.
    """
    return expose(_place(image, rng), rng)


def _place(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    size = image.shape[0]
    if rng.random() < 0.5:
        image = image[:, ::-1]
    scale = rng.uniform(0.65, 1.0) if rng.random() < 0.4 else rng.uniform(1.0, 1.35)
    middle = size / 2, size / 2
    turn = np.asarray(cv2.getRotationMatrix2D(middle, rng.normal(0, 10), scale), np.float64)
    room = abs(1 - scale) * size / 2
    turn[:, 2] += rng.uniform(-room, room, 2)
    turn[0, :2] *= rng.uniform(0.9, 1.1)
    if rng.random() < 0.4:
        border, background = cv2.BORDER_REPLICATE, (0.0, 0.0, 0.0)
    else:
        border, background = cv2.BORDER_CONSTANT, _background(rng)
    return cv2.warpAffine(
        np.ascontiguousarray(image), turn, (size, size), borderMode=border, borderValue=background
    )


def _background(rng: np.random.Generator) -> tuple[float, float, float]:
    """A plain RGB background: mostly the dark gray-green of rubber, else any gray or color."""
    kind = rng.random()
    if kind < 0.5:
        gray = rng.uniform(30, 90)
        return (gray, gray + rng.uniform(0, 12), gray + rng.uniform(-6, 6))
    if kind < 0.8:
        gray = rng.uniform(0, 255)
        return (gray, gray, gray)
    return tuple(rng.uniform(0, 255, 3))


def expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposed, tinted, blurred and compressed a little differently: uint8 RGB of the same shape."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.93, 1.07, 3)
    offset = rng.uniform(-15, 15)
    image = np.clip((image.astype(np.float32) - 117) * gain + 117 + offset, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5))
    if rng.random() < 0.25:
        quality = int(rng.uniform(30, 90))
        packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return image
