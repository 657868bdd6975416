"""The activation map of models with different heads."""

import keras
import numpy as np
import pytest
from keras import layers

from convert.tflite.activation import add_activation_map
from convert.tflite.tensorflow_converter import serving_model


def classifier(pool: layers.Layer, *between: layers.Layer) -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = pool(layers.Conv2D(8, 3, strides=4)(image))
    for layer in between:
        x = layer(x)
    if len(x.shape) > 2:
        x = layers.Flatten()(x)
    if not any(layer.name == "embedding" for layer in (pool, *between)):
        x = layers.Identity(name="embedding")(x)
    logits = layers.Dense(3, name="logits", bias_initializer="random_normal")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(logits))


@pytest.mark.parametrize(
    "between", [(), (layers.Dropout(0.5),), (layers.Dropout(0.5), layers.Identity())]
)
def test_with_the_bias_the_mean_of_the_map_is_the_logits(between: tuple) -> None:
    model = classifier(layers.GlobalAveragePooling2D(name="embedding"), *between)
    served = serving_model(model)
    given = served.predict_on_batch(np.random.default_rng(0).normal(size=(4, 32, 32, 3)))
    assert given["activation_map"].shape == (4, 8, 8, 3)
    _, bias = model.get_layer("logits").get_weights()
    means = given["activation_map"].mean(axis=(1, 2)) + bias
    np.testing.assert_allclose(means, given["logits"], atol=1e-4)
    assert set(serving_model(model, with_map=False).output) == {"logits", "embedding"}


@pytest.mark.parametrize(
    ("pool", "between"),
    [
        (layers.GlobalMaxPooling2D(), ()),
        (layers.Flatten(), ()),
        (layers.GlobalAveragePooling2D(), (layers.Dense(6, activation="relu"),)),
        (layers.GlobalAveragePooling2D(), (layers.BatchNormalization(),)),
        (layers.GlobalAveragePooling2D(keepdims=True), ()),
        (layers.AveragePooling2D(8), ()),
    ],
)
def test_without_plain_average_pooling_there_is_none(pool: layers.Layer, between: tuple) -> None:
    model = classifier(pool, *between)
    assert add_activation_map(model) is None
    assert set(serving_model(model).output) == {"logits", "embedding"}
