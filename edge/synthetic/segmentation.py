"""Segment the item of a photo from its background, and paste it on another background."""

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 160
"""Longest side, px, at which items are segmented; larger photos are reduced to it first."""

GRABCUT_SIDE = 128
"""The same for GrabCut, whose time grows with the area."""

GRABCUT_ITERATIONS = 5
"""Iterations of GrabCut; after 3 it had not settled on some drawn wood."""

MIN_OUTLINE_CONTRAST = 60
"""Median color gradient (Sobel, CIELAB in 8 bits) from which an outline lies on an edge; where
GrabCut parts a background from itself, as the streaks of wood, it is 30 to 50."""

BORDER_PX = 3
"""Width, px, of the border from which the background is learned."""

MIN_TOLERANCE, MAX_TOLERANCE = 3, 14
"""Bounds of the difference between a pixel of a plain background and its model, gray levels."""

MAX_BORDER_NOISE = 2
"""Largest median difference between the border and a smooth background, gray levels, at which the
background counts as plain."""

MIN_PLAIN_BORDER = 0.6
"""Share of the border that must fit one smooth color for the background to count as plain."""

WHOLE_SOLIDITY, LEAKING_SOLIDITY = 0.85, 0.7
"""Area of an item over that of its convex hull: above the first it is whole, below the second the
flood ran through it."""


@dataclass(frozen=True)
class MaskLimits:
    """Limits within which a mask is a plausible item; all are shares, 0 to 1.

    Attributes:
        min_area: smallest area, as a share of the photo.
        max_area: largest area, as a share of the photo.
        max_border: largest share of the photo's border that the item touches.
        min_solidity: smallest area, as a share of the area of the convex hull.
        max_off_center: largest distance of the item's center from the photo's center, as a share
            of half the photo's side.
    """

    min_area: float
    max_area: float
    max_border: float
    min_solidity: float
    max_off_center: float


FLOODED_LIMITS = MaskLimits(0.03, 0.92, 0.3, 0.4, 0.6)
FILLING_LIMITS = MaskLimits(0.3, 0.97, 0.42, 0.9, 0.6)  # it reaches the border, but is in one piece
GRABCUT_LIMITS = MaskLimits(0.13, 0.8, 0.35, 0.7, 0.35)
PREDICTED_LIMITS = MaskLimits(0.05, 0.92, 0.42, 0.6, 0.6)

CERTAIN_PROBABILITY = 0.9
"""Probability, of item or of background, from which GrabCut must not change a neighborhood."""


def segment_item(pixels: np.ndarray, probability: np.ndarray | None = None) -> np.ndarray | None:
    """Segment the item of a photo.

    A plain background, white or any smooth color, is flooded from the border; on any other
    background GrabCut separates what differs from the border (Rother, Kolmogorov, Blake, "GrabCut",
    SIGGRAPH 2004), or what is probably the item. A flood that ran through an item as white as its
    background is repaired by closing the gaps, else by the convex hull.

    Args:
        pixels: the photo, uint8 RGB [H, W, 3].
        probability: probability that each place is item, float32 [any, any] 0 to 1 over the photo,
            from `train.learning.segmenter`; None where it is not known.

    Returns:
        The mask, uint8 [H, W], 255 on the item and 0 elsewhere. None when no plausible item was
        found (too small, the whole picture, or in fragments): the photo is best kept as it is.
    """
    small = reduced(pixels)
    mask = _on_plain_background(small)
    if mask is None:
        mask = _grabcut_item(small) if probability is None else _grabcut_near(small, probability)
    return None if mask is None else _enlarged(mask, pixels)


def segment_on_plain_background(pixels: np.ndarray) -> np.ndarray | None:
    """Segment the item of a photo as `segment_item` does, on a plain background only.

    Args:
        pixels: the photo, uint8 RGB [H, W, 3].

    Returns:
        The mask, uint8 [H, W], 0 or 255; None on any other background or without a plausible item.
    """
    mask = _on_plain_background(reduced(pixels))
    return None if mask is None else _enlarged(mask, pixels)


