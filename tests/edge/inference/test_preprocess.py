import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.inference.preprocess import float_input, model_input, resize_square, to_square


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


def test_the_float_form_is_centered():
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


@pytest.mark.parametrize(
    ("height", "width"), [(300, 5001), (5001, 300), (1, 4097), (4500, 2), (2000, 6001)]
)
def test_a_long_picture_becomes_what_padding_it_whole_would_make_of_it(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    whole = resize_square(to_square(pixels), 96).astype(int)
    assert np.abs(model_input(pixels, 96).astype(int) - whole).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (3, 4096), (4000, 6000), (10, 7)])
def test_an_ordinary_picture_is_padded_first_to_the_last_bit(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    np.testing.assert_array_equal(model_input(pixels, 64), resize_square(to_square(pixels), 64))


@given(st.integers(2, 7), st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_a_frame_that_is_padded_last_has_the_same_bits(step, shorter, side, seed):
    shape = (step * min(shorter, 2 * side), step * 2 * side, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    for turned in (pixels, pixels.transpose(1, 0, 2).copy(), pixels[:, ::-1], pixels[::-1, 1:]):
        expected = resize_square(to_square(turned), side)
        np.testing.assert_array_equal(model_input(turned, side), expected)


@pytest.mark.parametrize("shape", [(480, 640), (720, 1280), (1080, 1920), (1280, 720)])
def test_the_frames_of_cameras_are_padded_last_to_the_last_bit(shape):
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    np.testing.assert_array_equal(model_input(pixels, 160), resize_square(to_square(pixels), 160))


def test_a_strip_takes_no_more_memory_than_its_square_of_the_models_size():
    tracemalloc.start()
    answer = model_input(np.full((60_000, 100, 3), 90, np.uint8), 224)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (answer == 90).all()
    assert peak < 150e6  # the picture 18 MB; the square around it would be 10,800 MB
