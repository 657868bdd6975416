"""Rebuild a classifier in the form of a run's model: `RGB - 117` -> embedding, logits, softmax.

Importing this module imports Keras, which takes seconds and prints to stderr.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from convert.imported.affine import Affine, preprocessing_map
from edge.errors import BadInput

SMALLEST, LARGEST = 32, 512
"""Height and width of an input, px; the bounds of --image-size."""
MOST_FEATURES = 8192
"""Length of an embedding: the largest of the usual networks' is 4096."""
IDLE = (
    keras.layers.ActivityRegularization,
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.RandomBrightness,
    keras.layers.RandomColorJitter,
    keras.layers.RandomContrast,
    keras.layers.RandomFlip,
    keras.layers.RandomGrayscale,
    keras.layers.RandomHue,
    keras.layers.RandomRotation,
    keras.layers.RandomSaturation,
    keras.layers.RandomShear,
    keras.layers.RandomTranslation,
    keras.layers.RandomZoom,
    keras.layers.SpatialDropout2D,
)
"""Layers that do something in training only."""
RESHAPING = (
    keras.layers.Flatten,
    keras.layers.Normalization,
    keras.layers.Permute,
    keras.layers.Rescaling,
    keras.layers.Reshape,
)
"""Layers that leave pixels pixels."""
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
FIRST = "preprocessing"
RESERVED = ("image", "embedding", "logits", "probabilities", FIRST)


@dataclass(frozen=True)
class Head:
    """The end of a classifier.

    Attributes:
        dense: its last layer with weights.
        behind: operations behind it, such as a softmax.
        embedding: the operation that gives the input of `dense`.
        gives_logits: whether the classifier has no softmax.
    """

    dense: keras.layers.Dense
    behind: tuple[Any, ...]
    embedding: Any
    gives_logits: bool


@dataclass(frozen=True)
class Rebuilt:
    """A classifier in the form of a run's model.

    Attributes:
        model: float32 [N, S, S, 3] `RGB - 117` -> probabilities.
        folded: whether the preprocessing is part of its first convolution; otherwise a layer of
            its own computes it.
        gives_logits: whether the original gives logits instead of probabilities.
    """

    model: keras.Model
    folded: bool
    gives_logits: bool


def rebuild(original: keras.Model, size: int | None, preprocessing: str) -> Rebuilt:
    """Rebuild a classifier, its preprocessing included.

    Args:
        original: the classifier, as it was stored.
        size: height and width of the new input, px; None: that of the original.
        preprocessing: one of `convert.imported.affine.PREPROCESSINGS`, which its data pipeline did.

    Raises:
        BadInput: it is no classifier of one picture with an embedding; the message says why.
    """
    side = input_size(original, size)
    head = find_head(original)
    graph = _Rebuilding(head)
    image = keras.Input((side, side, 3), name="image")
    graph.run(original, _Unprocessed(image, preprocessing_map(preprocessing)))
    assert graph.logits is not None
    probabilities = keras.layers.Softmax(name="probabilities")(graph.logits)
    model = keras.Model(image, probabilities, name="imported")
    graph.copy_weights()
    return Rebuilt(model, folded=not graph.materialized, gives_logits=head.gives_logits)


def input_size(model: keras.Model, asked: int | None) -> int:
    """Height and width of the input, px.

    Raises:
        BadInput: the model does not take one square RGB picture of a possible size.
    """
    try:
        inputs = model.inputs or []
    except (AttributeError, ValueError):
        inputs = []
    if not inputs:
        raise BadInput("its model has no input shape; call it once before saving")
    if len(inputs) != 1 or len(model.outputs) != 1:
        raise BadInput(
            f"its model has {len(inputs)} inputs and {len(model.outputs)} outputs; "
            "one picture and one output are needed"
        )
    shape = tuple(inputs[0].shape[1:])
    if len(shape) == 3 and shape[0] == 3 and shape[2] != 3:
        raise BadInput("its model takes the channels first; rebuild it for channels last")
    if len(shape) != 3 or shape[2] != 3:
        raise BadInput(f"its model takes {list(shape)}, no picture of 3 channels")
    height, width, _ = shape
    if height != width:
        raise BadInput(f"its model takes pictures of {width} x {height} px, which is no square")
    if height is None and asked is None:
        raise BadInput("its model takes any size; choose one with --image-size")
    if height is not None and asked not in (None, height):
        raise BadInput(f"its model takes {height} px only; leave --image-size out")
    side = int(height if asked is None else asked)
    if not SMALLEST <= side <= LARGEST:
        raise BadInput(f"its model takes {side} px; {SMALLEST} to {LARGEST} are possible")
    return side


