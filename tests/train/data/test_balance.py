import numpy as np

from train.data.balance import balanced_indices


def test_fewer_images_are_spread_over_the_classes() -> None:
    classes = np.array([0] * 10 + [1] * 2 + [2] * 10)
    chosen = balanced_indices(classes, 8)
    assert len(chosen) == 8 and list(chosen) == sorted(set(chosen))
    assert np.bincount(classes[chosen]).tolist() == [3, 2, 3]
    assert balanced_indices(classes, 100).tolist() == list(range(22))
