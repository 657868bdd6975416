"""Photos of the same picture, whatever became of it: compressed, rescaled, mirrored, cropped.

A perceptual hash and a coarse map of the edges name the candidates. They see little but where it is
light and dark, and most items on white background are dark in the middle; so each pair is then laid
over each other and compared in its details. Copies that lost or gained a wide border may escape.
"""

import hashlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIZE = 96
"""Pictures are compared at this width and height, px; a silhouette alone is a small part of it."""

HASH_CELLS = 8
NEAR_HASH, FAR_HASH = 14, 24
"""Bits (of 63) in which the hashes of candidates differ at most: of all, and of those whose edge
maps correlate by EDGES or more. Chance pairs differ in 31 +- 4; a cut border moves many bits."""
EDGES = 0.65

SAME = 0.7
"""Least structural similarity of copies. Among 3000 photos of the E-Waste Image Dataset, the pairs
above it are one picture, or one item in the next shot; different items of one kind on white
background are below, but for a few plain white machines."""

ALIKE_ROUGHLY = 0.3
CORRELATED = 0.8
STRETCH, ZOOM, OVERLAP = 1.2, 1.45, 0.5
FLAT = 4.0
"""Gray levels: windows with a smaller deviation in both pictures are background and say nothing."""


def find_groups(pixels: Sequence[np.ndarray]) -> np.ndarray:
    """Group the copies among pictures.

    Args:
        pixels: uint8 RGB [height, width, 3] each; resized here, without regard to proportions.

    Returns int64 [pictures]: the index of the first picture of the group each belongs to, its own
    where it has no copy. Copies of copies are one group.
    """
    count = len(pixels)
    first_of: dict[str, int] = {}
    pairs = [
        (first_of.setdefault(digest(picture), index), index) for index, picture in enumerate(pixels)
    ]
    found = _components(count, pairs)
    grays = np.stack([_gray(picture) for picture in pixels])
    for first, second, mirrored in candidates(grays):
        if found[first] == found[second]:
            continue
        other = grays[second][:, ::-1] if mirrored else grays[second]
        if similarity(grays[first], other) >= SAME:
            pairs.append((first, second))
            found = _components(count, pairs)
    return found


def without_copies(pixels: Sequence[np.ndarray], judged: Sequence[np.ndarray]) -> np.ndarray:
    """Find the pictures that have no copy among those that a model is judged by.

    Args:
        pixels: uint8 RGB [height, width, 3] each.
        judged: the same.

    Returns int64, the indices of these pictures in order.
    """
    groups = find_groups([*judged, *pixels])
    return np.flatnonzero(~np.isin(groups[len(judged) :], groups[: len(judged)]))


