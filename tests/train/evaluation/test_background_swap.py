import cv2
import numpy as np
import pytest

from train.evaluation.background_swap import SegmentedItem, on_background, turned

ITEM = (200, 30, 30)


def bar(height: int = 100, width: int = 150) -> SegmentedItem:
    """A red bar off the middle of a gray photo."""
    mask = np.zeros((height, width), np.uint8)
    cv2.rectangle(mask, (20, 30), (109, 59), 255, cv2.FILLED)
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[mask > 0] = ITEM
    return SegmentedItem(index=0, label="Bar", pixels=pixels, mask=mask, lends=False)


@pytest.mark.parametrize("degrees", [0, 30, 90, -135, 180])
def test_a_turned_item_is_in_the_middle_and_as_long(degrees):
    item = bar()
    pixels, mask = turned(item.pixels, item.mask, degrees)
    assert pixels.shape == (150, 150, 3) and mask.shape == (150, 150)
    left, top, width, height = cv2.boundingRect(mask)
    assert max(width, height) == pytest.approx(90, abs=2)
    assert left + width / 2 == pytest.approx(75, abs=1.5)
    assert top + height / 2 == pytest.approx(75, abs=1.5)
    inner = cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0
    assert (np.abs(pixels[inner].astype(int) - ITEM) <= 2).all()
    (_, sides, _) = cv2.minAreaRect(cv2.findNonZero(mask))
    assert max(sides) / min(sides) == pytest.approx(3, rel=0.1)


def test_the_belt_is_the_same_under_the_turned_item():
    item = bar()
    ((upright,), (at_an_angle,)) = (
        list(on_background([item], [item], name, 96, 5)) for name in ("belt", "turned")
    )
    rim = np.ones((96, 96), bool)
    rim[4:-4, 4:-4] = False
    assert np.abs(upright[rim].astype(int) - at_an_angle[rim]).max() <= 12
    assert np.abs(upright.astype(int) - at_an_angle).max() > 100
