"""The gradients of convolutions in another way: the same numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from train.learning.convolution import quicken_gradients

LAYERS = {
    "1x1": {"kernel_size": 1},
    "1x1, stride 2": {"kernel_size": 1, "strides": 2},
    "1x1, strides 2 and 3": {"kernel_size": 1, "strides": (2, 3), "padding": "same"},
    "3x3": {"kernel_size": 3, "padding": "same"},
    "5x3": {"kernel_size": (5, 3), "padding": "same"},
}
OTHERS = {
    "3x3, stride 2": {"kernel_size": 3, "strides": 2, "padding": "same"},
    "even": {"kernel_size": 2, "padding": "same"},
    "not padded": {"kernel_size": 3},
    "in groups": {"kernel_size": 1, "groups": 2},
    "dilated": {"kernel_size": 3, "padding": "same", "dilation_rate": 2},
}


def outputs_and_gradients(
    model: keras.Model, inputs: tf.Tensor, eager: bool = False
) -> list[np.ndarray]:
    def computed() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = model(inputs)
            loss = tf.reduce_sum(tf.sin(outputs))
        return [outputs, *tape.gradient(loss, [inputs, *model.trainable_variables])]

    return [each.numpy() for each in (computed if eager else tf.function(computed))()]


def a_layer(options: dict) -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((7, 6, 4)), keras.layers.Conv2D(6, **options)])


@pytest.mark.parametrize("name", LAYERS)
def test_the_gradients_are_the_same(name):
    model = a_layer(LAYERS[name])
    inputs = tf.random.stateless_normal((3, 7, 6, 4), (1, 2))
    before = outputs_and_gradients(model, inputs)
    assert quicken_gradients(model) == [model.layers[-1].name]
    for eager in (False, True):
        after = outputs_and_gradients(model, inputs, eager)
        for expected, found in zip(before, after, strict=True):
            assert found.shape == expected.shape
            assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", OTHERS)
def test_other_convolutions_stay_as_they_are(name):
    model = a_layer(OTHERS[name])
    assert quicken_gradients(model) == []


def test_the_last_stage_of_resnet50_is_changed_and_learns_the_same():
    network = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(64, 64, 3))
    part = keras.Model(network.get_layer("conv4_block6_out").output, network.output)
    part.get_layer("conv5_block2_1_bn").trainable = False
    inputs = tf.random.stateless_normal((2, 4, 4, 1024), (1, 2))
    before = outputs_and_gradients(part, inputs)
    changed = quicken_gradients(part)
    assert len(changed) == 10
    for expected, found in zip(before, outputs_and_gradients(part, inputs), strict=True):
        assert np.abs(found - expected).max() < 1e-4 * max(np.abs(expected).max(), 1e-6)
