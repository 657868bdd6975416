from pathlib import Path

import keras
import numpy as np
import pytest

from edge.calibration.temperature import calibrated_loss
from edge.inference.preprocess import float_input
from train.augmentation.augment import plain_augmenter
from train.learning import fit as fitting
from train.learning import probe
from train.learning.features import views_of
from train.learning.model import Network
from train.learning.recipe import HEAD, LAST_FROZEN, Recipe

PHOTOS = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
TRAIN = np.arange(8)


@pytest.fixture
def network() -> Network:
    """A small network with the layers by whose names a training goes."""
    layers = keras.layers
    inputs = keras.Input((32, 32, 3))
    frozen = layers.Conv2D(8, 8, strides=8, activation="relu", name=LAST_FROZEN)(inputs)
    new = layers.Conv2D(16, 1, activation="relu", name="conv5_block1_1_conv")(frozen)
    pooled = layers.GlobalAveragePooling2D(name="embedding")(new)
    logits = layers.Dense(2, name=HEAD)(layers.Dropout(0.4, name="dropout")(pooled))
    model = keras.Model(inputs, layers.Softmax(name="probabilities")(logits))
    return Network(model, True, ("conv5_block1_1_conv", HEAD))


def fit_photos(
    network: Network,
    out: Path,
    *,
    val: np.ndarray,
    unfreeze_epochs: int,
    classes: np.ndarray = np.arange(12) % 2,
    on_step=lambda *step: None,
) -> list[dict]:
    """Train on the first photos, for one epoch and so many more."""
    material = fitting.Material(
        classes=classes,
        train=TRAIN,
        val=val,
        augmenter=plain_augmenter(PHOTOS, 0),
        cache=out / "features",
        augmented=TRAIN,
        judged=val,
    )
    recipe = Recipe(epochs=1, unfreeze_epochs=unfreeze_epochs, views=1, batch=8)
    return fitting.fit(network, material, recipe=recipe, out=out, on_step=on_step)[0]


def test_only_the_first_phase_starts_as_a_probe(network, tmp_path, monkeypatch):
    course = []

    def noted(*arguments, **more):
        course.append("head fitted")
        return found(*arguments, **more)

    def on_step(what: str, *of: int) -> None:
        if "epoch" in what and course[-1] != what:
            course.append(what)

    found = fitting.fit_head
    monkeypatch.setattr(fitting, "fit_head", noted)
    val = np.arange(8, 12)
    rows = fit_photos(network, tmp_path, val=val, unfreeze_epochs=1, on_step=on_step)
    assert [row["phase"] for row in rows] == ["new layers", "unfrozen"]
    assert course == [
        "head fitted",
        "new layers, epoch 1",
        "head fitted",
        "unfrozen, epoch 1",
        "head fitted",
    ]


@pytest.mark.parametrize("good", [True, False])
def test_a_head_fitted_anew_is_kept_if_val_agrees(network, tmp_path, monkeypatch, good):
    heads = []

    def fitted(*arguments, **more):
        kernel, bias = found(*arguments, **more)
        sign = 1 if good == bool(heads) else -1  # one of the start and the end is turned round
        heads.append(sign * kernel)
        return sign * kernel, sign * bias

    found = fitting.fit_head
    monkeypatch.setattr(probe, "STRENGTHS", (100.0,))  # learns noise by heart, as val is train here
    monkeypatch.setattr(fitting, "fit_head", fitted)
    fit_photos(network, tmp_path, val=TRAIN, unfreeze_epochs=0)
    assert len(heads) == 2
    kernel = network.model.get_layer(HEAD).get_weights()[0]
    assert np.array_equal(kernel, heads[1]) == good


def test_the_epoch_is_chosen_by_photos_as_they_are_and_augmented(network, tmp_path, monkeypatch):
    started = np.zeros((16, 2), np.float32), np.zeros(2, np.float32)
    monkeypatch.setattr(fitting, "fit_head", lambda *arguments, **more: started)
    [row] = fit_photos(network, tmp_path, val=TRAIN, unfreeze_epochs=0)
    views = [PHOTOS[TRAIN], views_of(plain_augmenter(PHOTOS, 0), TRAIN, 1)]
    answers = [network.model.predict(float_input(each), verbose=0) for each in views]
    loss = calibrated_loss(np.log(np.concatenate(answers)), np.tile(TRAIN % 2, 2))
    assert loss < np.log(2)  # that of the start
    assert row["val_loss"] == pytest.approx(loss, abs=2e-3)  # features are cached as float16
    assert row["val_accuracy"] == pytest.approx((answers[0].argmax(axis=1) == TRAIN % 2).mean())


def test_negatives_keep_the_head_that_learned_them(network, tmp_path, monkeypatch):
    fitted = []

    def noted(*arguments, **more):
        fitted.append(len(fitted))
        return found(*arguments, **more)

    found = fitting.fit_head
    monkeypatch.setattr(fitting, "fit_head", noted)
    classes = np.arange(12) % 2
    classes[7] = fitting.NEGATIVE
    fit_photos(network, tmp_path, val=np.arange(8, 12), classes=classes, unfreeze_epochs=0)
    assert fitted == [0]  # at the start alone


def test_of_many_photos_some_of_each_class_fit_the_head(network, tmp_path, monkeypatch):
    fitted = []

    def noted(embeddings, classes, **more):
        fitted.append(np.bincount(classes))
        return found(embeddings, classes, **more)

    found = fitting.fit_head
    monkeypatch.setattr(fitting, "fit_head", noted)
    monkeypatch.setattr(fitting, "MOST_AT_START", 4)
    monkeypatch.setattr(fitting, "MOST_AT_END", 6)
    fit_photos(network, tmp_path, val=np.arange(8, 12), unfreeze_epochs=0)
    assert [each.tolist() for each in fitted] == [[2, 2], [3, 3]]
