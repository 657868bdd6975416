"""What a model file may hold, found out without Keras and without running anything in it."""

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from convert.imported.stored import read_stored
from edge.errors import BadInput

SHOWN = Path("model.keras")


def layer(class_name: str, module: str | None = "keras.layers", **config: object) -> dict:
    return {"module": module, "class_name": class_name, "config": {"name": "odd", **config}}


def sequential(*layers: dict) -> dict:
    inner = {"name": "model", "layers": list(layers)}
    return {"module": "keras", "class_name": "Sequential", "config": inner}


def write_keras(path: Path, config: object, **members: bytes) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as weights:
        weights["layers/dense/vars/0"] = np.zeros(4, np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
        archive.write(path.with_suffix(".h5"), "model.weights.h5")
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_layers_of_keras_are_read_without_optimizer_and_half_precision(tmp_path: Path) -> None:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    config = sequential(layer("Dense", units=4, activation="softmax", dtype=policy))
    config["compile_config"] = {"loss": {"class_name": "Focal", "module": "mine"}}
    stored = read_stored(write_keras(tmp_path / "model.keras", config), SHOWN)
    assert stored.suffix == ".keras" and "compile_config" not in stored.config
    assert stored.config["config"]["layers"][0]["config"]["dtype"] == "float32"


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (sequential(layer("Lambda", function="marshalled")), "holds the layer Lambda .odd., which"),
        (sequential(layer("TFOpLambda", None)), "program code and never run from a file"),
        (sequential(layer("Attention9", "thesis.layers")), "holds Attention9 .odd., a custom"),
        (sequential(layer("Dense", "thesis.layers")), "holds Dense .odd., a custom"),
        (sequential(layer("TextVectorization")), "a custom or unsupported class"),
        (sequential(layer("TFSMLayer")), "a custom or unsupported class"),
        (layer("MyModel", "thesis"), "its model is a class of its own"),
        ([1, 2], "its model is a class of its own"),
        (
            sequential(
                layer(
                    "Dense",
                    activation={
                        "module": "keras.utils",
                        "class_name": "function",
                        "config": "get_file",
                    },
                )
            ),
            "needs the function get_file",
        ),
    ],
)
def test_an_architecture_that_could_do_more_than_compute_is_refused(
    tmp_path: Path, config: object, line: str
) -> None:
    with pytest.raises(BadInput, match=line) as error:
        read_stored(write_keras(tmp_path / "model.keras", config), SHOWN)
    assert "\n" not in str(error.value)


def test_a_file_with_assets_is_refused(tmp_path: Path) -> None:
    path = write_keras(tmp_path / "model.keras", sequential(), **{"assets/vocabulary.txt": b"a"})
    with pytest.raises(BadInput, match=r"holds assets/vocabulary\.txt"):
        read_stored(path, SHOWN)


def write_h5(path: Path, what: str) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(sequential(layer("Dense", None)))
        if what == "external link":
            file["model_weights"] = h5py.ExternalLink("/etc/passwd", "/")
        elif what == "soft link":
            file["model_weights"] = h5py.SoftLink("/elsewhere")
        elif what == "external data":
            file.create_dataset("w", (8,), "u1", external=[("/etc/passwd", 0, 8)])
        elif what == "huge":
            file.create_dataset("w", (2**40,), "f4", chunks=(1024,))
        elif what == "weights only":
            del file.attrs["model_config"]
        elif what == "no json":
            file.attrs["model_config"] = "{"
        elif what == "cycle":
            file.create_group("a")["b"] = file["/"]
        else:
            file["w"] = np.zeros(3)
    return path


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("external link", "behind a link, which is not read"),
        ("soft link", "behind a link, which is not read"),
        ("external data", "lie in other files, which are never read"),
        ("huge", "too large to be a classifier"),
        ("weights only", "holds weights only; save the whole model"),
        ("no json", "damaged, or no file of Keras"),
        ("cycle", "damaged, or no file of Keras"),
    ],
)
def test_an_hdf5_file_that_reaches_out_is_refused(tmp_path: Path, what: str, line: str) -> None:
    with pytest.raises(BadInput, match=line) as error:
        read_stored(write_h5(tmp_path / "model.h5", what), Path("model.h5"))
    assert "\n" not in str(error.value)


def test_an_hdf5_file_is_known_by_its_content(tmp_path: Path) -> None:
    assert read_stored(write_h5(tmp_path / "model.keras", "good"), SHOWN).suffix == ".h5"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("net.pt", b"PK\x05\x06" + bytes(18), "a PyTorch file; --keras takes"),
        ("net.onnx", b"\x08\x09 something", "an ONNX model"),
        ("net.tflite", b"\x1c\x00\x00\x00TFL3", "a TFLite model"),
        ("net.safetensors", b"\x10" + bytes(20), "a safetensors file"),
        ("net.keras", b"", "empty"),
        ("net.keras", b"PK\x03\x04 half a zip", "no file of Keras, or damaged"),
        ("net.h5", b"\x89HDF\r\n\x1a\n and no more", "no file of Keras"),
    ],
)
def test_files_of_other_frameworks_are_named(
    tmp_path: Path, name: str, content: bytes, line: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=line) as error:
        read_stored(path, Path(name))
    assert "\n" not in str(error.value)
