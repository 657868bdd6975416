import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.belt.detector import LEAST_DIFFERENCE
from edge.belt.illumination import Illumination

HEIGHT, WIDTH = 180, 320
BELT = np.full((HEIGHT, WIDTH, 3), (76, 86, 78), np.float32)
X = np.linspace(0, 1, WIDTH, dtype=np.float32)


def shadow(center, depth):
    """A soft shadow across the belt, as a share of the light, float32 [WIDTH]."""
    return 1 - depth * np.exp(-(((X - center) / 0.25) ** 2))


def followed_at(light, frame):
    """The light at each cell of a frame, float32 [HEIGHT, WIDTH]."""
    return cv2.resize(light.follow(frame, BELT), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)


def test_an_unchanged_light_is_left_alone():
    light = followed_at(Illumination(WIDTH, HEIGHT), BELT)
    assert np.abs(light - 1).max() < 1e-3


@settings(max_examples=25, deadline=None)
@given(
    depth=st.floats(0, 0.45),
    flicker=st.floats(0, 0.2),
    item_x=st.integers(0, WIDTH - 90),
    gray=st.floats(0.0, 0.5) | st.floats(1.5, 2.8),
)
def test_a_shadow_that_wanders_and_a_lamp_that_flickers_are_distinguished_from_an_item(
    depth, flicker, item_x, gray
):
    light = Illumination(WIDTH, HEIGHT)
    rng = np.random.default_rng(0)
    for step in range(60):
        true = shadow(-0.5 + step / 40, depth) * (1 + flicker * np.sin(step * 2.1))
        frame = BELT * true[np.newaxis, :, np.newaxis]
        frame[50:130, item_x : item_x + 90] *= gray
        followed = followed_at(light, frame + rng.normal(0, 0.7, frame.shape).astype(np.float32))
        off = np.abs(followed / true[np.newaxis] - 1)
        off[50:130, item_x : item_x + 90] = 0  # whatever it says under the item
        # Nowhere does the belt look like an item.
        assert (off[..., np.newaxis] * frame).max() < LEAST_DIFFERENCE


def test_a_view_full_of_items_leaves_the_light_as_it_was():
    light = Illumination(WIDTH, HEIGHT)
    followed_at(light, BELT * 0.8)
    rng = np.random.default_rng(1)
    crowd = rng.uniform(0, 255, BELT.shape).astype(np.float32)
    assert np.abs(followed_at(light, crowd) - 0.8).max() < 0.1
