"""ResNet50 with a new head, in the input form that the device feeds: `RGB - 117`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from edge.errors import BadInput, EwasteError
from edge.inference.preprocess import INPUT_OFFSET
from train.learning.recipe import HEAD, LAST_FROZEN
from train.learning.weights import UNREADABLE, read_weights

IMAGENET_MEAN_RGB = (123.68, 116.779, 103.939)
"""Per-channel means that Keras' "caffe" preprocessing subtracts (keras.applications.resnet)."""

TAUGHT = "taught"
"""The layer that maps the embedding to the teacher's, in training only."""


@dataclass(frozen=True)
class Network:
    """The network to train.

    Attributes:
        model: float32 [N, S, S, 3] `RGB - 117` -> probabilities [N, classes].
        pretrained: whether all that comes before the last stage is.
        new_layers: names of the layers that start without pretrained weights.
    """

    model: keras.Model
    pretrained: bool
    new_layers: tuple[str, ...]


def build_network(classes: int, size: int, weights: str, dropout: float = 0.4) -> Network:
    """Build the network from `weights`: "imagenet" (downloaded by Keras), "none", or a file.

    Its layers compute in Keras' current dtype policy, logits and probabilities in float32.

    Raises:
        BadInput: the weights file is missing, damaged or holds no layer of ResNet50.
        EwasteError: the ImageNet weights could not be downloaded.
    """
    base = _load_base(size, weights)
    if "conv1_conv" in base.loaded and not base.folded:
        _fold_normalization(base.model.get_layer("conv1_conv"))
    model = _with_head(base.model, classes, dropout)
    new_layers = tuple(
        layer.name for layer in model.layers if layer.weights and layer.name not in base.loaded
    )
    for name in new_layers:
        if isinstance(model.get_layer(name), keras.layers.BatchNormalization):
            # The default of 0.99 takes 500 steps to follow; a whole training here has few more.
            model.get_layer(name).momentum = 0.9
    before = {layer.name for layer in before_boundary(model, LAST_FROZEN).layers}
    if before & set(new_layers):
        return Network(model, False, new_layers)
    _pass_features_on(model, new_layers)
    return Network(model, True, new_layers)


def before_boundary(model: keras.Model, boundary: str) -> keras.Model:
    """The part of the network from the images to the layer `boundary`."""
    return keras.Model(model.input, model.get_layer(boundary).output, name="frozen")


def behind_boundary(model: keras.Model, boundary: str | None) -> keras.Model:
    """The part from the layer `boundary` on (None: all of it), features -> probabilities."""
    if boundary is None:
        return model
    return keras.Model(model.get_layer(boundary).output, model.output, name="trained")


def with_teacher_output(
    model: keras.Model, boundary: str | None, teacher_features: int
) -> keras.Model:
    """As `behind_boundary`, with a second output: a linear map of the embedding.

    It is `taught`, float32 [N, teacher_features], and learns to be the teacher's embedding.
    """
    first = model.input if boundary is None else model.get_layer(boundary).output
    taught = keras.layers.Dense(teacher_features, use_bias=False, name=TAUGHT, dtype="float32")
    outputs = [model.output, taught(model.get_layer("embedding").output)]
    return keras.Model(first, outputs, name="student")


def in_float32(model: keras.Model, dropout: float) -> keras.Model:
    """The same network with the same weights, computing in float32: what is kept and judged."""
    size, classes = model.input_shape[1], model.output_shape[-1]
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        copy = _with_head(_bare_resnet50(size), classes, dropout)
    finally:
        keras.config.set_dtype_policy(policy)
    copy.set_weights(model.get_weights())
    return copy


def _bare_resnet50(size: int) -> keras.Model:
    return keras.applications.ResNet50(include_top=False, weights=None, input_shape=(size, size, 3))


def _with_head(backbone: keras.Model, classes: int, dropout: float) -> keras.Model:
    pooled = keras.layers.GlobalAveragePooling2D(name="embedding", dtype="float32")(backbone.output)
    dropped = keras.layers.Dropout(dropout, name="dropout", dtype="float32")(pooled)
    logits = keras.layers.Dense(classes, name=HEAD, dtype="float32")(dropped)
    probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(backbone.input, probabilities, name="ewaste_resnet50")


