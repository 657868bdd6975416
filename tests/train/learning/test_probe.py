import keras
import numpy as np
import pytest

from train.learning.probe import fit_head, settle_normalization


def clusters(count, photos, seed, features=20):
    """Embeddings of three views of each photo, around a center for each class, far from zero."""
    rng = np.random.default_rng(seed)
    classes = np.arange(photos) % count
    centers = np.random.default_rng(7).normal(0, 2, (count, features)) + 50
    of_photo = centers[classes] + rng.normal(0, 1, (photos, features))
    views = np.repeat(of_photo, 3, axis=0) + rng.normal(0, 0.3, (3 * photos, features))
    return views, np.repeat(classes, 3), np.repeat(np.arange(photos), 3)


@pytest.mark.parametrize("count", [2, 5])
def test_the_head_knows_photos_that_it_has_not_seen(count):
    embeddings, classes, groups = clusters(count, 60, 0)
    kernel, bias = fit_head(embeddings, classes, groups, count, 0)
    assert kernel.shape == (20, count) and bias.shape == (count,) and kernel.dtype == np.float32
    unseen, truth, _ = clusters(count, 200, 1)
    assert ((unseen @ kernel + bias).argmax(axis=1) == truth).mean() > 0.95


def test_noise_gets_a_head_that_is_sure_of_nothing():
    rng = np.random.default_rng(0)
    embeddings, classes = rng.normal(0, 1, (90, 40)), np.repeat(np.arange(30) % 3, 3)
    kernel, bias = fit_head(embeddings, classes, np.repeat(np.arange(30), 3), 3, 0)
    logits = embeddings @ kernel + bias
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert (likely / likely.sum(axis=1, keepdims=True)).max() < 0.6


def test_one_photo_of_a_class_is_enough():
    embeddings, classes, groups = clusters(3, 3, 2)
    kernel, bias = fit_head(embeddings, classes, groups, 3, 0)
    assert ((embeddings @ kernel + bias).argmax(axis=1) == classes).all()


def test_new_normalization_settles_on_what_comes_to_it_and_pretrained_stays():
    inputs = keras.Input((4, 4, 3))
    first = keras.layers.BatchNormalization(name="old")(inputs)
    second = keras.layers.BatchNormalization(name="new", momentum=0.9)(first)
    part = keras.Model(inputs, second)
    part.get_layer("old").trainable = False
    pictures = np.random.default_rng(0).normal(5, 3, (40, 4, 4, 3)).astype(np.float32)
    settle_normalization(part, lambda chosen, turn: pictures[chosen], np.arange(40), ("new",), 0)
    new, old = part.get_layer("new"), part.get_layer("old")
    np.testing.assert_allclose(new.moving_mean, pictures.mean(axis=(0, 1, 2)), rtol=0.05)
    np.testing.assert_allclose(new.moving_variance, pictures.var(axis=(0, 1, 2)), rtol=0.1)
    np.testing.assert_array_equal(old.moving_mean, 0)
    assert new.momentum == 0.9
