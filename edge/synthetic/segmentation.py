"""The item of a photo without its background, and the item laid on another background."""

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 160
"""Longest side, px, at which items are cut out; larger photos are reduced to it first."""

GRAB_SIDE = 128
"""The same for GrabCut, whose time grows with the area."""

GRAB_STEPS = 5
"""Of GrabCut; after 3 it had not settled on some drawn wood."""

CLEAR = 60
"""Median change of color (Sobel, CIELAB in 8 bits) from which an outline lies on an edge; where
GrabCut parts a background from itself, as the streaks of wood, it is 30 to 50."""

RING = 3
"""Width, px, of the border from which the background is learned."""

LEAST, MOST = 3, 14
"""Least and most that a pixel of a plain background may differ from it, gray levels."""

ROUGH = 2
"""The median difference of a border from a smooth background, gray levels, up to which it is
plain.
"""

EVEN = 0.6
"""Share of the border that must fit one smooth color for the background to count as plain."""

SOLID, LEAKING = 0.85, 0.7
"""Area of an item over that of its convex hull: from SOLID on it is whole, under LEAKING the
flood ran through it."""


@dataclass(frozen=True)
class Belief:
    """What a mask must be like to be believed an item; all are shares, 0 to 1.

    Attributes:
        least_area, most_area: of the photo.
        most_border: of the photo's border that the item may touch; more, and it fills the picture.
        least_solidity: area over that of the convex hull.
        most_off_center: distance of its center from that of the photo, over half the photo's side.
    """

    least_area: float
    most_area: float
    most_border: float
    least_solidity: float
    most_off_center: float


FLOODED = Belief(0.03, 0.92, 0.3, 0.4, 0.6)
FILLING = Belief(0.3, 0.97, 0.42, 0.9, 0.6)  # it reaches the border, but is in one piece
GRABBED = Belief(0.13, 0.8, 0.35, 0.7, 0.35)
LIKELY = Belief(0.05, 0.92, 0.42, 0.6, 0.6)

SURE = 0.9
"""How likely all around a place must be item, or must not be, for it to be left at that."""


def cut_out(pixels: np.ndarray, likely: np.ndarray | None = None) -> np.ndarray | None:
    """Find the item of a photo, uint8 RGB [H, W, 3].

    A plain background, white or any smooth color, is flooded from the border; on any other
    background GrabCut separates what differs from the border (Rother, Kolmogorov, Blake, "GrabCut",
    SIGGRAPH 2004), or what is likely the item. A flood that ran through an item as white as its
    background is mended by closing the gaps, else by the convex hull.

    Args:
        pixels: the photo.
        likely: how likely each place is item, float32 [any, any] 0 to 1 over the photo, as
            `train.learning.segmenter` says; None: nobody knows.

    Returns uint8 [H, W], 255 on the item and 0 elsewhere; None when what was found is no believable
    item (too small, the whole picture, or in shreds), so that the photo is best kept as it is.
    """
    small = reduced(pixels)
    mask = _off_plain_background(small)
    if mask is None:
        mask = _grabbed(small) if likely is None else _grabbed_around(small, likely)
    return None if mask is None else _enlarged(mask, pixels)


def cut_off_plain_background(pixels: np.ndarray) -> np.ndarray | None:
    """The item of a photo, as of `cut_out`; None also when it does not lie on a plain
    background.
    """
    mask = _off_plain_background(reduced(pixels))
    return None if mask is None else _enlarged(mask, pixels)


