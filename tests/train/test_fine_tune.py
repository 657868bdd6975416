import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from edge.inference.preprocess import float_input, model_input
from edge.photos.dataset import find_dataset, find_photos
from edge.photos.reading import read_photo
from tests.support.legacy_weights import write_legacy
from train.learning.training import error_cause

pytestmark = pytest.mark.e2e

SCRIPT = Path(__file__).parents[2] / "train" / "fine_tune.py"


def fine_tune(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="session")
def tiny(weights):
    """Trains as little as can be; the whole network, from nothing, in tests/test_end_to_end.py."""

    def run(data: Path, out: Path, *more: object) -> subprocess.CompletedProcess:
        size = (
            "--image-size",
            32,
            "--epochs",
            1,
            "--unfreeze-epochs",
            0,
            "--views",
            1,
            "--seed",
            1,
        )
        return fine_tune("--data", data, "--out", out, "--weights", weights, *size, *more)

    return run


@pytest.fixture(scope="module")
def trained(tiny, three_classes, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "tiny"
    return out, tiny(three_classes, out, "--json")


def test_of_what_tensorflow_says_the_user_learns_what_went_wrong():
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def beyond(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, tf.size(values))

    with pytest.raises(tf.errors.OpError) as failed:
        beyond(tf.zeros(3))
    assert "\n" in failed.value.message
    cause = error_cause(failed.value.message)
    assert "is not in [0, 3)" in cause and "\n" not in cause


def test_a_run_holds_a_model_its_figures_and_their_pictures(trained):
    out, done = trained
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert json.loads(done.stdout) == metrics
    assert metrics["images"] == 9
    assert 0 <= metrics["accuracy_low"] <= metrics["accuracy"] <= metrics["accuracy_high"] <= 1
    assert set(metrics["per_class"]) == {"Battery", "Mouse", "PCB"}
    assert np.array(metrics["confusion"]).sum() == 9
    with (out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1 and float(rows[0]["val_loss"]) > 0
    left = {path.name for path in out.iterdir()}
    files = {"model.keras", "config.json", "metrics.json", "history.csv", "split.csv"}
    files |= {"calibration.json", "unknown.npz"}
    assert left == files | {"plots", "tensorboard"}
    assert {path.name for path in (out / "plots").iterdir()} == {"history.png", "confusion.png"}


def test_the_saved_model_gives_the_accuracy_that_was_written_down(trained, three_classes):
    out, _ = trained
    labels = json.loads((out / "config.json").read_text())["labels"]
    photos = find_photos(three_classes / "test")
    pixels = np.stack([model_input(read_photo(photo.path), 32) for photo in photos])
    answers = keras.models.load_model(out / "model.keras").predict(float_input(pixels), verbose=0)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    right = [
        labels[row.argmax()] == photo.label for row, photo in zip(answers, photos, strict=True)
    ]
    assert np.mean(right) == json.loads((out / "metrics.json").read_text())["accuracy"]


def test_a_finished_run_is_not_overwritten(tiny, trained, three_classes):
    done = tiny(three_classes, trained[0])
    assert done.returncode == 2
    assert "holds a finished run" in done.stderr.splitlines()[-1]


def corrupt(data: Path, how: str) -> str:
    """Damage a dataset; returns what the error must name."""
    if how == "no such folder":
        return str(data / "nowhere")
    if how == "a listing with a file too many":
        photos = sorted((data / "train").glob("*/*"))
        rows = [f"{photo},{photo.parent.name}" for photo in photos]
        listing = ["path,label", *rows, f"{data / 'lost.jpg'},PCB"]
        (data / "photos.csv").write_text("\n".join(listing))
        return str(data / "lost.jpg")
    if how == "a class without images":
        for path in (data / "train" / "PCB").iterdir():
            path.unlink()
        return str(data / "train" / "PCB")
    if how == "a class that train lacks":
        (data / "val" / "PCB").rename(data / "val" / "Toaster")
        return "Toaster"
    if how == "one class":
        for path in ("Mouse", "PCB"):
            for image in (data / "train" / path).iterdir():
                image.unlink()
            (data / "train" / path).rmdir()
        return "one class only"
    if how == "no test split":
        (data / "test").rename(data / "exam")
        return str(data / "test")
    raise AssertionError(how)


@pytest.mark.parametrize(
    "how",
    [
        "no such folder",
        "a listing with a file too many",
        "a class without images",
        "a class that train lacks",
        "one class",
        "no test split",
    ],
)
def test_a_bad_dataset_gets_one_line_and_leaves_nothing(tiny, own_data, tmp_path, how):
    named = corrupt(own_data, how)
    given = {"no such folder": "nowhere", "a listing with a file too many": "photos.csv"}
    data = own_data / given.get(how, "")
    done = tiny(data, tmp_path / "run")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert named in done.stderr.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_weights_of_another_architecture_are_refused_and_nothing_is_left(three_classes, tmp_path):
    other = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(2, 3, name="block1")])
    write_legacy(other, tmp_path / "other.h5", lambda name: True)
    done = fine_tune(
        *("--data", three_classes, "--out", tmp_path / "run", "--image-size", 32),
        *("--weights", tmp_path / "other.h5"),
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert str(tmp_path / "other.h5") in last and "another architecture" in last
    assert "Traceback" not in done.stderr and not (tmp_path / "run").exists()


@pytest.mark.slow
def test_one_corrupt_photo_is_named_and_skipped(tiny, own_data, tmp_path):
    empty = own_data / "train" / "Mouse" / "0000.jpg"
    empty.write_bytes(b"")
    torn = own_data / "train" / "PCB" / "0000.jpg"
    torn.write_bytes(torn.read_bytes()[:300])
    done = tiny(own_data, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    messages = done.stderr.replace("\n", "")
    assert f"skipped {empty}" in messages and f"skipped {torn}" in messages
    assert "22 photos to train" in messages


@pytest.mark.slow
def test_copies_across_splits_are_left_out_and_the_rest_of_test_is_judged_apart(
    tiny, own_data, tmp_path
):
    for number in range(5):  # uneven classes as well
        (own_data / "train" / "Mouse" / f"{number:04}.jpg").unlink()
    for split in ("train", "val"):
        shutil.copy(own_data / "test" / "PCB" / "0000.jpg", own_data / split / "PCB" / "copy.jpg")
    done = tiny(own_data, tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    assert "left out for a copy in a later split: 1 photos of train, 1 of val" in (
        done.stderr.replace("\n", " ")
    )
    metrics = json.loads(done.stdout)
    assert (metrics["images"], metrics["images_clean"]) == (9, 8)
    right, right_clean = 9 * metrics["accuracy"], 8 * metrics["accuracy_clean"]
    assert right_clean == pytest.approx(round(right_clean), abs=1e-9)
    assert -1e-9 <= right - right_clean <= 1 + 1e-9
    assert metrics["left_out"] == {"train": 1, "val": 1}
    used = find_dataset(tmp_path / "run" / "split.csv")
    assert {split: len(photos) for split, photos in used.items()} == {
        "train": 19,
        "val": 9,
        "test": 9,
    }


@pytest.mark.slow
def test_folds_are_judged_first_on_photos_they_did_not_see(tiny, own_data, tmp_path):
    done = tiny(own_data, tmp_path / "run", "--folds", 2, "--json")
    assert done.returncode == 0, done.stderr
    folds = json.loads(done.stdout)["folds"]
    assert sum(fold["images"] for fold in folds["folds"]) == 33  # train and val
    for fold in folds["folds"]:
        assert fold["accuracy_low"] <= fold["accuracy"] <= fold["accuracy_high"]
    mean = sum(fold["accuracy"] for fold in folds["folds"]) / 2
    assert folds["accuracy_mean"] == pytest.approx(mean)
    assert json.loads((tmp_path / "run" / "folds.json").read_text()) == folds


def test_more_folds_than_there_are_photos_are_refused(tiny, own_data, tmp_path):
    too_many = tiny(own_data, tmp_path / "run", "--folds", 30)
    assert too_many.returncode == 2 and "use fewer" in too_many.stderr.splitlines()[-1]
