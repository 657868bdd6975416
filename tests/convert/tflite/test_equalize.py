"""Cross-layer equalization of small networks: the same answers, and fewer lost to quantization."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from convert.tflite.equalize import equalize
from convert.tflite.tensorflow_converter import (
    convert_int8,
    export_graph,
    float_answers,
    serving_model,
)
from edge.inference.classifier import Classifier
from train.evaluation.predictor import tflite_answers

SIZE = 32
LABELS = ("a", "b", "c", "d")


def residual_network(spread: float, seed: int = 0) -> keras.Model:
    """Two residual blocks whose channels have ranges from 1 to `spread`."""
    rng = np.random.default_rng(seed)
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.ReLU()(layers.Conv2D(16, 3, strides=2, padding="same")(image))
    x = layers.MaxPooling2D()(layers.ZeroPadding2D()(x))
    for block in range(2):
        y = layers.BatchNormalization()(layers.Conv2D(8, 1)(x))
        y = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Activation("relu")(y))
        y = layers.BatchNormalization(name=f"widened_{block}")(layers.Conv2D(16, 1)(y))
        x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    logits = layers.Dense(len(LABELS), name="logits")(layers.Dropout(0.4, name="dropout")(x))
    model = keras.Model(image, layers.Softmax(name="probabilities")(logits))
    for layer in model.layers:
        if type(layer) in (layers.Conv2D, layers.Dense):
            kernel, bias = layer.get_weights()
            deviation = (2 / np.prod(kernel.shape[:-1])) ** 0.5
            layer.set_weights(
                [rng.normal(0, deviation, kernel.shape), rng.normal(0, 0.1, bias.shape)]
            )
    factors = spread ** rng.uniform(0, 1, 16)
    for name in ("widened_0", "widened_1"):
        gamma, *others = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([gamma * factors, *others])
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel / factors[:, np.newaxis], bias])
    return model


def pictures(count: int, seed: int = 1) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    return coarse.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)


def off(served: keras.Model, exact: keras.Model, folder: Path) -> float:
    """How far the logits of the int8 model are off, by their spread."""
    graph = folder / "graph"
    export_graph(served, graph)
    (folder / "model.tflite").write_bytes(convert_int8(graph, pictures(40)))
    tried = pictures(100, seed=2)
    right = float_answers(exact)(tried).logits
    given = tflite_answers(Classifier(folder / "model.tflite", LABELS, 1.0, 1))(tried).logits
    return float(np.sqrt(((given - right) ** 2).mean()) / right.std())


@settings(max_examples=5, deadline=None)
@given(spread=st.floats(1, 1e4), seed=st.integers(0, 1000))
def test_answers_stay(spread: float, seed: int) -> None:
    served = serving_model(residual_network(spread, seed))
    before = served.get_weights()
    equalized = equalize(served, pictures(20))
    tried = pictures(8, seed=seed)
    first, second = float_answers(served)(tried), float_answers(equalized)(tried)
    assert first.maps is not None
    for a, b in ((first.logits, second.logits), (first.maps, second.maps)):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-4 * np.abs(a).max())
    largest = first.embeddings.max()
    np.testing.assert_allclose(second.embeddings, first.embeddings, rtol=1e-3, atol=1e-5 * largest)
    assert all((a == b).all() for a, b in zip(before, served.get_weights(), strict=True))


def test_int8_loses_less(tmp_path: Path) -> None:
    served = serving_model(residual_network(spread=100))
    folders = [tmp_path / "plain", tmp_path / "equalized"]
    for folder in folders:
        folder.mkdir()
    plain = off(served, served, folders[0])
    equalized = off(equalize(served, pictures(40)), served, folders[1])
    assert equalized < 0.1
    assert equalized < plain / 3


@pytest.mark.parametrize(
    "layer",
    [
        layers.Activation("sigmoid"),
        layers.ReLU(max_value=6),
        layers.DepthwiseConv2D(3),
        layers.LayerNormalization(),
        layers.BatchNormalization(scale=False),
        layers.Conv2D(16, 3, groups=4),
        layers.Conv2D(16, 3, activation="tanh"),
        keras.Sequential([layers.Conv2D(16, 1), layers.ReLU()]),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_answers_stay_behind_other_layers(layer: layers.Layer) -> None:
    image = keras.Input((SIZE, SIZE, 3))
    shared = layers.Conv2D(16, 1, activation="relu")
    x = layers.Conv2D(16, 3, strides=4, activation="relu")(image)
    x = shared(layers.Conv2D(16, 1)(layer(shared(x))))
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    logits = layers.Dense(4, name="logits")(x)
    served = serving_model(keras.Model(image, layers.Softmax(name="probabilities")(logits)))
    tried = pictures(8)
    first = float_answers(served)(tried)
    second = float_answers(equalize(served, pictures(10)))(tried)
    for a, b in ((first.logits, second.logits), (first.embeddings, second.embeddings)):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-5 * np.abs(a).max())
