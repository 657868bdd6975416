import numpy as np
import pytest

from train.augmentation import lighting, wear

SIDE = 96


@pytest.mark.parametrize("change", [wear.dirty, wear.scratched, wear.cracked])
def test_wear_marks_a_part_and_leaves_the_rest_recognizable(change):
    picture = np.full((SIDE, SIDE, 3), 120, np.uint8)
    changed = []
    for seed in range(10):
        marked = change(picture, np.random.default_rng(seed))
        assert marked.shape == picture.shape and marked.dtype == np.uint8
        changed.append(np.abs(marked.astype(int) - picture).mean())
    assert 0.2 < np.mean(changed) < 60


def test_light_changes_brightness_but_not_the_picture():
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 180, (SIDE, SIDE, 3)).astype(np.uint8)
    means = []
    for _ in range(40):
        seen = lighting.lit(picture, rng)
        assert seen.shape == picture.shape and seen.dtype == np.uint8
        means.append(seen.mean() / picture.mean())
        assert np.corrcoef(seen.ravel(), picture.ravel())[0, 1] > 0.6
    assert min(means) < 0.75 and max(means) > 1.2
