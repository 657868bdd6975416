"""The device's classifier on real models: unquantized and quantized."""

from pathlib import Path

import numpy as np
import pytest

from edge.errors import BadInput
from edge.inference.classifier import Classifier, softmax
from edge.inference.preprocess import model_input
from edge.photos.reading import read_photo
from tests.support.drawn import LABELS, SIZE
from tests.support.odd_models import odd_model


@pytest.fixture(scope="module", params=["fp32", "int8"])
def classifier(request: pytest.FixtureRequest, tiny_fp32: Path, tiny_bundle: Path) -> Classifier:
    model = {"fp32": tiny_fp32, "int8": tiny_bundle / "model.tflite"}[request.param]
    return Classifier(model, LABELS, threads=1)


@pytest.fixture(scope="module")
def view(drawn_data: Path) -> np.ndarray:
    return read_photo(drawn_data / "test" / "Keyboard" / "5-190.png")


def test_a_view_gets_logits_probabilities_and_embedding(
    classifier: Classifier, view: np.ndarray
) -> None:
    prediction = classifier.predict(view)
    assert classifier.size == SIZE
    assert prediction.logits.shape == prediction.probabilities.shape == (len(LABELS),)
    assert prediction.embedding.shape == (96,)
    assert {array.dtype for array in vars(prediction).values()} == {np.dtype(np.float32)}
    assert prediction.probabilities.sum() == pytest.approx(1)
    assert LABELS[prediction.probabilities.argmax()] == "Keyboard"


def test_an_answer_is_not_changed_by_the_next_one(classifier: Classifier, view: np.ndarray) -> None:
    first = classifier.run(model_input(view, SIZE))
    kept = {name: array.copy() for name, array in first.items()}
    classifier.run(np.zeros((SIZE, SIZE, 3), np.uint8))
    assert all(np.array_equal(first[name], kept[name]) for name in kept)


def test_int8_and_fp32_mean_the_same(tiny_fp32: Path, tiny_bundle: Path, view: np.ndarray) -> None:
    unquantized = Classifier(tiny_fp32, LABELS, threads=1)
    quantized = Classifier(tiny_bundle / "model.tflite", LABELS, threads=1)
    assert unquantized.run(model_input(view, SIZE))["logits"].dtype == np.float32
    stored = quantized.run(model_input(view, SIZE))
    assert {name: array.dtype for name, array in stored.items()} == {
        "logits": np.dtype(np.int8),
        "embedding": np.dtype(np.int8),
    }
    exact, rounded = unquantized.predict(view), quantized.predict(view)
    spread = exact.logits.max() - exact.logits.min()
    assert np.abs(exact.logits - rounded.logits).max() < 0.05 * spread
    assert np.abs(exact.embedding - rounded.embedding).max() < 0.05 * exact.embedding.max()


def test_the_temperature_softens_the_probabilities_only(
    tiny_bundle: Path, view: np.ndarray
) -> None:
    model = tiny_bundle / "model.tflite"
    sharp = Classifier(model, LABELS, threads=1).predict(view)
    soft = Classifier(model, LABELS, temperature=2.0, threads=1).predict(view)
    assert np.array_equal(sharp.logits, soft.logits)
    assert np.allclose(soft.probabilities, softmax(sharp.logits / 2))


def test_softmax_of_huge_logits_is_finite() -> None:
    probabilities = softmax(np.array([[1e4, 0.0], [-1e4, -1e4]]))
    assert probabilities.tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_other_classes_than_labels_are_bad_input(tiny_bundle: Path) -> None:
    with pytest.raises(BadInput, match="has 4 classes, but 3 labels"):
        Classifier(tiny_bundle / "model.tflite", LABELS[:3])


@pytest.mark.parametrize("content", [b"", b"TFL3 but not a model", b"\x1c\0\0\0TFL3" + bytes(200)])
def test_what_is_no_model_is_bad_input(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.tflite").write_bytes(content)
    with pytest.raises(BadInput, match="not a model"):
        Classifier(tmp_path / "model.tflite", LABELS)


def test_a_missing_model_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such model file"):
        Classifier(tmp_path / "model.tflite", LABELS)


def test_a_model_without_the_outputs_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(odd_model("mean"))
    with pytest.raises(BadInput, match="model"):
        Classifier(tmp_path / "model.tflite", LABELS)
