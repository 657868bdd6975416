"""Where the model looked, in the picture that was given."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.inference.activation import (
    Region,
    Spread,
    Whereabouts,
    heat_of,
    over_picture,
    whereabouts,
)
from edge.inference.classifier import Classifier
from edge.inference.preprocess import model_input
from tests.support.bright import BRIGHT, BRIGHT_LABELS, BRIGHT_PLACES, bright_square

FORMS = {"portrait": (300, 200), "landscape": (200, 300), "square": (240, 240)}
CORNERS = {
    Region.UPPER_LEFT: (0, 0),
    Region.UPPER_RIGHT: (0, 1),
    Region.LOWER_LEFT: (1, 0),
    Region.LOWER_RIGHT: (1, 1),
}
SIDE, MARGIN = 80, 15


@pytest.fixture(scope="module")
def bright() -> Classifier:
    return Classifier(BRIGHT, BRIGHT_LABELS, threads=1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("corner", CORNERS)
def test_the_maximum_is_at_a_bright_square(bright: Classifier, form: str, corner: Region) -> None:
    height, width = FORMS[form]
    top, left = (
        MARGIN + place * (length - 2 * MARGIN - SIDE)
        for place, length in zip(CORNERS[corner], (height, width), strict=True)
    )
    picture = bright_square(height, width, top, left, SIDE)
    _, activation_map = bright.predict_with_map(model_input(picture, bright.size))
    assert activation_map.shape == (BRIGHT_PLACES, BRIGHT_PLACES, len(BRIGHT_LABELS))
    heat = heat_of(activation_map, BRIGHT_LABELS.index("Battery"))
    over = over_picture(heat, height, width, max(height, width))
    assert over.shape == (height, width)
    y, x = np.unravel_index(over.argmax(), over.shape)
    assert top <= y < top + SIDE and left <= x < left + SIDE
    found = np.argwhere(over > 0.5).mean(axis=0)
    assert np.abs(found - (top + SIDE / 2, left + SIDE / 2)).max() < 12  # a place is 30 px or more
    assert whereabouts(heat, height, width) == Whereabouts(Spread.MOSTLY, corner)


def test_what_nothing_speaks_for_is_nowhere(bright: Classifier) -> None:
    _, activation_map = bright.predict_with_map(np.zeros((64, 64, 3), np.uint8))
    heat = heat_of(activation_map, BRIGHT_LABELS.index("PCB"))
    assert not heat.any()
    assert whereabouts(heat, 40, 30).spread is Spread.NOWHERE


def test_what_lies_in_the_padding_is_no_part_of_the_picture() -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[0] = 1
    assert whereabouts(heat, 100, 300) == Whereabouts(Spread.MOSTLY, Region.PADDING)
    assert whereabouts(heat, 300, 300).region is not Region.PADDING
    assert not over_picture(heat, 100, 300, 90).any()


def test_an_even_map_is_everywhere() -> None:
    assert whereabouts(np.ones((5, 5), np.float32), 200, 300).spread is Spread.EVERYWHERE


@given(
    height=st.integers(1, 400), width=st.integers(1, 400), seed=st.integers(0, 99), size=st.just(64)
)
def test_the_map_of_an_input_fits_its_picture(
    height: int, width: int, seed: int, size: int
) -> None:
    """What the input shows, taken for a map, must come out as the picture that it was made of."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 4, 1), np.uint8)
    coarse = np.repeat(noise, 3, axis=2)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    heat = model_input(picture, size)[..., 0].astype(np.float32) / 255
    over = over_picture(heat, height, width, 64)
    expected = cv2.resize(picture[..., 0], over.shape[::-1], interpolation=cv2.INTER_AREA) / 255
    assert max(over.shape) == 64 and 0 <= over.min() <= over.max() <= 1
    if min(height, width) >= 32:
        assert np.abs(over - expected).mean() < 0.04


def test_reading_the_map_changes_no_answer(bright: Classifier) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    plain = bright.predict_input(pixels)
    mapped, activation_map = bright.predict_with_map(pixels)
    assert np.array_equal(plain.logits, mapped.logits)
    np.testing.assert_allclose(activation_map.mean(axis=(0, 1)), plain.logits, atol=1e-4)
    assert set(bright.run(pixels)) == {"logits", "embedding"}, "the line reads no map"


def test_a_model_without_a_map_has_none(tiny_bundle: Path) -> None:
    labels = (tiny_bundle / "labels.txt").read_text().split("\n")[:-1]
    classifier = Classifier(tiny_bundle / "model.tflite", labels, threads=1)
    assert classifier.map_shape is None
    assert classifier.predict_with_map(np.zeros((48, 48, 3), np.uint8))[1] is None
