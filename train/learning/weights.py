"""Weights of single layers out of the files that Keras writes, whichever of its formats it is."""

import io
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from edge.errors import BadInput

Shapes = Sequence[tuple[int, ...]]

INSIDE = "model.weights.h5"
"""Where a .keras file, a zip archive, keeps its weights."""
MOST_BYTES = 4 * 2**30
PATIENCE_S = 60.0
"""Looking at what a file holds takes less than one."""
DEEPEST = 8
"""Models within models whose layers are looked for."""

TAKEN = "--weights takes .h5, .weights.h5 and .keras files of Keras"
UNREADABLE = (
    *(OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What h5py and zipfile raise on files that are damaged or made to be."""

BLOCK = re.compile(r"conv\d+_block\d+_.*")
"""The layers that all ResNets have, and name alike."""


@dataclass(frozen=True)
class Stored:
    """What a file holds for some layers.

    Attributes:
        layers: name of a layer -> its weights, where they have the shapes that were asked for.
        others: names of the layers whose weights have no place.
    """

    layers: Mapping[str, list[np.ndarray]]
    others: frozenset[str]

    @property
    def foreign(self) -> list[str]:
        """Layers by which the file is of another network of the same family."""
        return sorted(name for name in self.others if BLOCK.fullmatch(name))


def read_weights(path: Path, expected: Mapping[str, Shapes]) -> Stored:
    """Read the weights of the layers `expected`, name -> shapes; others are not even loaded.

    Takes the three formats of Keras: .h5 (a group per layer), .weights.h5 and .keras (of Keras 3).

    Raises:
        BadInput: the file is missing, damaged or of another kind; the message says which.
    """
    if not path.is_file():
        raise BadInput(f"{path}: {_no_file(path)}")
    _look_first(path)
    try:
        return _read(path, expected)
    except UNREADABLE as error:
        kind = foreign_kind(path)
        if kind is None:
            reason = (str(error).strip("'\"").splitlines() or [type(error).__name__])[0]
            kind = f"not a Keras weights file, or damaged or cut off ({reason})"
        raise BadInput(f"{path}: {kind}; {TAKEN}") from None


def _read(path: Path, expected: Mapping[str, Shapes]) -> Stored:
    if not zipfile.is_zipfile(path):
        return _read_h5(path, expected)
    with zipfile.ZipFile(path) as archive:
        if INSIDE not in archive.namelist():
            raise BadInput(f"{path}: {foreign_kind(path) or 'no file of Keras'}; {TAKEN}")
        if archive.getinfo(INSIDE).file_size > MOST_BYTES:
            raise BadInput(f"{path}: holds more than {MOST_BYTES >> 30} GB of weights")
        return _read_h5(io.BytesIO(archive.read(INSIDE)), expected)


def _look_first(path: Path) -> None:
    """Let another process look at the file first: HDF5 may hang on a damaged one, or crash.

    Raises:
        BadInput: it did.
    """
    looking = [sys.executable, str(Path(__file__)), str(path)]
    known = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    try:
        done = subprocess.run(
            looking,
            env={**os.environ, "PYTHONPATH": known},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        raise BadInput(f"{path}: damaged: reading it does not end; {TAKEN}") from None
    if done.returncode < 0:
        raise BadInput(f"{path}: damaged: reading it crashes; {TAKEN}")


def _read_h5(source: Path | io.BytesIO, expected: Mapping[str, Shapes]) -> Stored:
    with h5py.File(source, "r") as file:
        found: dict[str, list[h5py.Dataset]] = {}
        for name, weights in (*_legacy(file), *_of_keras_3(file)):
            found.setdefault(name, weights)
        fitting = {
            name: [np.asarray(weight) for weight in weights]
            for name, weights in found.items()
            if [tuple(weight.shape) for weight in weights] == list(expected.get(name, ()))
            and all(weight.dtype.kind == "f" for weight in weights)
        }
    return Stored(fitting, frozenset(found) - frozenset(fitting))


def _legacy(file: h5py.File) -> Iterator[tuple[str, list[h5py.Dataset]]]:
    """A group per layer, which names its weights; that of a model within a model names several."""
    for name, group in file.get("model_weights", file).items():
        named = group.attrs.get("weight_names", ()) if isinstance(group, h5py.Group) else ()
        parts: dict[str, list[h5py.Dataset]] = {}
        for weight in named:
            weight = weight.decode() if isinstance(weight, bytes) else weight
            parts.setdefault(weight.rpartition("/")[0].rpartition("/")[2], []).append(group[weight])
        if len(parts) == 1:
            yield name, next(iter(parts.values()))
        else:
            yield from parts.items()


def _of_keras_3(file: h5py.File) -> Iterator[tuple[str, list[h5py.Dataset]]]:
    """A group `vars` per layer, numbered by kind, which knows the layer's name."""
    if "layers" in file:
        yield from _layers_below(file["layers"], 0)


def _layers_below(group: h5py.Group, depth: int) -> Iterator[tuple[str, list[h5py.Dataset]]]:
    for name, entry in group.items():
        if not isinstance(entry, h5py.Group) or depth > DEEPEST:
            continue
        if name == "vars" and len(entry):
            called = entry.attrs.get("name", group.name.rpartition("/")[2])
            called = called.decode() if isinstance(called, bytes) else str(called)
            yield called, [entry[place] for place in sorted(entry, key=int)]
        else:
            yield from _layers_below(entry, depth + 1)


def _no_file(path: Path) -> str:
    if path.is_dir():
        saved = (path / "saved_model.pb").exists()
        return f"{'a SavedModel of TensorFlow' if saved else 'a folder'}; {TAKEN}"
    if path.with_name(f"{path.name}.index").exists():
        return f"a checkpoint of TensorFlow; {TAKEN}"
    return "no such weights file (or use --weights imagenet or none)"


def foreign_kind(path: Path, name: str | None = None) -> str | None:
    """What a file is that is none of Keras, as far as its name and first bytes tell.

    `name` is that of the file, where `path` is a copy of another name.
    """
    named = Path(path.name if name is None else name)
    by_name = {
        ".onnx": "an ONNX model",
        ".pt": "a PyTorch file",
        ".pth": "a PyTorch file",
        ".bin": "a PyTorch file",
        ".safetensors": "a safetensors file",
        ".index": "a checkpoint of TensorFlow",
        ".ckpt": "a checkpoint of TensorFlow",
        ".pb": "a graph of TensorFlow",
        ".tflite": "a TFLite model",
        ".npz": "arrays of NumPy",
    }
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not head:
        return "empty"
    if head[4:8] == b"TFL3":
        return by_name[".tflite"]
    if ".data-" in named.name:
        return by_name[".ckpt"]
    return by_name.get(named.suffix.lower())


if __name__ == "__main__":
    _read(Path(sys.argv[1]), {})
