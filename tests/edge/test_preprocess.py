import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.preprocess import float_input, model_input, to_square


@given(st.integers(1, 300), st.integers(1, 300), st.integers(8, 96))
def test_any_picture_becomes_a_square_of_the_models_size(height, width, size):
    answer = model_input(np.full((height, width, 3), 77, np.uint8), size)
    assert answer.shape == (size, size, 3) and answer.dtype == np.uint8
    assert (answer == 77).all()


def test_a_picture_of_the_right_size_is_left_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(model_input(pixels, 64), pixels)


def test_nothing_of_a_wide_picture_is_cut_off_or_distorted():
    wide = np.zeros((50, 100, 3), np.uint8)
    wide[20:30, 40:50] = 255
    square = to_square(wide)
    assert square.shape == (100, 100, 3)
    np.testing.assert_array_equal(square[25:75], wide)


def test_fine_stripes_average_instead_of_aliasing():
    stripes = np.zeros((960, 960, 3), np.uint8)
    stripes[:, ::2] = 255
    answer = model_input(stripes, 96).astype(int)
    assert abs(answer.mean() - 127) < 3 and answer.std() < 40


def test_the_float_form_is_centred():
    pixels = np.array([[[0, 117, 255]]], np.uint8)
    assert float_input(pixels).tolist() == [[[-117.0, 0.0, 138.0]]]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(ValueError, match="expected uint8 RGB"):
        model_input(wrong, 8)