def continue_from(network: Network, model_path: Path, order: Sequence[int | None]) -> Network:
    """The network with the weights of an earlier run's `model.keras`.

    No layer in it is new, but the last one where there are new classes: it starts anew for all.

    Args:
        network: to continue with.
        model_path: of the earlier run.
        order: of each class here, its place among the classes there; None: a new class.

    Raises:
        BadInput: the file is missing, damaged, or of another number of classes.
    """
    if not model_path.is_file():
        raise BadInput(f"{model_path}: missing; give --init the directory of a finished run")
    known = [place for place in order if place is not None]
    head = network.model.get_layer(HEAD)
    try:
        earlier = keras.models.load_model(model_path, compile=False)
        learned = earlier.get_layer(HEAD).get_weights()
        if learned[-1].shape != (len(known),):
            raise ValueError(f"it has {learned[-1].size} classes, not {len(known)}")
        if len(known) == len(order):
            head.set_weights([weight[..., known] for weight in learned])
        for layer in network.model.layers:
            if layer.weights and layer.name != HEAD:
                layer.set_weights(earlier.get_layer(layer.name).get_weights())
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{model_path}: cannot be continued from ({reason})") from None
    return replace(network, new_layers=() if len(known) == len(order) else (HEAD,))


def set_trainable(network: Network, part: keras.Model, unfrozen: bool) -> None:
    """Choose what learns of a part of the network: its new layers, or all of it.

    Pretrained batch normalization keeps its statistics: the batches are too small to improve them.
    """
    for layer in part.layers:
        new = layer.name in network.new_layers
        normalizes = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = new or (unfrozen and not (normalizes and network.pretrained))


@dataclass(frozen=True)
class Base:
    """ResNet50 without top.

    Attributes:
        model: takes images, gives the last stage's output.
        loaded: names of the layers that hold pretrained weights.
        folded: whether they take `RGB - 117` already, being those of an earlier run.
    """

    model: keras.Model
    loaded: frozenset[str] = frozenset()
    folded: bool = False


def _load_base(size: int, weights: str) -> Base:
    """ResNet50 without top, with the weights of a file or of Keras."""
    shape = (size, size, 3)
    if weights == "imagenet":
        try:
            model = keras.applications.ResNet50(include_top=False, input_shape=shape)
        except Exception as error:
            raise EwasteError(
                f"could not download the ImageNet weights ({error}); "
                "give a file with --weights FILE, or train from scratch with --weights none"
            ) from None
        return Base(model, frozenset(layer.name for layer in model.layers if layer.weights))
    model = _bare_resnet50(size)
    if weights == "none":
        return Base(model)
    path = Path(weights)
    shapes = {
        layer.name: [tuple(weight.shape) for weight in layer.weights]
        for layer in model.layers
        if layer.weights
    }
    stored = read_weights(path, shapes)
    if not stored.layers:
        raise BadInput(f"{path}: holds no layer of ResNet50; weights of another architecture?")
    if stored.foreign:
        raise BadInput(
            f"{path}: its layer {stored.foreign[0]} is none of ResNet50: weights of another ResNet?"
        )
    for name, arrays in stored.layers.items():
        model.get_layer(name).set_weights(arrays)
    return Base(model, frozenset(stored.layers), folded=HEAD in stored.others)


def _pass_features_on(model: keras.Model, new_layers: Sequence[str]) -> None:
    """Let a new last stage start by passing on what the pretrained part gives it.

    With few photos a random start throws the pretrained features away. So the residual branches
    start at zero (Goyal et al. 2017, arXiv:1706.02677, 5.1), and the shortcut that doubles the
    channels gives them once as they are and once negated, of which the ReLU behind it keeps all
    (Shang et al. 2016, arXiv:1603.05201): training starts as a linear probe on these features.
    """
    for name in new_layers:
        layer = model.get_layer(name)
        if name.endswith("_3_bn"):
            gamma, *others = layer.get_weights()
            layer.set_weights([np.zeros_like(gamma), *others])
        elif name.endswith("_0_conv"):
            kernel, bias = layer.get_weights()
            identity = np.eye(kernel.shape[2], dtype=kernel.dtype)
            if kernel.shape[3] == 2 * kernel.shape[2]:
                kernel[0, 0] = np.concatenate([identity, -identity], axis=1)
                layer.set_weights([kernel, np.zeros_like(bias)])


def _fold_normalization(conv1: keras.Layer) -> None:
    """Rewrite conv1 for `RGB - 117` instead of "caffe" input (BGR minus the ImageNet mean).

    BGR - mean = (RGB - 117) turned round, plus 117 - mean; the constant goes into the bias.
    """
    kernel, bias = conv1.get_weights()
    kernel = kernel[:, :, ::-1, :]
    residual = INPUT_OFFSET - np.asarray(IMAGENET_MEAN_RGB, dtype=np.float32)
    conv1.set_weights([kernel, bias + np.einsum("hwco,c->o", kernel, residual)])
