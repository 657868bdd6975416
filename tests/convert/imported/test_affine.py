"""Preprocessing as an affine map."""

import keras
import numpy as np
import pytest

from convert.imported.affine import PREPROCESSINGS, preprocessing_map
from convert.imported.pipeline import preprocess
from edge.inference.preprocess import float_input

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", PREPROCESSINGS)
def test_the_map_of_the_devices_input_is_what_keras_computes_of_rgb(mode: str) -> None:
    found = preprocessing_map(mode)
    mapped = float_input(PIXELS) @ found.matrix + found.offset
    assert np.abs(mapped - preprocess(PIXELS, mode)).max() < 1e-4


@pytest.mark.parametrize("mode", PREPROCESSINGS)
def test_a_convolution_with_the_map_merged_computes_the_same(mode: str) -> None:
    generator = np.random.default_rng(1)
    kernel, bias = generator.normal(size=(3, 3, 3, 5)), generator.normal(size=5)
    conv = keras.layers.Conv2D(5, 3)
    conv.build((None, 8, 8, 3))
    conv.set_weights([kernel, bias])
    expected = np.asarray(conv(preprocess(PIXELS, mode)))
    conv.set_weights(preprocessing_map(mode).merge(kernel, bias))
    assert np.abs(np.asarray(conv(float_input(PIXELS))) - expected).max() < 1e-3


def test_only_a_map_without_offset_keeps_zeros() -> None:
    assert not any(preprocessing_map(mode).keeps_zero for mode in PREPROCESSINGS)
    assert preprocessing_map("raw").shifted(np.array(-117.0)).keeps_zero
