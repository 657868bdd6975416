"""Crops of known classes are refused; those that only look familiar to the bundle are not."""

import numpy as np
import pytest

from edge.errors import Refused
from edge.inference.ood import unit
from edge.labels import UNKNOWN
from edge.learned.guard import nearer_known, odd_crops


def around(center: np.ndarray, count: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.15, (count, len(center)))
    return unit(center + noise)


def odd(crops: np.ndarray, known: np.ndarray, believed: str = "Mouse") -> list[int]:
    names = [f"{number}.jpg" for number in range(len(crops))]
    familiarity = np.full(len(crops), 2.0)
    return odd_crops(names, [believed] * len(crops), familiarity, nearer_known(crops, known))


def test_crops_that_look_familiar_but_more_like_each_other_teach():
    axes = np.eye(20)
    known, new = around(axes[0], 60, 1), around(axes[0] + 3 * axes[1], 20, 2)
    of_known = around(axes[0], 20, 3)
    assert odd(new, known) == []
    assert odd(of_known, known, UNKNOWN) == [], "the bundle decides on none"
    with pytest.raises(Refused, match="the bundle knows .* of 20 crops already"):
        odd(of_known, known)
    assert odd(np.concatenate([new[:18], of_known[:2]]), known) == [18, 19]
