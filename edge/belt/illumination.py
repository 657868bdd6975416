"""How the light on the belt changes from frame to frame: flicker, drift, and shadows that wander.

Such changes are smooth over the view, slow from one frame to the next, and the same for all
colors. Items are none of it.
"""

import math

import cv2
import numpy as np

STEP = 8  # only every eighth row and column of the reduced frame is used
ALONG, ACROSS = 8, 1  # degrees of the polynomial in x and y that stands for the light
NEAR_LOG_LIGHT = 0.08  # change of a cell's light, as a logarithm, that is not taken for an item
LEAST_SHARE = 0.2  # of the cells must be belt, or the light stays as it was
RIDGE = 0.005  # holds back terms that too little belt speaks for, toward what they were
LOG_BOUNDS = math.log(0.25), math.log(2.5)  # the darkest and the brightest light


class Illumination:
    """Follows the light, as a share of that in which the belt's look was learned."""

    def __init__(self, width: int, height: int) -> None:
        """Start with the light unchanged, for reduced frames of `width` x `height` cells."""
        y, x = np.meshgrid(
            np.linspace(-1, 1, -(-height // STEP), dtype=np.float32),
            np.linspace(-1, 1, -(-width // STEP), dtype=np.float32),
            indexing="ij",
        )
        terms = [
            np.polynomial.legendre.legval(x, np.eye(ALONG + 1)[i])
            * np.polynomial.legendre.legval(y, np.eye(ACROSS + 1)[j])
            for i in range(ALONG + 1)
            for j in range(ACROSS + 1)
        ]
        self._terms = np.stack(terms, axis=-1).astype(np.float32).reshape(-1, len(terms))
        self._factors = np.zeros(len(terms), np.float32)
        self._ridge = RIDGE * np.eye(len(terms), dtype=np.float32)
        self._ridge[0, 0] = 0
        self._log_light = np.zeros(x.shape, np.float32)  # that of the factors

    def follow(self, small: np.ndarray, belt: np.ndarray) -> np.ndarray:
        """Take in a frame; how bright the light is on it.

        Args:
            small: the reduced frame, uint8 [h, w, 3].
            belt: the belt's look in the first light, float32 [h, w, 3].

        Returns:
            At every `STEP`-th cell, float32 [h / STEP, w / STEP] rounded up; 1 where nothing has
            changed.
        """
        off = np.log(_brightness(small) / _brightness(belt)) - self._log_light
        # A lamp's flicker is the same everywhere, and may be large: it comes off first.
        common = _commonest(off[::2, ::2])
        near = np.abs(off - common) < NEAR_LOG_LIGHT
        if np.count_nonzero(near) < LEAST_SHARE * near.size:
            return np.exp(self._log_light)
        terms, target = np.compress(near.ravel(), self._terms, axis=0), off[near]
        normal = terms.T @ terms + len(target) * self._ridge
        moment = (terms.T @ target)[:, np.newaxis]
        # OpenCV's, as it takes half of the time of NumPy's for so few unknowns.
        solved, factors = cv2.solve(normal, moment, flags=cv2.DECOMP_CHOLESKY)
        if solved:
            self._factors += factors[:, 0]
            self._log_light = (self._terms @ self._factors).reshape(near.shape)
        return np.exp(np.clip(self._log_light, *LOG_BOUNDS))


def _brightness(image: np.ndarray) -> np.ndarray:
    """The sum over the colors of every `STEP`-th cell, float32, at least 3."""
    cells = image[::STEP, ::STEP].astype(np.float32)
    return np.maximum(cells[..., 0] + cells[..., 1] + cells[..., 2], np.float32(3))


def _commonest(values: np.ndarray) -> float:
    """Where the values, float of any shape, lie densest within a window of `NEAR_LOG_LIGHT`."""
    ordered = np.sort(values, axis=None)
    ends = ordered.searchsorted(ordered + np.float32(NEAR_LOG_LIGHT))
    place = int((ends - np.arange(len(ordered))).argmax())
    return float(ordered[(place + int(ends[place]) - 1) // 2])  # they are in order: the median