def find_head(model: keras.Model) -> Head:
    """Find the last layer of a classifier and what comes before and behind it.

    Raises:
        BadInput: it does not end with a dense layer with a softmax or none, behind an embedding.
    """
    behind: list[Any] = []
    softmax = False
    operations = _from_the_end(model)
    dense = None
    for operation in operations:
        if isinstance(operation, keras.layers.Dense):
            dense = operation
            break
        if isinstance(operation, keras.layers.Softmax) and not softmax:
            softmax = True
        elif isinstance(operation, keras.layers.Activation) and not softmax:
            softmax = _is_softmax(operation)
        elif not isinstance(operation, IDLE):
            break
        behind.append(operation)
    if dense is None:
        raise BadInput("its model does not end with a Dense layer, so that it has no embedding")
    if len(dense.output.shape) != 2:
        raise BadInput("its last Dense layer sees a map instead of features: no embedding")
    inner = _is_softmax(dense)
    if dense.units < 2:
        raise BadInput("its model has 1 output; train it with one output for each class")
    operations = (each for each in operations if not isinstance(each, IDLE))
    embedding = next(operations, None)
    if embedding is None or all(
        isinstance(each, RESHAPING) for each in (embedding, *operations) if each is not None
    ):
        raise BadInput("its last layer sees the pixels themselves: its model has no embedding")
    features = int(dense.kernel.shape[0])
    if features > MOST_FEATURES:
        raise BadInput(
            f"its last layer sees {features} features, at most {MOST_FEATURES} are possible; "
            "pool them (GlobalAveragePooling2D)"
        )
    return Head(dense, tuple(behind), embedding, gives_logits=not (inner or softmax))


def _is_softmax(layer: keras.Layer) -> bool:
    """Whether a layer's activation is a softmax; False: it has none.

    Raises:
        BadInput: it has another activation.
    """
    if layer.activation is keras.activations.softmax:
        return True
    if layer.activation in (None, keras.activations.linear):
        return False
    name = getattr(layer.activation, "__name__", "another activation")
    hint = ", by which classes do not exclude each other" if name == "sigmoid" else ""
    raise BadInput(f"its model ends with {name}{hint}; train it with softmax")


def _from_the_end(model: keras.Model) -> Iterator[Any]:
    """The operations from the output back, up to the first that has several inputs."""
    tensor = model.outputs[0]
    while True:
        operation, node, _ = tensor._keras_history
        if isinstance(operation, keras.layers.InputLayer):
            return
        if _is_model(operation):
            yield from _from_the_end(operation)
        else:
            yield operation
        inputs = operation._inbound_nodes[node].input_tensors
        if len(inputs) != 1:
            return
        tensor = inputs[0]


def _is_model(operation: object) -> bool:
    return isinstance(operation, keras.Model)


@dataclass(frozen=True, eq=False)
class _Unprocessed:
    """A picture in the form of the device's input, and what was computed from it so far.

    Attributes:
        tensor: the picture, `RGB - 117`.
        done: the map from it to the result.
        single: the result is one channel, without an axis for it.
    """

    tensor: keras.KerasTensor
    done: Affine
    single: bool = False


