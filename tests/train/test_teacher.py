"""A teacher: which ONNX files are one, and what a training with one and with other photos does."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge.errors import BadInput
from train.learning.teacher import centered_unit, open_teacher

SCRIPT = Path(__file__).parents[2] / "train" / "fine_tune.py"


def write_network(path: Path, *, channels=3, side=32, output="embedding", features=6, outputs=1):
    """An ONNX network: the mean color of a picture, then a linear map."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 1, (channels, features)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], [output]),
    ]
    given = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", features])]
    if outputs == 2:
        given.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["n", channels]))
    graph = helper.make_graph(
        nodes,
        "colors",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", channels, side, side])],
        given,
        [helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return weights


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "colors.onnx"
    write_network(path)
    return path


def test_its_embedding_is_that_of_the_scaled_picture(tmp_path):
    weights = write_network(tmp_path / "colors.onnx")
    teacher = open_teacher(tmp_path / "colors.onnx")
    color = np.array([10, 127, 250], np.uint8)
    pictures = np.broadcast_to(color, (3, 50, 50, 3)).copy()
    given = teacher.embed(pictures)
    assert (teacher.size, teacher.features, given.dtype) == (32, 6, np.float32)
    expected = (color.astype(np.float32) - 127) / 128 @ weights
    np.testing.assert_allclose(given, np.tile(expected, (3, 1)), atol=1e-4)


def test_directions_are_from_the_mean_and_of_length_one():
    embeddings = np.array([[3.0, 1.0], [1.0, 1.0], [1.0, 5.0]])
    unit = centered_unit(embeddings, np.array([1.0, 1.0], np.float32))
    np.testing.assert_allclose(unit, [[1, 0], [0, 0], [0, 1]], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 1}, "not \\[n, 3, S, S\\]"),
        ({"side": 8}, "not \\[n, 3, S, S\\]"),
        ({"side": "s"}, "not \\[n, 3, S, S\\]"),
        ({"outputs": 2, "output": "scores"}, "none of its outputs .* is called embedding"),
        ({"features": 1}, "not \\[n, features\\]"),
    ],
)
def test_one_of_another_shape_is_refused(change, message, tmp_path):
    write_network(tmp_path / "other.onnx", **change)
    with pytest.raises(BadInput, match=message):
        open_teacher(tmp_path / "other.onnx")


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\x08\x08"])
def test_what_is_no_onnx_model_is_refused(content, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(BadInput, match="broken.onnx: not a usable ONNX model") as refused:
        open_teacher(tmp_path / "broken.onnx")
    assert "\n" not in str(refused.value)


def test_a_cut_off_file_is_refused(teacher_file, tmp_path):
    content = teacher_file.read_bytes()
    (tmp_path / "half.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match=r"half\.onnx"):
        open_teacher(tmp_path / "half.onnx")


def fine_tune(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=500)


SMALL = ("--image-size", 32, "--epochs", 1, "--views", 1, "--seed", 1)


@pytest.mark.slow
def test_a_training_with_everything_leaves_no_trace_of_the_teacher(
    teacher_file, weights, three_classes, own_data, tmp_path
):
    import keras

    other, unlabeled, negatives = tmp_path / "elsewhere", tmp_path / "any", tmp_path / "no-class"
    shutil.copytree(own_data / "train" / "Mouse", other / "Mouse")
    for photo in sorted((other / "Mouse").iterdir()):
        flip(photo)
    shutil.copytree(own_data / "train" / "PCB", other / "other-thing")
    shutil.copytree(own_data / "train", unlabeled / "deep")
    shutil.copytree(own_data / "train" / "Battery", negatives)
    done = fine_tune(
        *("--data", three_classes, "--data", other, "--leave-source-out", "elsewhere"),
        *("--out", tmp_path / "run", "--weights", weights, *SMALL, "--json"),
        *("--teacher", teacher_file, "--unlabeled", unlabeled, "--negatives", negatives),
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)
    [row] = metrics["out_of_source"]["rows"]
    assert (row["source"], row["label"]) == ("elsewhere", "Mouse") and row["images"] > 0
    assert "left out, elsewhere: Mouse" in done.stderr
    assert "negatives and" in done.stderr
    model = keras.models.load_model(tmp_path / "run" / "model.keras", compile=False)
    names = {layer.name for layer in model.layers}
    assert "logits" in names and "taught" not in names
    assert len(model.outputs) == 1


def flip(photo: Path) -> None:
    """Turn a photo upside down and darken it, so that it is no copy."""
    import cv2

    pixels = cv2.imread(str(photo))
    cv2.imwrite(str(photo), (pixels[::-1] // 2 + 30).astype(np.uint8))


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--teacher", "nowhere.onnx"), "--teacher nowhere.onnx: no such file"),
        (("--unlabeled", "."), "--unlabeled: only a teacher says something"),
        (("--negatives", "nowhere"), "nowhere: no such folder of photos"),
        (("--leave-source-out", "nowhere"), "none of the datasets of --data"),
        (("--leave-source-out", "items"), "no dataset is left to train on"),
    ],
)
def test_what_cannot_be_used_is_one_line(more, message, weights, three_classes, tmp_path):
    done = fine_tune(
        "--data", three_classes, "--out", tmp_path / "run", "--weights", weights, *SMALL, *more
    )
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(errors) == 1 and message in errors[0]


@pytest.mark.e2e
def test_an_empty_folder_of_unlabeled_photos_is_one_line(
    teacher_file, weights, three_classes, tmp_path
):
    (tmp_path / "empty").mkdir()
    done = fine_tune(
        *("--data", three_classes, "--out", tmp_path / "run", "--weights", weights, *SMALL),
        *("--teacher", teacher_file, "--unlabeled", tmp_path / "empty"),
    )
    assert done.returncode == 2 and "holds no photo" in done.stderr
    assert "Traceback" not in done.stderr
