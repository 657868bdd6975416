import numpy as np
import pytest

from edge.cameras.health import PictureCheck

NOISE = np.random.default_rng(1)


def picture(low=60, high=90, width=320, height=240):
    return NOISE.integers(low, high, (height, width, 3), np.uint8)


def test_living_pictures_have_no_fault_and_neither_has_a_still_belt_for_a_while():
    check = PictureCheck(320, 240, frozen_s=2.0)
    assert all(check.fault(picture(), at / 10) is None for at in range(100))
    still = picture()
    assert all(check.fault(still, 10 + at / 10) is None for at in range(20))


def test_pictures_without_one_change_are_frozen_until_one_changes():
    check, still = PictureCheck(320, 240, frozen_s=2.0), picture()
    assert check.fault(still, 0.0) is None and check.fault(still, 1.9) is None
    fault = check.fault(still, 2.1)
    assert "frozen" in fault.reason and fault.reopen
    assert check.fault(picture(), 2.2) is None
    again = PictureCheck(320, 240, 2.0, fault.frozen_picture)
    assert "frozen" in again.fault(still, 0.0).reason and again.fault(picture(), 0.1) is None
    unchecked = PictureCheck(320, 240, frozen_s=0)
    assert all(unchecked.fault(still, at) is None for at in range(100))


@pytest.mark.parametrize(("width", "height"), [(160, 120), (640, 240), (240, 320)])
def test_another_size_is_reported_with_both_sizes(width, height):
    fault = PictureCheck(320, 240, 2.0).fault(picture(width=width, height=height), 0.0)
    assert f"{width}x{height}" in fault.reason and "320x240" in fault.reason


def test_black_is_reported_but_a_dark_belt_is_none():
    check = PictureCheck(320, 240, 2.0)
    black = picture(0, 12)
    black[8, 8] = 255  # a hot pixel
    assert "black" in check.fault(black, 0.0).reason
    assert not check.fault(picture(0, 12), 0.1).reopen
    assert check.fault(picture(10, 30), 0.2) is None
