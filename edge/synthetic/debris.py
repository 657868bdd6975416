"""Drawn debris, which is not electronic waste: cardboard, bottles, cans, paper, wood, bags."""

import cv2
import numpy as np


def draw_debris(seed: int, size: int = 256) -> np.ndarray:
    """Draw one piece of debris: uint8 RGBA [size, size, 4], straight alpha.

    The same arguments give the same bytes.
    """
    rng = np.random.default_rng((10_000, seed))
    color, mask = _DRAWINGS[int(rng.integers(len(_DRAWINGS)))](rng, size)
    grain = rng.normal(0, 3, (size, size, 1)).astype(np.float32)
    return np.dstack([np.clip(color + grain, 0, 255).astype(np.uint8), mask])


def _polygon(size: int, points: np.ndarray) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask


def _outline(rng: np.random.Generator, size: int, corners: int, rough: float) -> np.ndarray:
    """A closed random outline around the middle, float [corners, 2], px."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = size * 0.45 * (1 - rough * rng.uniform(0, 1, corners))
    return size / 2 + reach[:, np.newaxis] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _even(size: int, color: tuple[float, float, float]) -> np.ndarray:
    return np.broadcast_to(np.array(color, np.float32), (size, size, 3)).copy()


def _stripes(size: int, every: float, depth: float) -> np.ndarray:
    wave = depth * np.sin(np.arange(size, dtype=np.float32) * 2 * np.pi / every)
    return wave[:, np.newaxis, np.newaxis]


def _cardboard(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    half = size * 0.45 * np.array([1.0, rng.uniform(0.5, 0.9)])
    corners = np.array([[-1, -1], [0.2, -1], [1, -1], [1, 0.1], [1, 1], [-0.3, 1], [-1, 1]])
    torn = corners * half * (1 - rng.uniform(0, 0.15, corners.shape)) + size / 2
    color = _even(size, (176, 140, 98)) * rng.uniform(0.8, 1.1) + _stripes(size, 9, 5)
    return color, _polygon(size, torn)


def _bottle(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    wide, neck = rng.uniform(0.14, 0.2) * size, 0.06 * size
    x = size / 2 + np.array([-wide, -wide, -neck, -neck, neck, neck, wide, wide])
    y = size * np.array([0.95, 0.35, 0.2, 0.05, 0.05, 0.2, 0.35, 0.95])
    across = (np.arange(size, dtype=np.float32) - size / 2) / wide
    shade = 200 - 60 * np.abs(across) + 40 * np.exp(-(((across + 0.4) / 0.15) ** 2))
    tint = np.array(rng.choice([(0.75, 0.9, 1.0), (0.6, 0.9, 0.65), (1, 1, 1)]), np.float32)
    color = _even(size, (0, 0, 0)) + shade[np.newaxis, :, np.newaxis] * tint
    color[int(0.05 * size) : int(0.12 * size)] = rng.uniform(30, 220, 3)
    if rng.uniform() < 0.7:
        color[int(0.5 * size) : int(0.7 * size)] = rng.uniform(60, 230, 3)
    return color, _polygon(size, np.stack([x, y], axis=1))


def _can(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    wide, high = rng.uniform(0.25, 0.32) * size, 0.45 * size
    box = np.array([[-wide, -high], [wide, -high], [wide, high], [-wide, high]])
    across = (np.arange(size, dtype=np.float32) - size / 2) / wide
    shade = 0.55 + 0.45 * np.cos(across * 1.4) ** 2
    color = _even(size, tuple(rng.uniform(40, 220, 3))) * shade[np.newaxis, :, np.newaxis]
    for edge in (-0.45, 0.38):
        rows = slice(int((0.5 + edge) * size), int((0.5 + edge + 0.07) * size))
        color[rows] = 205 * shade[np.newaxis, :, np.newaxis]
    return color, _polygon(size, box + size / 2)


def _paper(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    outline = _outline(rng, size, 14, 0.25)
    color = _even(size, (225, 224, 220))
    for _ in range(16):
        facet = rng.uniform(0.1, 0.9, (3, 2)) * size
        color += (_polygon(size, facet)[..., np.newaxis] / 255.0) * rng.uniform(-22, 14)
    return color, _polygon(size, cv2.convexHull(outline.astype(np.float32))[:, 0])


def _wood(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    half = size * np.array([0.47, rng.uniform(0.08, 0.2)])
    corners = np.array([[-1, -1], [1, -0.8], [1, 1], [-1, 0.8]])
    color = _even(size, (150, 112, 70)) + _stripes(size, rng.uniform(4, 9), 10)
    return color, _polygon(size, corners * half + size / 2)


def _bag(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    color = _even(size, tuple(rng.uniform(30, 235, 3)))
    other = rng.uniform(30, 235, 3)
    for _ in range(4):
        blob = _polygon(size, rng.uniform(0, 1, (5, 2)) * size)[..., np.newaxis] / 255.0
        color = color * (1 - 0.7 * blob) + other * 0.7 * blob
    return color, _polygon(size, _outline(rng, size, 20, 0.3))


_DRAWINGS = (_cardboard, _bottle, _can, _paper, _wood, _bag)
