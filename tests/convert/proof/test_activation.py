"""How like Keras' activation maps others are."""

import numpy as np
import pytest

from convert.proof.activation import compare_maps
from convert.proof.parity import ModelOutputs


def outputs(maps: np.ndarray | None) -> ModelOutputs:
    """Of three images whose top class is the second."""
    logits = np.tile(np.array([0.0, 2.0, 1.0], np.float32), (3, 1))
    return ModelOutputs(logits, logits, np.zeros((3, 4), np.float32), maps)


def test_the_map_of_the_top_class_is_compared() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 5, 4, 3)).astype(np.float32)
    other = np.random.default_rng(1).normal(size=maps.shape).astype(np.float32)
    other[..., 1] = 7 * maps[..., 1] + 2
    same = compare_maps(outputs(maps), outputs(other))
    assert (same.height, same.width, same.images) == (5, 4, 3)
    assert same.median == pytest.approx(1) and same.holds
    maps[0] = 1.0  # an even map correlates with none
    found = compare_maps(outputs(maps), outputs(-other))
    assert found.images == 2 and found.median == pytest.approx(-1) and not found.holds


def test_a_map_that_lost_all_it_showed_does_not_hold() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 5, 5, 3)).astype(np.float32)
    assert compare_maps(outputs(maps), outputs(np.zeros_like(maps))).median == 0


def test_without_maps_there_is_nothing_to_compare() -> None:
    maps = np.ones((3, 5, 5, 3), np.float32)
    assert compare_maps(outputs(None), outputs(maps)) is None
    assert compare_maps(outputs(maps), outputs(None)) is None
    assert compare_maps(outputs(maps), outputs(maps)) is None, "none of them varies"