def reduced(pixels: np.ndarray) -> np.ndarray:
    """A photo, uint8 RGB [H, W, 3], at the size at which items are cut out (`SIDE`)."""
    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _enlarged(mask: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    whole = cv2.resize(mask, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(whole > 127, np.uint8(255), np.uint8(0))


def _off_plain_background(pixels: np.ndarray) -> np.ndarray | None:
    background = fit_background(pixels)
    mask = _mended(_flood(background), background) if background.plain else None
    found = mask is not None and (_believable(mask, FLOODED) or _believable(mask, FILLING))
    return mask if found else None


@dataclass(frozen=True)
class Background:
    """How far a photo is from the smooth background that fits its border best.

    Attributes:
        distance: float32 [H, W], largest difference of R, G and B from the background, gray levels.
        tolerance: up to this distance a pixel is taken for background, gray levels.
        plain: whether the border is smooth, and most of it within the tolerance.
    """

    distance: np.ndarray
    tolerance: float
    plain: bool


@dataclass(frozen=True)
class Pose:
    """How freely an item is laid down.

    Attributes:
        turn_degrees: it is turned by up to this angle, either way.
        scales: least and greatest size, as a multiple of its size in its own photo.
        shift: its center is moved by up to this share of the picture's side, each way.
        shadow: deepest shadow, 0 (none) to 1 (black).
    """

    turn_degrees: float
    scales: tuple[float, float]
    shift: float
    shadow: float


ANYHOW = Pose(180, (0.6, 1.15), 0.12, 0.5)
AS_IT_WAS = Pose(0, (1, 1), 0, 0.35)


def paste(
    pixels: np.ndarray,
    mask: np.ndarray,
    background: np.ndarray,
    rng: np.random.Generator,
    pose: Pose = ANYHOW,
) -> np.ndarray:
    """Lay the item of a photo on another background, with a soft edge and a slight shadow.

    Args:
        pixels: the photo, uint8 RGB [H, W, 3].
        mask: its item, uint8 [H, W], 0 or 255 (`cut_out`).
        background: uint8 RGB [S, S, 3]; the photo's longer side is laid over S.
        rng: draws turn, size, place and shadow.
        pose: how far they may go.

    Returns uint8 RGB [S, S, 3].
    """
    return paste_and_mask(pixels, mask, background, rng, pose)[0]


def paste_and_mask(
    pixels: np.ndarray,
    mask: np.ndarray,
    background: np.ndarray,
    rng: np.random.Generator,
    pose: Pose = ANYHOW,
) -> tuple[np.ndarray, np.ndarray]:
    """As `paste`, and how much of each place is item, float32 [S, S] 0 to 1."""
    size = background.shape[0]
    height, width = mask.shape
    scale = size / max(height, width) * rng.uniform(*pose.scales)
    turn = rng.uniform(-pose.turn_degrees, pose.turn_degrees)
    placed = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, scale)
    placed[:, 2] += (size - 1) / 2 - np.array([width - 1, height - 1]) / 2
    placed[:, 2] += rng.uniform(-pose.shift, pose.shift, 2) * size
    item = cv2.warpAffine(pixels, placed, (size, size), borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(_soft(mask), placed, (size, size))
    away = np.float32([[1, 0, rng.uniform(-0.03, 0.03) * size], [0, 1, 0.015 * size]])
    shadow = cv2.warpAffine(cv2.GaussianBlur(alpha, (0, 0), size / 40), away, (size, size))
    shade = 1 - rng.uniform(0, pose.shadow) * shadow[..., np.newaxis]
    opaque = alpha[..., np.newaxis]
    laid = background * shade * (1 - opaque) + item * opaque
    return np.rint(laid).clip(0, 255).astype(np.uint8), alpha


def _soft(mask: np.ndarray) -> np.ndarray:
    """A mask as float32 [H, W], 0 to 1, its edge drawn in a little and softened.

    The outermost pixels of an item hold some of its old background.
    """
    wide = max(1, round(max(mask.shape) / 150))
    inner = _morph(cv2.MORPH_ERODE, mask, wide).astype(np.float32) / 255
    return cv2.GaussianBlur(inner, (0, 0), 0.6 * wide)


def fit_background(pixels: np.ndarray) -> Background:
    """Fit a background whose color changes linearly over the photo to its border, outliers
    aside.
    """
    height, width = pixels.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y], axis=-1)
    ring = np.ones((height, width), bool)
    ring[RING:-RING, RING:-RING] = False
    values = pixels.astype(np.float32)
    near = np.abs(values[ring] - _dominant(values[ring])).max(axis=1) < 20
    if near.sum() < 12:
        near[:] = True
    for _ in range(3):
        weights = np.linalg.lstsq(terms[ring][near], values[ring][near], rcond=None)[0]
        residual = np.abs(values[ring] - terms[ring] @ weights).max(axis=1)
        noise = float(np.median(residual[near]))
        near = residual <= np.clip(5 * noise, LEAST, MOST)
        if near.sum() < 12:
            break
    tolerance = float(np.clip(5 * noise, LEAST, MOST))
    distance = np.abs(values - terms @ weights).max(axis=-1).astype(np.float32)
    even = (distance[ring] <= tolerance).mean() >= EVEN
    return Background(distance, tolerance, bool(even and noise <= ROUGH))


