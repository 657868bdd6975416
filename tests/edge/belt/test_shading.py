import cv2
import numpy as np

from edge.belt.shading import shaded

ALL = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 256, axis=1)


def test_every_product_is_rounded_to_the_nearest_level() -> None:
    for scale in (1 / 255, 1 / 100, 0.93 / 255):
        exact = ALL.astype(float) * ALL.T * scale
        off = np.abs(shaded(ALL, ALL.T.copy(), scale) - exact.clip(0, 255))
        assert off.max() < 0.5001


def test_the_product_has_the_bits_of_that_of_opencv() -> None:
    product = cv2.multiply(ALL, ALL.T.copy(), dtype=cv2.CV_16U)
    for scale in (1 / 255, 1 / 100):
        expected = cv2.convertScaleAbs(product, alpha=scale)
        np.testing.assert_array_equal(shaded(ALL, ALL.T.copy(), scale), expected)


def test_the_result_goes_where_it_is_asked_for() -> None:
    whole = np.full((8, 8, 3), 200, np.uint8)
    part = whole[2:4, 3:6]
    shaded(part, np.full((2, 3, 3), 51, np.uint8), 1 / 255, dst=part)
    assert (whole[2:4, 3:6] == 40).all() and whole.sum() == 40 * 18 + 200 * (192 - 18)
