"""Classifiers trained in plain Keras become bundles, through the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from convert.quantize import main
from edge.bundle.verify import verify
from edge.photos.dataset import find_photos
from edge.photos.reading import read_photo
from tests.support.notebook_models import (
    NOTEBOOK_LABELS,
    NOTEBOOK_SIZE,
    draw_notebook_data,
    train_notebook,
)

app = typer.Typer()
app.command()(main)
FORMATS = (("caffe", "h5"), ("unit", "keras"), ("caffe", "keras"), ("unit", "h5"))


def preprocess_input(mode: str):
    import keras

    return keras.applications.resnet.preprocess_input if mode == "caffe" else lambda x: x / 255


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos, models of both kinds of preprocessing in both formats, and labels."""
    folder = tmp_path_factory.mktemp("notebooks")
    draw_notebook_data(folder / "data")
    for mode in ("caffe", "unit"):
        model = train_notebook(folder / "data", preprocess_input(mode))
        model.save(folder / f"{mode}.keras")
        model.save(folder / f"{mode}.h5")
    (folder / "labels.txt").write_text("\n".join(NOTEBOOK_LABELS) + "\n")
    return folder


def quantize(folder: Path, model: Path, out: Path, *options: str, mode: str = "unit") -> Result:
    given = ["--keras", str(model), "--labels", str(folder / "labels.txt")]
    given += ["--preprocessing", mode, "--data", str(folder / "data"), "--out", str(out)]
    return CliRunner().invoke(app, [*given, "--calibration", "40", *options])


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "suffix"), FORMATS)
def test_the_bundle_of_a_notebook_gives_the_answers_of_its_pipeline(
    notebooks: Path, tmp_path: Path, mode: str, suffix: str
) -> None:
    import keras

    out = tmp_path / "bundle"
    result = quantize(notebooks, notebooks / f"{mode}.{suffix}", out, "--json", mode=mode)
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["gate"] == "passed" and figures["agreement"] >= 0.99
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "bundle",
        "bundle.parity.html",
        "bundle.parity.json",
    ]

    bundle, classifier = verify(out, threads=1).require()
    assert bundle.manifest.labels == NOTEBOOK_LABELS and classifier.size == NOTEBOOK_SIZE
    assert bundle.manifest.hazards == ("Battery",)
    assert set(bundle.manifest.thresholds) == set(NOTEBOOK_LABELS)
    assert bundle.detector is not None
    assert bundle.manifest.training["imported_from"] == f"{mode}.{suffix}"
    assert f"imported from `{mode}.{suffix}`" in (out / "model_card.md").read_text()

    assert bundle.manifest.activation_map.correlation >= 0.9
    # The pipeline as the notebook has it: Keras alone, and no code of this project.
    model = keras.models.load_model(notebooks / f"{mode}.{suffix}", compile=False)
    photos = [
        read_photo(p.path) for s in ("val", "test") for p in find_photos(notebooks / "data" / s)
    ]
    resized = keras.ops.image.resize(np.stack(photos), (NOTEBOOK_SIZE, NOTEBOOK_SIZE))
    expected = model.predict(preprocess_input(mode)(np.array(resized, np.float32)), verbose=0)
    answers = np.stack([classifier.predict(photo).probabilities for photo in photos])
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99
    assert np.bincount(expected.argmax(axis=1)).min() > 0  # it has learned all classes


def write_lambda(path: Path) -> None:
    import keras

    image = keras.Input((NOTEBOOK_SIZE, NOTEBOOK_SIZE, 3))
    x = keras.layers.Lambda(lambda pixels: pixels / 255)(image)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x))
    keras.Model(image, keras.layers.Dense(4, activation="softmax")(x)).save(path)