def _dominant(colors: np.ndarray) -> np.ndarray:
    """The most frequent color among float [n, 3], to within a cell of 16 gray levels."""
    cells = (colors // 16).astype(np.int64) @ np.array([256, 16, 1])
    return np.median(colors[cells == np.bincount(cells).argmax()], axis=0)


def _flood(background: Background) -> np.ndarray:
    """What background-colored paths from the border do not reach, uint8 [H, W] 0 or 255."""
    like_background = (background.distance <= background.tolerance).astype(np.uint8)
    framed = cv2.copyMakeBorder(like_background, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    cv2.floodFill(framed, None, (0, 0), 2, flags=4)
    return np.where(framed[1:-1, 1:-1] == 2, np.uint8(0), np.uint8(255))


def _mended(flooded: np.ndarray, background: Background) -> np.ndarray | None:
    """Close the gaps through which the flood came into an item, else take the hull of its parts."""
    mask = _main_parts(flooded)
    if mask is None:
        return None
    peeled = _peeled(mask, background)
    if peeled is not None and _solidity(peeled) >= SOLID:
        return peeled
    for radius in (2, 4, 7):
        closed = _filled(_morph(cv2.MORPH_CLOSE, mask, radius))
        if _solidity(closed) >= SOLID:
            return _peeled(closed, background)
    hull = _hull(mask)
    between = np.median(background.distance[(hull > 0) & (mask == 0)])
    around = np.median(background.distance[hull == 0]) if (hull == 0).any() else 0.0
    # Real background between the parts looks like the background around; a white machine nearly
    # does.
    leaking = _solidity(mask) < LEAKING or between > around + 0.6
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


def _grabbed(pixels: np.ndarray) -> np.ndarray | None:
    """The item by GrabCut, uint8 [H, W] 0 or 255; None when what was found is not believable.

    At first all but a narrow border is taken for the item: a start from what stands out settles
    for the most striking part, the window of a microwave oven, the screen of a phone. On a
    background of several colors that start keeps some background; its outline, that lies on no
    edge, tells.
    """
    mask = _grab(pixels, border=0.03, likely_background=0)
    if mask is None or _clearness(pixels, mask) >= CLEAR:
        return mask
    return _grab(pixels, border=0.016, likely_background=0.6)


def _grab(pixels: np.ndarray, border: float, likely_background: float) -> np.ndarray | None:
    """What GrabCut tells apart from the border and what is like it, uint8 [H, W] 0 or 255.

    None when it is not believable.

    Args:
        pixels: the photo, uint8 RGB [H, W, 3].
        border: share of each side that is background for certain.
        likely_background: share of the rest, at most, that is taken for background to begin with:
            what stands out least.
    """
    whole = pixels.shape[1::-1]
    scale = min(1.0, GRAB_SIDE / max(whole))
    width, height = (max(8, round(side * scale)) for side in whole)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    left, top = (max(2, int(border * side)) for side in (width, height))
    inner = (slice(top, height - top), slice(left, width - left))
    state = np.full((height, width), cv2.GC_BGD, np.uint8)
    state[inner] = cv2.GC_PR_FGD
    if likely_background:
        salience = _salience(small)
        otsu = cv2.threshold(salience, 0, 255, cv2.THRESH_OTSU)[0]
        split = min(otsu, np.quantile(salience[inner], likely_background))
        state[inner][salience[inner] <= split] = cv2.GC_PR_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # GrabCut draws its start
    cv2.grabCut(small, state, None, *models, GRAB_STEPS, cv2.GC_INIT_WITH_MASK)
    found = np.where(state % 2 == 1, np.uint8(255), np.uint8(0))  # GC_FGD 1 and GC_PR_FGD 3
    mask = _shaped(np.where(cv2.resize(found, whole) > 127, np.uint8(255), np.uint8(0)))
    return mask if mask is not None and _believable(mask, GRABBED) else None


def _grabbed_around(pixels: np.ndarray, likely: np.ndarray) -> np.ndarray | None:
    """The item by GrabCut, uint8 [H, W] 0 or 255, which starts from what is likely the item.

    None when it is not believable.
    """
    likely = cv2.resize(likely, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    around = np.ones((9, 9), np.uint8)
    state = np.where(likely > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    state[cv2.erode(likely, around) > SURE] = cv2.GC_FGD
    state[cv2.dilate(likely, around) < 1 - SURE] = cv2.GC_BGD
    if len(np.unique(state % 2)) == 2:  # GrabCut needs some of both
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)  # GrabCut draws its start
        cv2.grabCut(pixels, state, None, *models, 2, cv2.GC_INIT_WITH_MASK)
    found = np.where(state % 2 == 1, np.uint8(255), np.uint8(0))  # GC_FGD 1 and GC_PR_FGD 3
    smooth = _morph(cv2.MORPH_OPEN, _morph(cv2.MORPH_CLOSE, found, 2), 2)
    mask = _main_parts(smooth, least=0.3)
    return mask if mask is not None and _believable(mask, LIKELY) else None


def _clearness(pixels: np.ndarray, mask: np.ndarray) -> float:
    """The median change of color along a mask's outline, the photo's border aside; see `CLEAR`."""
    lab = _colors(pixels)
    changes = [cv2.Sobel(lab, cv2.CV_32F, *along) for along in ((1, 0), (0, 1))]
    change = cv2.dilate(np.sqrt(np.square(changes).sum(axis=(0, -1))), np.ones((3, 3)))
    outline = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    inside = (slice(RING + 1, -RING - 1),) * 2
    found = change[inside][outline[inside]]
    return float(np.median(found)) if found.size else 0.0


def _colors(pixels: np.ndarray) -> np.ndarray:
    """A photo, a little blurred, in CIELAB of 8 bits: float32 [H, W, 3]."""
    return cv2.cvtColor(cv2.GaussianBlur(pixels, (0, 0), 1), cv2.COLOR_RGB2LAB).astype(np.float32)


def _salience(pixels: np.ndarray) -> np.ndarray:
    """How far each place is from the five commonest colors of the border, more in the middle.

    Returns uint8 [H, W], 255 where it is farthest.
    """
    height, width = pixels.shape[:2]
    lab = _colors(pixels)
    edges = lab[:RING], lab[-RING:], lab[:, :RING], lab[:, -RING:]
    border = np.concatenate([edge.reshape(-1, 3) for edge in edges])[::3]
    cv2.setRNGSeed(0)  # k-means draws its start
    stop = (cv2.TERM_CRITERIA_MAX_ITER, 8, 0)
    _, _, centers = cv2.kmeans(border, 5, None, stop, 1, cv2.KMEANS_PP_CENTERS)
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
    return float(np.count_nonzero(body) / max(1, np.count_nonzero(_hull(body))))


def _morph(operation: int, mask: np.ndarray, radius: int) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # Padded, so that closing does not stick to the border of the photo nor opening lose it.
    wide = cv2.copyMakeBorder(mask, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    return cv2.morphologyEx(wide, operation, disc)[radius:-radius, radius:-radius]


def _believable(mask: np.ndarray, belief: Belief) -> bool:
    inside = mask > 0
    border = np.concatenate([inside[0], inside[-1], inside[1:-1, 0], inside[1:-1, -1]])
    half = np.array(mask.shape) / 2
    off_center = np.abs(np.argwhere(inside).mean(axis=0) / half - 1) if inside.any() else 2
    return bool(
        belief.least_area <= inside.mean() <= belief.most_area
        and border.mean() <= belief.most_border
        and np.max(off_center) <= belief.most_off_center
        and _solidity(mask) >= belief.least_solidity
    )
