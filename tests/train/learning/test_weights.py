"""Weights out of the files that Keras and others write; of small layers, to be quick."""

import zipfile

import keras
import numpy as np
import pytest

from edge.errors import BadInput
from tests.support.legacy_weights import write_legacy
from train.learning import weights
from train.learning.weights import read_weights

NAMES = "conv1_conv", "conv1_bn", "conv2_block1_1_conv"
OTHER = "mixed5"


def small(*names):
    image = keras.Input((8, 8, 3))
    x = image
    for name in names:
        if name.endswith("_bn"):
            x = keras.layers.BatchNormalization(name=name)(x)
        else:
            x = keras.layers.Conv2D(4, 3, name=name)(x)
    return keras.Model(image, x)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A small network, and files of its weights in all formats."""
    keras.utils.set_random_seed(16)
    model, folder = small(*NAMES, OTHER), tmp_path_factory.mktemp("weights")
    write_legacy(model, folder / "legacy.h5", lambda name: True)
    model.save(folder / "whole.h5")
    model.save_weights(folder / "keras3.weights.h5")
    model.save(folder / "keras3.keras")
    outer = keras.Sequential([model, keras.layers.Flatten(), keras.layers.Dense(2)])
    outer.save(folder / "within.keras")
    outer.save(folder / "within.h5")
    return model, folder


def shapes(model):
    return {
        layer.name: [tuple(weight.shape) for weight in layer.weights]
        for layer in model.layers
        if layer.name in NAMES
    }


@pytest.mark.parametrize(
    "name",
    ["legacy.h5", "whole.h5", "keras3.weights.h5", "keras3.keras", "within.keras", "within.h5"],
)
def test_every_format_gives_the_same_weights(stored, name):
    model, folder = stored
    found = read_weights(folder / name, shapes(model))
    assert set(found.layers) == set(NAMES) and OTHER in found.others and not found.foreign
    for layer in NAMES:
        for read, own in zip(
            found.layers[layer], model.get_layer(layer).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(read, own)


def test_layers_of_another_resnet_are_foreign(stored):
    model, folder = stored
    expected = {name: shape for name, shape in shapes(model).items() if "block" not in name}
    assert read_weights(folder / "keras3.keras", expected).foreign == ["conv2_block1_1_conv"]


def test_what_keras_did_not_write_is_called_by_its_name(stored, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07\x12\x07pytorch")
    (tmp_path / "model.h5").write_bytes(b"\x1c\0\0\0TFL3")
    (tmp_path / "empty.h5").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "model.pth", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    (tmp_path / "ckpt-1.index").write_bytes(b"")
    for name, kind in (
        ("model.onnx", "an ONNX model"),
        ("model.h5", "a TFLite model"),
        ("empty.h5", "empty"),
        ("model.pth", "a PyTorch file"),
        ("saved", "a SavedModel"),
        ("ckpt-1", "a checkpoint of TensorFlow"),
        ("nowhere.h5", "no such weights file"),
    ):
        with pytest.raises(BadInput, match=kind) as caught:
            read_weights(tmp_path / name, {})
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["legacy.h5", "keras3.weights.h5", "keras3.keras"])
def test_a_file_that_is_cut_off_is_named(stored, tmp_path, name):
    model, folder = stored
    content, path = (folder / name).read_bytes(), tmp_path / name
    for size in (1, len(content) // 2):
        path.write_bytes(content[:size])
        with pytest.raises(BadInput, match=str(path)) as caught:
            read_weights(path, shapes(model))
        assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("name", ["legacy.h5", "keras3.weights.h5", "keras3.keras"])
def test_corrupted_files_are_read_or_named_and_nothing_else(stored, tmp_path, monkeypatch, name):
    """Some of these keep HDF5 busy for ever."""
    monkeypatch.setattr(weights, "PATIENCE_S", 5.0)
    model, folder = stored
    content, rng = (folder / name).read_bytes(), np.random.default_rng(16)
    path = tmp_path / name
    for _ in range(60):
        corrupted = bytearray(content)
        for place in rng.integers(0, len(content), 8):
            corrupted[place] = rng.integers(256)
        path.write_bytes(corrupted)
        try:
            read_weights(path, shapes(model))
        except BadInput as error:
            assert str(path) in str(error) and "\n" not in str(error)


def test_a_file_that_keeps_its_reader_for_ever_is_given_up(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PATIENCE_S", 0.01)
    with pytest.raises(BadInput, match="reading it does not end"):
        read_weights(stored[1] / "keras3.weights.h5", {})