class _Rebuilding:
    """Runs a model layer by layer on new inputs, with copies of its layers, in one flat graph."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.logits: keras.KerasTensor | None = None
        self.materialized: dict[int, keras.KerasTensor] = {}
        self._copies: dict[int, Any] = {}
        self._weights: list[tuple[keras.Layer, Sequence[np.ndarray]]] = []
        self._names = set(RESERVED)
        self._kept: list[Any] = []

    def run(self, model: keras.Model, value: Any) -> Any:
        """Run a model on a tensor or on an unprocessed picture."""
        graph = getattr(model, "_functional", model)
        return graph._run_through_graph([value], operation_fn=self._caller)

    def copy_weights(self) -> None:
        """Give the new layers their weights, once the model is complete."""
        for layer, weights in self._weights:
            layer.set_weights(weights)

    def _caller(self, operation: Any) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._call(operation, args, kwargs)

    def _call(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if _is_model(operation):
            return self.run(operation, args[0])
        if isinstance(operation, IDLE) or any(operation is each for each in self.head.behind):
            return args[0]
        merged = _merged(operation, args)
        if merged is not None:
            self._kept.append(merged)  # the graph knows values by their id
            return merged
        if isinstance(args[0], _Unprocessed):
            if isinstance(operation, keras.layers.Conv2D) and _can_fold(operation, args[0].done):
                return self._folded(operation, args[0])
            if isinstance(operation, keras.layers.ZeroPadding2D) and args[0].done.keeps_zero:
                return _Unprocessed(self._copy(operation)(args[0].tensor), args[0].done)
        args = self._materialize(args)
        if operation is self.head.dense:
            return self._last(args[0])
        kwargs = {name: value for name, value in kwargs.items() if name != "training"}
        return self._copy(operation)(*args, **self._materialize(kwargs))

    def _materialize(self, value: Any) -> Any:
        """Replace unprocessed pictures by the result of a layer that preprocesses them."""
        if isinstance(value, list | tuple):
            return type(value)(self._materialize(each) for each in value)
        if isinstance(value, dict):
            return {name: self._materialize(each) for name, each in value.items()}
        if not isinstance(value, _Unprocessed):
            return value
        if value.single:
            raise BadInput("its model mixes the colors of the picture in an unusual way")
        if id(value) not in self.materialized:
            name = self._free_name(FIRST) if self.materialized else FIRST
            layer = keras.layers.Conv2D(len(value.done.offset), 1, name=name)
            self.materialized[id(value)] = layer(value.tensor)
            self._kept.append(value)
            weights = [value.done.matrix[np.newaxis, np.newaxis], value.done.offset]
            self._weights.append((layer, weights))
        return self.materialized[id(value)]

    def _folded(self, conv: keras.layers.Conv2D, value: _Unprocessed) -> keras.KerasTensor:
        config = {**conv.get_config(), "name": self._free_name(conv.name), "use_bias": True}
        copy = keras.layers.Conv2D.from_config(config)
        kernel, *bias = conv.get_weights()
        merged = value.done.merge(kernel, bias[0] if bias else np.zeros(conv.filters))
        self._weights.append((copy, merged))
        return copy(value.tensor)

    def _last(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """The last layer, without its activation."""
        layer = features._keras_history.operation
        if layer.name != "embedding":
            features = keras.layers.Identity(name="embedding")(features)
        dense = self.head.dense
        logits = keras.layers.Dense(dense.units, use_bias=dense.use_bias, name="logits")
        self._weights.append((logits, dense.get_weights()))
        self.logits = logits(features)
        return self.logits

    def _copy(self, operation: Any) -> Any:
        if id(operation) not in self._copies:
            once = len(operation._inbound_nodes) == 1 and isinstance(operation, keras.Layer)
            embeds = operation is self.head.embedding and once
            config = operation.get_config()
            config["name"] = "embedding" if embeds else self._free_name(operation.name)
            copy = operation.__class__.from_config(config)
            self._copies[id(operation)] = copy
            if isinstance(operation, keras.Layer):
                self._weights.append((copy, operation.get_weights()))
        return self._copies[id(operation)]

    def _free_name(self, name: str) -> str:
        base = name if PLAIN_NAME.fullmatch(name) else "layer"
        free, number = base, 1
        while free in self._names:
            number += 1
            free = f"{base}_{number}"
        self._names.add(free)
        return free


def _can_fold(conv: keras.layers.Conv2D, done: Affine) -> bool:
    """Whether a map merges into a convolution exactly: its zeros must not become another color."""
    padded = conv.padding != "valid" and tuple(conv.kernel_size) != (1, 1)
    return (
        type(conv) is keras.layers.Conv2D and conv.groups == 1 and (done.keeps_zero or not padded)
    )


def _merged(operation: Any, args: tuple[Any, ...]) -> _Unprocessed | None:
    """The result of an operation that only maps the channels of a picture; None: it does more."""
    name = type(operation).__name__
    if name == "Stack":
        return _stacked(args[0]) if operation.axis in (-1, 3) else None
    if name in ("Add", "Multiply") and len(args) == 2 and isinstance(args[1], _Unprocessed):
        args = args[1], args[0]
    if not isinstance(args[0], _Unprocessed):
        return None
    value, done = args[0], args[0].done
    if isinstance(operation, keras.layers.Rescaling):
        scale, offset = np.asarray(operation.scale), np.asarray(operation.offset)
        if scale.ndim > 1 or offset.ndim > 1:
            return None
        return _Unprocessed(value.tensor, done.scaled(scale).shifted(offset))
    if isinstance(operation, keras.layers.Normalization):
        mean, deviation = _normalization(operation)
        if mean.size not in (1, 3) or deviation.size not in (1, 3) or operation.invert:
            return None
        return _Unprocessed(value.tensor, done.shifted(-mean).scaled(1 / deviation))
    if len(args) != 2:
        return None
    if name == "GetItem":
        return _one_channel(value, args[1])
    constant = _constant(args[1], len(done.offset))
    if constant is None or value.single:
        return None
    mapped = {
        "Add": lambda: done.shifted(constant),
        "Subtract": lambda: done.shifted(-constant),
        "Multiply": lambda: done.scaled(constant),
        "Divide": lambda: done.scaled(1 / constant),
        "TrueDivide": lambda: done.scaled(1 / constant),
    }.get(name)
    return None if mapped is None else _Unprocessed(value.tensor, mapped())


def _normalization(layer: keras.layers.Normalization) -> tuple[np.ndarray, np.ndarray]:
    mean, variance = (np.asarray(each, np.float64).ravel() for each in (layer.mean, layer.variance))
    return mean, np.maximum(np.sqrt(variance), keras.config.epsilon())


def _one_channel(value: _Unprocessed, key: Any) -> _Unprocessed | None:
    """`picture[..., number]`, as `preprocess_input` takes a picture apart."""
    if value.single or not isinstance(key, list | tuple) or len(key) not in (2, 4):
        return None
    *before, number = key
    whole = all(each is Ellipsis or each == slice(None) for each in before)
    if not whole or not isinstance(number, int):
        return None
    return _Unprocessed(value.tensor, value.done.channels((number,)), single=True)


def _stacked(values: Any) -> _Unprocessed | None:
    """The channels of one picture in another order, which `preprocess_input` puts together."""
    if not isinstance(values, list | tuple):
        return None
    if not all(isinstance(each, _Unprocessed) and each.single for each in values):
        return None
    if len({id(each.tensor) for each in values}) != 1:
        return None
    matrix = np.concatenate([each.done.matrix for each in values], axis=1)
    offset = np.concatenate([each.done.offset for each in values])
    return _Unprocessed(values[0].tensor, Affine(matrix, offset))


def _constant(value: Any, channels: int) -> np.ndarray | None:
    """A number, or one for each channel; None: it is no constant of that kind."""
    if isinstance(value, keras.KerasTensor | _Unprocessed):
        return None
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if array.size not in (1, channels) or (array.size > 1 and array.shape[-1] != channels):
        return None
    return array.ravel() if array.size > 1 else array.reshape(())