def corrupted(what: str, folder: Path, scratch: Path) -> tuple[Path, list[str]]:
    """A model file that cannot become a bundle, and further options."""
    good, model = folder / "unit.keras", scratch / "model.keras"
    if what == "lambda":
        write_lambda(model)
    elif what == "cut off":
        content = (folder / "unit.h5").read_bytes()
        model.write_bytes(content[: len(content) // 2])
    elif what == "other framework":
        model = scratch / "model.onnx"
        model.write_bytes(b"\x08\x09 something")
    elif what == "saved model":
        model.mkdir()
        (model / "saved_model.pb").touch()
    elif what == "labels do not fit":
        (scratch / "five.txt").write_text("\n".join([*NOTEBOOK_LABELS, "Mouse"]))
        return good, ["--labels", str(scratch / "five.txt")]
    elif what == "labels twice":
        (scratch / "twice.txt").write_text("PCB\nPCB\nBattery\nKeyboard\n")
        return good, ["--labels", str(scratch / "twice.txt")]
    elif what == "other labels":
        (scratch / "other.txt").write_text("PCBs\nBattery\nKeyboard\nWashing Machine\n")
        return good, ["--labels", str(scratch / "other.txt")]
    elif what == "no such preprocessing":
        return good, ["--preprocessing", "resnet"]
    elif what == "run too":
        return good, ["--run", str(scratch)]
    elif what == "another size":
        return good, ["--image-size", "64"]
    return model, []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("nothing there", "model.keras: no such file"),
        ("lambda", "holds the layer Lambda"),
        ("cut off", "damaged, or no file of Keras"),
        ("other framework", "model.onnx: an ONNX model"),
        ("saved model", "a SavedModel of TensorFlow"),
        ("labels do not fit", "--data has no photo of Mouse"),
        ("labels twice", "names PCB twice"),
        ("other labels", "has no label PCB"),
        ("no such preprocessing", "--preprocessing resnet: expected one of caffe"),
        ("run too", "give either --run, a training run, or --keras"),
        ("another size", f"its model takes {NOTEBOOK_SIZE} px only"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    notebooks: Path, tmp_path: Path, what: str, line: str
) -> None:
    model, options = corrupted(what, notebooks, tmp_path)
    out = tmp_path / "written" / "bundle"
    result = quantize(notebooks, model, out, *options)
    assert result.exit_code == 2, result.output
    errors = [each for each in result.stderr.splitlines() if each.startswith("error:")]
    assert len(errors) == 1 and line in errors[0] and result.stderr.endswith(f"{errors[0]}\n")
    assert not out.parent.exists()


def test_labels_that_do_not_fit_the_outputs_are_one_line(notebooks: Path, tmp_path: Path) -> None:
    from convert.imported.trial import Attempt, try_import
    from edge.errors import BadInput

    source = tmp_path / "original"
    shutil.copyfile(notebooks / "unit.h5", source)
    attempt = Attempt(
        source=str(source),
        shown="unit.h5",
        model=str(tmp_path / "model.keras"),
        preprocessing="unit",
        size=None,
        classes=5,
    )
    with pytest.raises(BadInput, match="unit.h5: its model has 4 outputs, but --labels names 5"):
        try_import(attempt)
    assert not (tmp_path / "model.keras").exists()


def test_a_wrong_preprocessing_is_named(notebooks: Path, logged: list[str]) -> None:
    from convert.imported.imported_run import advise
    from train.data.dataset import read_dataset

    dataset = read_dataset([notebooks / "data"], NOTEBOOK_SIZE, 0)

    def outputs(pixels: np.ndarray, mode: str) -> np.ndarray:
        right = np.array(
            [
                (pixels[place] == dataset.val.pixels).all(axis=(1, 2, 3)).argmax()
                for place in range(len(pixels))
            ]
        )
        classes = dataset.val.classes[right]
        return np.eye(4)[classes if mode == "tf" else np.zeros_like(classes)]

    advise(outputs, dataset, "caffe")
    assert any("with tf 100%; is that what it was trained with?" in line for line in logged)
    logged.clear()
    advise(outputs, dataset, "tf")
    assert not logged