def reduced(pixels: np.ndarray) -> np.ndarray:
    """Reduce a photo, uint8 RGB [H, W, 3], to the size at which items are segmented (`SIDE`)."""
    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _enlarged(mask: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    whole = cv2.resize(mask, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(whole > 127, np.uint8(255), np.uint8(0))


def _on_plain_background(pixels: np.ndarray) -> np.ndarray | None:
    background = fit_background(pixels)
    mask = _repaired(_flood(background), background) if background.plain else None
    found = mask is not None and (
        _plausible(mask, FLOODED_LIMITS) or _plausible(mask, FILLING_LIMITS)
    )
    return mask if found else None


@dataclass(frozen=True)
class Background:
    """Difference between a photo and the smooth background that fits its border best.

    Attributes:
        distance: float32 [H, W], largest difference of R, G and B from the background, gray levels.
        tolerance: largest distance of a background pixel, gray levels.
        plain: whether the border is smooth, and most of it within the tolerance.
    """

    distance: np.ndarray
    tolerance: float
    plain: bool


@dataclass(frozen=True)
class PasteJitter:
    """Random variation of a pasted item.

    Attributes:
        turn_degrees: largest rotation, degrees, either way.
        scales: least and greatest size, as a multiple of its size in its own photo.
        shift: largest shift of the center, as a share of the picture's side, each way.
        shadow: darkest shadow, 0 (none) to 1 (black).
        stretch: largest factor by which width over height may grow or shrink; 1 keeps the shape.
    """

    turn_degrees: float
    scales: tuple[float, float]
    shift: float
    shadow: float
    stretch: float = 1.0


FREE_JITTER = PasteJitter(180, (0.6, 1.15), 0.12, 0.5)
NO_JITTER = PasteJitter(0, (1, 1), 0, 0.35)


def paste(
    pixels: np.ndarray,
    mask: np.ndarray,
    background: np.ndarray,
    rng: np.random.Generator,
    jitter: PasteJitter = FREE_JITTER,
) -> np.ndarray:
    """Paste the item of a photo on another background, with a soft edge and a slight shadow.

    Args:
        pixels: the photo, uint8 RGB [H, W, 3].
        mask: its item, uint8 [H, W], 0 or 255 (`segment_item`).
        background: uint8 RGB [S, S, 3]; the photo's longer side is laid over S.
        rng: draws rotation, size, place and shadow.
        jitter: bounds of these.

    Returns:
        The picture, uint8 RGB [S, S, 3].
    """
    return paste_and_mask(pixels, mask, background, rng, jitter)[0]


def paste_and_mask(
    pixels: np.ndarray,
    mask: np.ndarray,
    background: np.ndarray,
    rng: np.random.Generator,
    jitter: PasteJitter = FREE_JITTER,
) -> tuple[np.ndarray, np.ndarray]:
    """Paste as `paste` does; return also the share of item at each place, float32 [S, S] 0 to 1."""
    size = background.shape[0]
    height, width = mask.shape
    scale = size / max(height, width) * rng.uniform(*jitter.scales)
    turn = rng.uniform(-jitter.turn_degrees, jitter.turn_degrees)
    middle = (width - 1) / 2, (height - 1) / 2
    placed = np.asarray(cv2.getRotationMatrix2D(middle, turn, scale), np.float64)
    if jitter.stretch > 1:
        placed = _stretched(placed, middle, rng.uniform(-1, 1) * np.log(jitter.stretch))
    placed[:, 2] += (size - 1) / 2 - np.array([width - 1, height - 1]) / 2
    placed[:, 2] += rng.uniform(-jitter.shift, jitter.shift, 2) * size
    item = cv2.warpAffine(pixels, placed, (size, size), borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(_soft(mask), placed, (size, size))
    offset = [[1, 0, rng.uniform(-0.03, 0.03) * size], [0, 1, 0.015 * size]]
    away = np.array(offset, np.float32)
    shadow = cv2.warpAffine(cv2.GaussianBlur(alpha, (0, 0), size / 40), away, (size, size))
    shade = 1 - rng.uniform(0, jitter.shadow) * shadow[..., np.newaxis]
    opaque = alpha[..., np.newaxis]
    laid = background * shade * (1 - opaque) + item * opaque
    return np.rint(laid).clip(0, 255).astype(np.uint8), alpha


def _stretched(placed: np.ndarray, middle: tuple[float, float], logarithm: float) -> np.ndarray:
    """The placement, float64 [2, 3], of an item that was stretched about its middle before.

    The width over the height grows by exp(`logarithm`), the area stays.
    """
    stretch = np.diag([np.exp(logarithm / 2), np.exp(-logarithm / 2)])
    turned = placed[:, :2] @ stretch
    return np.column_stack([turned, placed[:, 2] + (placed[:, :2] - turned) @ np.array(middle)])


def _soft(mask: np.ndarray) -> np.ndarray:
    """A mask as float32 [H, W], 0 to 1, its edge drawn in a little and softened.

    The outermost pixels of an item hold some of its old background.
    """
    wide = max(1, round(max(mask.shape) / 150))
    inner = _morph(cv2.MORPH_ERODE, mask, wide).astype(np.float32) / 255
    return cv2.GaussianBlur(inner, (0, 0), 0.6 * wide)


def fit_background(pixels: np.ndarray) -> Background:
    """Fit a background whose color changes linearly over the photo to its border, without outliers.

    Args:
        pixels: the photo, uint8 RGB [H, W, 3].
    """
    height, width = pixels.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y], axis=-1)
    ring = np.ones((height, width), bool)
    ring[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = False
    values = pixels.astype(np.float32)
    near = np.abs(values[ring] - _dominant(values[ring])).max(axis=1) < 20
    if near.sum() < 12:
        near[:] = True
    for _ in range(3):
        weights = np.linalg.lstsq(terms[ring][near], values[ring][near], rcond=None)[0]
        residual = np.abs(values[ring] - terms[ring] @ weights).max(axis=1)
        noise = float(np.median(residual[near]))
        near = residual <= np.clip(5 * noise, MIN_TOLERANCE, MAX_TOLERANCE)
        if near.sum() < 12:
            break
    tolerance = float(np.clip(5 * noise, MIN_TOLERANCE, MAX_TOLERANCE))
    distance = np.abs(values - terms @ weights).max(axis=-1).astype(np.float32)
    even = (distance[ring] <= tolerance).mean() >= MIN_PLAIN_BORDER
    return Background(distance, tolerance, bool(even and noise <= MAX_BORDER_NOISE))


def _dominant(colors: np.ndarray) -> np.ndarray:
    """The most frequent color among float [n, 3], to within a cell of 16 gray levels."""
    cells = (colors // 16).astype(np.int64) @ np.array([256, 16, 1])
    return np.median(colors[cells == np.bincount(cells).argmax()], axis=0)


def _flood(background: Background) -> np.ndarray:
    """Flood the background from the border; uint8 [H, W], 255 where the flood did not reach."""
    like_background = (background.distance <= background.tolerance).astype(np.uint8)
    framed = cv2.copyMakeBorder(like_background, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    cv2.floodFill(framed, None, (0, 0), 2, flags=4)
    return np.where(framed[1:-1, 1:-1] == 2, np.uint8(0), np.uint8(255))


def _repaired(flooded: np.ndarray, background: Background) -> np.ndarray | None:
    """Close the gaps through which the flood came into an item, else take the hull of its parts."""
    mask = _main_parts(flooded)
    if mask is None:
        return None
    peeled = _peeled(mask, background)
    if peeled is not None and _solidity(peeled) >= WHOLE_SOLIDITY:
        return peeled
    for radius in (2, 4, 7):
        closed = _filled(_morph(cv2.MORPH_CLOSE, mask, radius))
        if _solidity(closed) >= WHOLE_SOLIDITY:
            return _peeled(closed, background)
    hull = _hull(mask)
    between = np.median(background.distance[(hull > 0) & (mask == 0)])
    around = np.median(background.distance[hull == 0]) if (hull == 0).any() else 0.0
    # Real background between the parts looks like the background around; a white machine nearly
    # does.
    leaking = _solidity(mask) < LEAKING_SOLIDITY or between > around + 0.6
    return _peeled(hull if leaking else mask, background)


def _peeled(mask: np.ndarray, background: Background) -> np.ndarray | None:
    """Take off what JPEG and soft shadows left of the background around an item, in a thin band.

    None when little is left: what was thin belonged to the item.
    """
    band = (mask > 0) & (_morph(cv2.MORPH_ERODE, mask, 4) == 0)
    near = band & (background.distance <= 3 * max(background.tolerance, 8))
    like_background = Background(np.where(near | (mask == 0), 0, np.inf), 0.5, True)
    peeled = _main_parts(_morph(cv2.MORPH_OPEN, _flood(like_background), 1))
    kept = peeled is not None and np.count_nonzero(peeled) >= 0.6 * np.count_nonzero(mask)
    return peeled if kept else None


def _grabcut_item(pixels: np.ndarray) -> np.ndarray | None:
    """Segment by GrabCut: uint8 [H, W] 0 or 255; None when the mask is not plausible.

    At first all but a narrow border is taken for the item: a start from what stands out settles
    for the most striking part, the window of a microwave oven, the screen of a phone. On a
    background of several colors that start keeps some background; its outline, that lies on no
    edge, tells.
    """
    mask = _grabcut(pixels, border=0.03, initial_background=0)
    if mask is None or _outline_contrast(pixels, mask) >= MIN_OUTLINE_CONTRAST:
        return mask
    return _grabcut(pixels, border=0.016, initial_background=0.6)


def _grabcut(pixels: np.ndarray, border: float, initial_background: float) -> np.ndarray | None:
    """Separate an item from the border by GrabCut: uint8 [H, W] 0 or 255, None if not plausible.

    Args:
        pixels: the photo, uint8 RGB [H, W, 3].
        border: share of each side that is background for certain.
        initial_background: largest share of the rest that starts as background: the least salient.
    """
    whole = pixels.shape[1::-1]
    scale = min(1.0, GRABCUT_SIDE / max(whole))
    width, height = (max(8, round(side * scale)) for side in whole)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    left, top = (max(2, int(border * side)) for side in (width, height))
    inner = (slice(top, height - top), slice(left, width - left))
    state = np.full((height, width), cv2.GC_BGD, np.uint8)
    state[inner] = cv2.GC_PR_FGD
    if initial_background:
        salience = _salience(small)
        otsu = cv2.threshold(salience, 0, 255, cv2.THRESH_OTSU)[0]
        split = min(otsu, np.quantile(salience[inner], initial_background))
        state[inner][salience[inner] <= split] = cv2.GC_PR_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # GrabCut draws its start
    cv2.grabCut(  # type: ignore[call-overload]
        small, state, None, *models, GRABCUT_ITERATIONS, cv2.GC_INIT_WITH_MASK
    )
    found = np.where(state % 2 == 1, np.uint8(255), np.uint8(0))  # GC_FGD 1 and GC_PR_FGD 3
    mask = _shaped(np.where(cv2.resize(found, whole) > 127, np.uint8(255), np.uint8(0)))
    return mask if mask is not None and _plausible(mask, GRABCUT_LIMITS) else None


def _grabcut_near(pixels: np.ndarray, probability: np.ndarray) -> np.ndarray | None:
    """Segment by GrabCut from a predicted item: uint8 [H, W] 0 or 255, None if not plausible."""
    probability = cv2.resize(probability, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    around = np.ones((9, 9), np.uint8)
    state = np.where(probability > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    state[cv2.erode(probability, around) > CERTAIN_PROBABILITY] = cv2.GC_FGD
    state[cv2.dilate(probability, around) < 1 - CERTAIN_PROBABILITY] = cv2.GC_BGD
    if len(np.unique(state % 2)) == 2:  # GrabCut needs some of both
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)  # GrabCut draws its start
        cv2.grabCut(  # type: ignore[call-overload]
            pixels, state, None, *models, 2, cv2.GC_INIT_WITH_MASK
        )
    found = np.where(state % 2 == 1, np.uint8(255), np.uint8(0))  # GC_FGD 1 and GC_PR_FGD 3
    smooth = _morph(cv2.MORPH_OPEN, _morph(cv2.MORPH_CLOSE, found, 2), 2)
    mask = _main_parts(smooth, least=0.3)
    return mask if mask is not None and _plausible(mask, PREDICTED_LIMITS) else None


def _outline_contrast(pixels: np.ndarray, mask: np.ndarray) -> float:
    """Median color gradient along a mask's outline inside the photo; see `MIN_OUTLINE_CONTRAST`."""
    lab = _colors(pixels)
    changes = [cv2.Sobel(lab, cv2.CV_32F, *along) for along in ((1, 0), (0, 1))]
    change = cv2.dilate(np.sqrt(np.square(changes).sum(axis=(0, -1))), np.ones((3, 3)))
    outline = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    inside = (slice(BORDER_PX + 1, -BORDER_PX - 1),) * 2
    found = change[inside][outline[inside]]
    return float(np.median(found)) if found.size else 0.0


def _colors(pixels: np.ndarray) -> np.ndarray:
    """A photo, a little blurred, in CIELAB of 8 bits: float32 [H, W, 3]."""
    return cv2.cvtColor(cv2.GaussianBlur(pixels, (0, 0), 1), cv2.COLOR_RGB2LAB).astype(np.float32)


def _salience(pixels: np.ndarray) -> np.ndarray:
    """Distance of each place from the five commonest border colors, weighted to the middle.

    Returns:
        The salience, uint8 [H, W], 255 where it is greatest.
    """
    height, width = pixels.shape[:2]
    lab = _colors(pixels)
    edges = lab[:BORDER_PX], lab[-BORDER_PX:], lab[:, :BORDER_PX], lab[:, -BORDER_PX:]
    border = np.concatenate([edge.reshape(-1, 3) for edge in edges])[::3]
    cv2.setRNGSeed(0)  # k-means draws its start
    stop = (cv2.TERM_CRITERIA_MAX_ITER, 8, 0)
    _, _, centers = cv2.kmeans(  # type: ignore[call-overload]
        border, 5, None, stop, 1, cv2.KMEANS_PP_CENTERS
    )
    distance = np.linalg.norm(lab[:, :, np.newaxis] - centers, axis=-1).min(axis=-1)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    salience = (distance / max(1.0, distance.max()) + 0.5) * np.exp(-(x * x + y * y) / 0.8)
    return np.rint(255 * salience / salience.max()).astype(np.uint8)


def _shaped(grabbed: np.ndarray) -> np.ndarray | None:
    """The main part of what GrabCut found, its ragged edge smoothed; None when it found nothing."""
    mask = _main_parts(_morph(cv2.MORPH_OPEN, _morph(cv2.MORPH_CLOSE, grabbed, 2), 2), least=0.3)
    return _hull(mask) if mask is not None and _solidity(mask) >= 0.93 else mask


def _main_parts(mask: np.ndarray, least: float = 0.06) -> np.ndarray | None:
    """Parts, their holes filled, of at least the share `least` of the largest; None if none."""
    mask = _filled(mask)
    count, parts, figures, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        return None
    areas = figures[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.flatnonzero(areas >= least * areas.max())
    return np.where(np.isin(parts, kept), np.uint8(255), np.uint8(0))


def _filled(mask: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(mask), contours, -1, 255, cv2.FILLED)


def _hull(mask: np.ndarray) -> np.ndarray:
    hull = cv2.convexHull(cv2.findNonZero(mask))
    return cv2.fillConvexPoly(np.zeros_like(mask), hull, 255)


def _solidity(mask: np.ndarray) -> float:
    """Area over that of the convex hull, without what is thin, such as a cable; 0 to 1."""
    body = _morph(cv2.MORPH_OPEN, mask, 2)
    body = body if body.any() else mask
    return int(np.count_nonzero(body)) / max(1, int(np.count_nonzero(_hull(body))))


def _morph(operation: int, mask: np.ndarray, radius: int) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # Padded, so that closing does not stick to the border of the photo nor opening lose it.
    wide = cv2.copyMakeBorder(mask, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    return cv2.morphologyEx(wide, operation, disc)[radius:-radius, radius:-radius]


def _plausible(mask: np.ndarray, limits: MaskLimits) -> bool:
    inside = mask > 0
    border = np.concatenate([inside[0], inside[-1], inside[1:-1, 0], inside[1:-1, -1]])
    half = np.array(mask.shape) / 2
    off_center = np.abs(np.argwhere(inside).mean(axis=0) / half - 1) if inside.any() else 2
    return bool(
        limits.min_area <= inside.mean() <= limits.max_area
        and border.mean() <= limits.max_border
        and np.max(off_center) <= limits.max_off_center
        and _solidity(mask) >= limits.min_solidity
    )
