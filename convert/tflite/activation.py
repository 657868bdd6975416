"""The class activation map as a third output of the float model.

Importing this module imports Keras, which takes seconds and prints to stderr.
"""

import keras
import numpy as np

from edge.inference.activation import ACTIVATION_MAP, MOST_PLACES

IDLE = (
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
    keras.layers.Identity,
)
"""Layers between the pooling and the last layer that do nothing in inference."""


def add_activation_map(model: keras.Model) -> keras.KerasTensor | None:
    """The activation map of a run's model, [N, h, w, classes]: a convolution by the head's weights.

    Its mean over the places, plus the bias of the layer `logits`, is the logits. The convolution
    reads what the pooling reads and changes no other output.

    Returns:
        The output; None if the head does not follow global average pooling, or the map is too
        large.
    """
    head = model.get_layer("logits")
    features = _before_pooling(head.input)
    if features is None or not 1 <= max(features.shape[1:3]) <= MOST_PLACES:
        return None
    kernel = np.asarray(head.get_weights()[0])
    layer = keras.layers.Conv2D(
        kernel.shape[1], 1, use_bias=False, name=ACTIVATION_MAP, dtype="float32"
    )
    output = layer(features)
    layer.set_weights([kernel[np.newaxis, np.newaxis]])
    return output


def _before_pooling(tensor: keras.KerasTensor) -> keras.KerasTensor | None:
    """The last feature map, from the head's input back; None: it was not pooled by its mean."""
    while True:
        operation, node, _ = tensor._keras_history
        inputs = operation._inbound_nodes[node].input_tensors
        if isinstance(operation, keras.layers.GlobalAveragePooling2D):
            plain = operation.data_format == "channels_last" and not operation.keepdims
            return inputs[0] if plain else None
        if not isinstance(operation, IDLE):
            return None
        tensor = inputs[0]
