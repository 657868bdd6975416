"""Look at what a file of Keras holds, without TensorFlow and without running anything in it.

A model file is untrusted. Keras builds whatever classes its configuration names, so the names are
checked against a list first: layers of Keras that compute, and their initializers and the like.
"""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py

from edge.errors import BadInput, one_line
from train.learning.weights import INSIDE, MOST_BYTES, UNREADABLE, foreign_kind

CONFIG_INSIDE = "config.json"
MEMBERS = frozenset({CONFIG_INSIDE, "metadata.json", INSIDE})
"""What a .keras file holds; `assets/` belong to layers that read files."""
MOST_CONFIG_BYTES = 32 * 2**20
MOST_ENTRIES = 200_000
DEEPEST = 32
"""Groups within groups of an HDF5 file."""
TAKEN = "--keras takes whole models of Keras, .keras or .h5"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


LAYERS = _names(
    """
    Activation ActivityRegularization Add AlphaDropout Average AveragePooling2D
    BatchNormalization CenterCrop Concatenate Conv2D Cropping2D Dense DepthwiseConv2D Dropout
    ELU Flatten GaussianDropout GaussianNoise GlobalAveragePooling2D GlobalMaxPooling2D
    GroupNormalization Identity InputLayer LayerNormalization LeakyReLU MaxPooling2D Maximum
    Minimum Multiply Normalization PReLU Permute RandomBrightness RandomColorJitter
    RandomContrast RandomFlip RandomGrayscale RandomHue RandomRotation RandomSaturation
    RandomShear RandomTranslation RandomZoom ReLU Rescaling Reshape Resizing SeparableConv2D
    Softmax SpatialDropout2D Subtract ThresholdedReLU UpSampling2D ZeroPadding2D
    """
)
MODELS = frozenset({"Functional", "Model", "Sequential"})
OPERATIONS = frozenset({"Divide", "GetItem", "Stack", "TrueDivide"})
"""Beside `Add`, `Subtract` and `Multiply`: what `preprocess_input` within a model leaves there."""
PARTS = _names(
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform L1 L1L2 L2 LecunNormal LecunUniform
    MaxNorm MinMaxNorm NonNeg Ones Orthogonal OrthogonalRegularizer RandomNormal RandomUniform
    TruncatedNormal UnitNorm VarianceScaling Zeros DTypePolicy __ellipsis__ __keras_tensor__
    __numpy__ __tensor__ __tuple__ slice __slice__
    """
)
ACTIVATIONS = _names(
    """
    celu elu exponential gelu hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
    log_softmax mish relu relu6 selu sigmoid silu softmax softplus softsign swish tanh
    """
)
CODE = frozenset({"Lambda", "__lambda__", "TFOpLambda", "SlicingOpLambda"})
ALLOWED = LAYERS | MODELS | OPERATIONS | PARTS
HALF = frozenset({"float16", "bfloat16", "mixed_float16", "mixed_bfloat16"})


@dataclass(frozen=True)
class StoredModel:
    """What a file holds.

    Attributes:
        suffix: `.keras` or `.h5`, by its content.
        config: the architecture, without what training needs, in float32.
    """

    suffix: str
    config: dict[str, Any]


def read_stored(path: Path, shown: Path) -> StoredModel:
    """Read the architecture that a file holds, and check it.

    HDF5 may hang or crash on a damaged file, so this runs in a process of its own
    (`convert.imported.trial`).

    Args:
        path: the file.
        shown: its name in messages.

    Raises:
        BadInput: it holds no whole model of Keras, or one that could run code or read other files.
    """
    try:
        suffix, text = _config_of(path, shown)
        config = json.loads(text)
        if not isinstance(config, dict) or config.get("class_name") not in MODELS:
            raise BadInput(f"{shown}: its model is a class of its own; build it of Keras layers")
        _check_classes(config, shown)
        return StoredModel(suffix, _cleaned(config))
    except (*UNREADABLE, RecursionError) as error:
        reason = one_line(error) or type(error).__name__
        raise BadInput(f"{shown}: damaged, or no file of Keras ({reason}); {TAKEN}") from None


def _config_of(path: Path, shown: Path) -> tuple[str, str]:
    """The kind of a file by its content, and its architecture as JSON."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            if not {CONFIG_INSIDE, INSIDE} <= set(sizes):
                kind = foreign_kind(path, shown.name) or "a zip archive without a model"
                raise BadInput(f"{shown}: {kind}; {TAKEN}")
            if others := sorted(set(sizes) - MEMBERS):
                raise BadInput(f"{shown}: holds {one_line(others[0])}, which no classifier needs")
            if sizes[CONFIG_INSIDE] > MOST_CONFIG_BYTES or sizes[INSIDE] > MOST_BYTES:
                raise BadInput(f"{shown}: too large to be a classifier")
            with h5py.File(BytesIO(archive.read(INSIDE)), "r") as weights:
                _check_datasets(weights, shown)
            return ".keras", archive.read(CONFIG_INSIDE).decode()
    if not h5py.is_hdf5(path):
        kind = foreign_kind(path, shown.name) or "no file of Keras, or damaged"
        raise BadInput(f"{shown}: {kind}; {TAKEN}")
    with h5py.File(path, "r") as file:
        _check_datasets(file, shown)
        config = file.attrs.get("model_config")
        if config is None:
            raise BadInput(f"{shown}: holds weights only; save the whole model (model.save)")
        text = config.decode() if isinstance(config, bytes) else str(config)
    if len(text) > MOST_CONFIG_BYTES:
        raise BadInput(f"{shown}: too large to be a classifier")
    return ".h5", text


def _check_datasets(file: h5py.File, shown: Path) -> None:
    """Check that all data are in this file, and bounded."""
    total = 0
    for number, dataset in enumerate(_datasets(file, shown, 0)):
        total += dataset.nbytes if dataset.shape is not None else 0
        if number > MOST_ENTRIES or total > MOST_BYTES:
            raise BadInput(f"{shown}: too large to be a classifier")
        if dataset.external or dataset.is_virtual:
            raise BadInput(f"{shown}: its weights lie in other files, which are never read")


def _datasets(group: h5py.Group, shown: Path, depth: int) -> Iterator[h5py.Dataset]:
    if depth > DEEPEST:
        raise BadInput(f"{shown}: damaged, or no file of Keras; {TAKEN}")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise BadInput(f"{shown}: its weights lie elsewhere, behind a link, which is not read")
        entry = group[name]
        if isinstance(entry, h5py.Group):
            yield from _datasets(entry, shown, depth + 1)
        elif isinstance(entry, h5py.Dataset):
            yield entry


def _check_classes(config: object, shown: Path) -> None:
    """Check that the architecture names only classes that compute and do nothing else."""
    pending = [config]
    while pending:
        entry = pending.pop()
        if isinstance(entry, list):
            pending.extend(entry)
        elif isinstance(entry, dict):
            if "class_name" in entry:
                _check_class(entry, shown)
            pending.extend(value for key, value in entry.items() if key != "compile_config")


def _check_class(entry: dict[str, Any], shown: Path) -> None:
    name = entry["class_name"]
    inner = entry.get("config")
    where = inner.get("name") if isinstance(inner, dict) else entry.get("name")
    layer = f" ({one_line(where, 40)})" if where else ""
    if name in CODE:
        raise BadInput(
            f"{shown}: holds the layer {name}{layer}, which is program code and never run from a "
            "file; build it of Keras layers, such as Rescaling"
        )
    module = entry.get("module") or "builtins"
    of_keras = module == "builtins" or str(module).split(".")[0] == "keras"
    if name == "function":
        if inner not in ACTIVATIONS or module not in ("builtins", "keras.activations"):
            raise BadInput(f"{shown}: needs the function {one_line(inner, 40)}, which is custom")
    elif not isinstance(name, str) or name not in ALLOWED or not of_keras:
        raise BadInput(
            f"{shown}: holds {one_line(name, 40)}{layer}, a custom or unsupported class; "
            "build it of the usual layers of Keras"
        )


def _cleaned(entry: Any) -> Any:
    """The architecture without optimizers and metrics, and in float32 instead of 16 bits."""
    if isinstance(entry, list):
        return [_cleaned(each) for each in entry]
    if not isinstance(entry, dict):
        return entry
    return {
        key: "float32" if key == "dtype" and _is_half(value) else _cleaned(value)
        for key, value in entry.items()
        if key != "compile_config"
    }


def _is_half(dtype: object) -> bool:
    if isinstance(dtype, dict):
        policy = dtype.get("config")
        dtype = policy.get("name") if isinstance(policy, dict) else None
    return isinstance(dtype, str) and dtype in HALF
