"""What items are laid on, and what is left of a photo without its item."""

import cv2
import numpy as np

from train.augmentation import backgrounds

SIDE = 160


def plain(color: tuple[int, int, int]) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), color, np.uint8)


def test_backgrounds_look_like_their_names():
    rng = np.random.default_rng(0)
    white, black, belt = (
        each(rng, 96) for each in (backgrounds.white, backgrounds.black, backgrounds.belt)
    )
    assert white.shape == black.shape == belt.shape == (96, 96, 3)
    assert white.min() >= 245 and black.max() < 20
    assert 30 < belt.mean() < 140 and belt.std() > 2
    for _ in range(20):
        gray, brown, rough = (
            each(rng, 96) for each in (backgrounds.gray, backgrounds.brown, backgrounds.textured)
        )
        assert gray.shape == brown.shape == rough.shape == (96, 96, 3)
        assert np.ptp(gray.mean(axis=(0, 1))) < 15
        assert brown[..., 0].mean() > brown[..., 2].mean()
        assert np.diff(rough.astype(int), axis=0).std() > np.diff(gray.astype(int), axis=0).std()


def test_a_foreign_background_holds_nothing_of_its_item():
    under = plain((60, 120, 180))
    under[:, : SIDE // 2] = (180, 120, 60)
    photo = under.copy()
    cv2.circle(photo, (80, 80), 30, (255, 0, 255), -1)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(mask, (80, 80), 30, 255, -1)
    painted = backgrounds.emptied(photo, mask, SIDE)
    magenta = np.abs(painted.astype(int) - (255, 0, 255)).sum(axis=2) < 150
    assert not magenta.any()
    assert np.abs(painted[:, :30].astype(int) - under[:, :30]).max() <= 3
