from pathlib import Path

import keras
import numpy as np

from train.augment import augment
from train.dataset import Split
from train.features import cache_features, cached_batches, varied_batches


def split_of(count: int) -> Split:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)
    folder = Path("photos")
    return Split(pixels, np.arange(count) % 3, (folder,) * count, (folder,) * count)


def test_the_cache_holds_what_the_frozen_part_makes_of_each_varied_copy(tmp_path):
    image = keras.Input((32, 32, 3))
    frozen = keras.Model(image, keras.layers.AveragePooling2D(4)(image))
    split, done = split_of(5), []
    features, classes = cache_features(frozen, split, 2, 7, tmp_path / "f.npy", done.append)
    assert features.shape == (10, 8, 8, 3) and sum(done) == 10
    np.testing.assert_array_equal(classes, np.tile(split.classes, 2))
    copies = np.concatenate([pixels for pixels, _ in varied_batches(split, 2, 7)])
    assert not np.array_equal(copies[:5], copies[5:])
    expected = (copies.astype(np.float32) - 117).reshape(10, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(features, expected, atol=0.1)


def test_batches_bring_every_copy_once_an_epoch_in_another_order_each_time():
    features = np.arange(10, dtype=np.float16)[:, None]
    batches = cached_batches(features, np.arange(10), batch=4, seed=1)
    seen = []
    for _ in range(2):
        seen.append(np.concatenate([batches[index][1] for index in range(len(batches))]))
        batches.on_epoch_end()
    assert sorted(seen[0]) == sorted(seen[1]) == list(range(10))
    assert list(seen[0]) != list(seen[1])


def test_a_variation_keeps_shape_and_type_and_depends_on_its_seed_alone():
    image = split_of(1).pixels[0]
    first, again, other = (augment(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == image.shape and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 1
