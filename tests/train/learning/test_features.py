from pathlib import Path

import keras
import numpy as np
import pytest

from train.augmentation.augment import augment, belt_augmenter, plain_augmenter
from train.learning.features import (
    LEAST_BATCHES,
    Batches,
    batch_size,
    cache_features,
    features_of,
    from_cache,
    mixed,
    passes_of_an_epoch,
)


def photos_of(count):
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


@pytest.fixture
def frozen():
    image = keras.Input((32, 32, 3))
    return keras.Model(image, keras.layers.AveragePooling2D(4)(image))


def test_the_cache_holds_the_frozen_parts_features_of_each_augmented_view(frozen, tmp_path):
    augmenter, done = plain_augmenter(photos_of(5), 7), []
    rows = np.array([0, 2, 4])
    features = cache_features(
        features_of(frozen),
        augmenter,
        rows=rows,
        view=2,
        path=tmp_path / "f.npy",
        on_step=done.append,
    )
    assert features.shape == (3, 8, 8, 3) and sum(done) == 3
    views = np.stack([augmenter(row, 2) for row in rows])
    expected = (views.astype(np.float32) - 117).reshape(3, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(features, expected, atol=0.1)
    taken = from_cache([features], rows)(np.array([4, 0]), 0)
    np.testing.assert_allclose(taken, expected[[2, 0]], atol=0.1)


def test_a_cache_that_is_there_is_read_and_half_of_one_never_is(frozen, tmp_path):
    def fails(photo, view):
        if photo == 40:
            raise OSError(28, "No space left on device")
        return photos_of(1)[0]

    rows = np.arange(64)
    with pytest.raises(OSError, match="No space"):
        cache_features(
            features_of(frozen),
            fails,
            rows=rows,
            view=1,
            path=tmp_path / "f.npy",
            on_step=lambda count: None,
        )
    assert list(tmp_path.iterdir()) == []
    augmenter = plain_augmenter(photos_of(2), 0)
    first = cache_features(
        features_of(frozen),
        augmenter,
        rows=rows[:2],
        view=1,
        path=tmp_path / "f.npy",
        on_step=lambda count: None,
    )
    again = cache_features(
        features_of(frozen),
        fails,
        rows=rows[:2],
        view=1,
        path=tmp_path / "f.npy",
        on_step=lambda count: None,
    )
    np.testing.assert_array_equal(first, again)


def batches(epoch, mixup=0.0):
    inputs = np.arange(20, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 2, 1))
    take = from_cache([inputs], np.arange(20))
    return Batches(
        take,
        np.arange(3, 13),
        targets=np.eye(20)[:],
        weights=np.ones(20),
        batch=4,
        seed=1,
        epoch=epoch,
        mixup=mixup,
    )


@pytest.mark.parametrize(
    ("photos", "most", "size"),
    [(5, 64, 16), (240, 64, 24), (480, 64, 48), (640, 64, 64), (10_000, 64, 64), (240, 8, 8)],
)
def test_few_photos_make_smaller_steps_rather_than_fewer(photos, most, size):
    assert batch_size(photos, most) == size
    steps = passes_of_an_epoch(photos, size) * -(-photos // size)
    assert steps >= LEAST_BATCHES


def test_each_pass_shows_all_views_and_each_photo_another_one():
    caches = [np.full((9, 1), view) for view in range(3)]
    take = from_cache(caches, np.arange(4, 13))
    passes = np.stack([take(np.array([12, 4, 5, 6, 7, 8]), number)[:, 0] for number in range(4)])
    assert all(sorted(shown) == [0, 0, 1, 1, 2, 2] for shown in passes)
    assert all(set(photo) == {0, 1, 2} for photo in passes[:3].T)
    assert np.array_equal(passes[0], passes[3])


def mapped_kib() -> int:
    """Memory of this process that shows files, KiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if "RssFile" in line))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_what_was_read_of_a_cache_is_no_memory_of_the_process(tmp_path):
    content = np.random.default_rng(0).random((400, 64, 1024)).astype(np.float16)
    np.save(tmp_path / "0.npy", content)
    take = from_cache([np.load(tmp_path / "0.npy", mmap_mode="r")], np.arange(400))
    before = mapped_kib()
    for start in range(0, 400, 40):
        chosen = np.arange(start, start + 40)
        assert np.array_equal(take(chosen, 0), content[chosen].astype(np.float32))
    assert mapped_kib() - before < 16_000 < content.nbytes / 1024 / 2


def test_batches_bring_every_photo_once_a_pass_in_another_order_each_time():
    passes = passes_of_an_epoch(10, 4)
    assert passes == 4 and passes_of_an_epoch(4 * LEAST_BATCHES, 4) == 1
    seen = []
    for epoch in (0, 1):
        each = np.concatenate([batch[0][:, 0, 0, 0] for batch in batches(epoch)])
        seen += [tuple(part) for part in each.reshape(passes, 10)]
    assert all(sorted(part) == list(range(3, 13)) for part in seen)
    assert len(set(seen)) == 2 * passes


def test_each_pass_sees_other_views():
    taken = []
    few = Batches(
        lambda chosen, number: taken.append(number) or np.zeros((len(chosen), 1)),
        np.arange(5),
        targets=np.eye(5),
        weights=np.ones(5),
        batch=2,
        seed=0,
        epoch=3,
    )
    for place in range(len(few)):
        few[place]
    assert len(few) == 12 and taken == [12] * 3 + [13] * 3 + [14] * 3 + [15] * 3
    for inputs, targets, _ in batches(0):
        np.testing.assert_array_equal(targets.argmax(axis=1), inputs[:, 0, 0, 0])


def test_mixing_keeps_most_of_each_photo_and_mixes_the_targets_alike():
    rng = np.random.default_rng(0)
    inputs, targets = np.repeat(np.eye(6, dtype=np.float32), 4, axis=0).reshape(24, 1, 1, 6), None
    targets = inputs[:, 0, 0].view()
    blended, labels = mixed(inputs.view(), targets, 0.4, rng)
    np.testing.assert_allclose(blended[:, 0, 0], labels, atol=1e-6)
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    assert (labels[targets > 0] >= 0.5 - 1e-6).all() and (labels[targets > 0] < 1).any()


def test_a_variation_keeps_shape_and_type_and_depends_on_its_seed_alone():
    image = photos_of(1)[0]
    first, again, other = (augment(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == image.shape and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 1


def test_the_belt_augmenter_takes_items_off_their_background_and_keeps_view_0():
    """A dark item in the middle of white; half of the views must have lost the white."""
    pixels = np.full((6, 96, 96, 3), 250, np.uint8)
    pixels[:, 30:66, 24:72] = (20, 60, 120)
    pixels[:, 40:50, 30:40] = (230, 30, 30)
    augmenter = belt_augmenter(pixels, np.arange(6) % 2, seed=0)
    np.testing.assert_array_equal(augmenter(0, 0), pixels[0])
    views = [augmenter(photo, view) for photo in range(6) for view in range(1, 9)]
    np.testing.assert_array_equal(views[0], augmenter(0, 1))
    assert {(view.shape, view.dtype) for view in views} == {((96, 96, 3), np.dtype(np.uint8))}
    bright = [np.median(view[[0, -1]]) > 170 for view in views]
    assert 0.1 < np.mean(bright) < 0.8