def _components(count: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """The first index of the connected component of each of `count` nodes, int64 [count]."""
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    edges = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    _, component = connected_components(edges, directed=False)
    _, representative = np.unique(component, return_index=True)
    return representative[component].astype(np.int64)


def digest(picture: np.ndarray) -> str:
    """SHA-256 of the size and the pixels of a uint8 picture."""
    return hashlib.sha256(str(picture.shape).encode() + picture.tobytes()).hexdigest()


def candidates(grays: np.ndarray) -> Iterator[tuple[int, int, bool]]:
    """Pairs (first, second, the second mirrored) of uint8 [pictures, SIZE, SIZE] worth a look.

    Each pair comes at most once, the first before the second.
    """
    mirrored = grays[:, :, ::-1]
    hashes, hashes_mirrored = perceptual_hashes(grays), perceptual_hashes(mirrored)
    edges, edges_mirrored = edge_maps(grays), edge_maps(mirrored)
    bits = hashes.shape[1]
    for first in range(len(grays) - 1):
        rest = slice(first + 1, None)
        alike = np.stack([edges[rest] @ edges[first], edges_mirrored[rest] @ edges[first]])
        # Of +-1 vectors, the product is the number of equal bits less that of different ones.
        equal = np.stack([hashes[rest] @ hashes[first], hashes_mirrored[rest] @ hashes[first]])
        apart = (bits - equal.max(axis=0)) / 2
        chosen = (apart <= NEAR_HASH) | ((apart <= FAR_HASH) & (alike.max(axis=0) >= EDGES))
        for offset in np.flatnonzero(chosen):
            yield first, first + 1 + int(offset), bool(alike[1, offset] > alike[0, offset])


def perceptual_hashes(grays: np.ndarray) -> np.ndarray:
    """The pHash of uint8 [pictures, height, width]: +-1 as float32 [pictures, 63].

    Signs, about their median, of the lowest frequencies of the cosine transform, without the mean
    (C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010).
    """
    hashes = np.empty((len(grays), HASH_CELLS**2 - 1), np.float32)
    for index, gray in enumerate(grays):
        low = cv2.dct(_shrink(gray, 32))[:HASH_CELLS, :HASH_CELLS].ravel()[1:]
        hashes[index] = np.where(low > np.median(low), 1, -1)
    return hashes


def edge_maps(grays: np.ndarray) -> np.ndarray:
    """Where uint8 [pictures, height, width] have edges: float32 [pictures, 1024].

    Zero mean and unit length, so that the product of two is their correlation.
    """
    maps = np.empty((len(grays), 32 * 32), np.float32)
    for index, gray in enumerate(grays):
        smooth = cv2.GaussianBlur(_shrink(gray, 32), (0, 0), 1)
        across, down = (cv2.Sobel(smooth, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1)))
        maps[index] = cv2.GaussianBlur(cv2.magnitude(across, down), (0, 0), 1).ravel()
    maps -= maps.mean(axis=1, keepdims=True)
    return maps / np.maximum(np.linalg.norm(maps, axis=1, keepdims=True), 1e-6)


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Structural similarity, up to 1, of two uint8 [SIZE, SIZE] pictures laid over each other.

    Aligned by enhanced correlation (Evangelidis and Psarakis, 2008), roughly and then finely; 0 or
    little where no small shift, turn, zoom and stretch lays one over the other. Only windows with
    something in them count, be it in one of the two.
    """
    base, other = _shrink(first, SIZE), _shrink(second, SIZE)
    upright = np.eye(2, 3, dtype=np.float32)
    as_they_are = _structure(base, other, upright)
    if as_they_are >= SAME:
        return as_they_are
    try:
        half = SIZE // 2
        correlation, warp = cv2.findTransformECC(  # type: ignore[call-overload]
            _shrink(first, half), _shrink(second, half), upright, *_until(40, 1e-3), None, 3
        )
        warp[:, 2] *= SIZE / half
        if correlation < CORRELATED or _structure(base, other, warp) < ALIKE_ROUGHLY:
            return as_they_are
        _, warp = cv2.findTransformECC(  # type: ignore[call-overload]
            base, other, warp, *_until(50, 1e-5), None, 5
        )
    except cv2.error:  # it does not converge: they have nothing in common
        return as_they_are
    longest, shortest = np.linalg.svd(warp[:, :2])[1]
    if longest > ZOOM or shortest < 1 / ZOOM or longest / shortest > STRETCH:
        return as_they_are
    return max(as_they_are, _structure(base, other, warp))


def _until(rounds: int, gain: float) -> tuple[int, tuple[int, int, float]]:
    return cv2.MOTION_AFFINE, (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, rounds, gain)


def _gray(picture: np.ndarray) -> np.ndarray:
    small = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def _shrink(gray: np.ndarray, side: int) -> np.ndarray:
    resized = cv2.resize(np.ascontiguousarray(gray), (side, side), interpolation=cv2.INTER_AREA)
    return resized.astype(np.float32)


def _structure(base: np.ndarray, other: np.ndarray, warp: np.ndarray) -> float:
    """Mean of SSIM's contrast and structure terms (Wang et al., 2004) of float32 [SIZE, SIZE].

    `warp` [2, 3] leads from a place in `base` to that in `other`.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(other, warp, base.shape, flags=flags)
    inside = cv2.warpAffine(np.ones_like(other), warp, base.shape, flags=flags) > 0.99

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (0, 0), 1.5)

    base_mean, laid_mean = mean(base), mean(laid)
    base_variance = mean(base * base) - base_mean**2
    laid_variance = mean(laid * laid) - laid_mean**2
    covariance = mean(base * laid) - base_mean * laid_mean
    textured = inside & (np.maximum(base_variance, laid_variance) > FLAT**2)
    if inside.mean() < OVERLAP or not textured.any():
        return 0.0
    stable = 9.0
    likeness = (2 * covariance + stable) / (base_variance + laid_variance + stable)
    return float(likeness[textured].mean())
