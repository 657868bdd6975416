import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from train.learning.curve import (
    PLOT,
    RESULT,
    extrapolated_accuracy,
    first_of_each,
    helped_most,
    probe_accuracy,
)
from train.learning.fit import NEGATIVE

SCRIPT = Path(__file__).parents[3] / "train" / "learning_curve.py"


def curve(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def test_fewer_photos_are_among_more_and_unlabeled_ones_are_always_there():
    classes = np.array([0] * 9 + [1] * 4 + [NEGATIVE] * 3)
    train = np.arange(1, len(classes))
    chosen = {count: first_of_each(classes, train, count, 5) for count in (2, 3, 100)}
    assert [
        np.bincount(classes[each][classes[each] >= 0]).tolist() for each in chosen.values()
    ] == [
        [2, 2],
        [3, 3],
        [8, 4],
    ]
    assert set(chosen[2]) < set(chosen[3]) < set(chosen[100]) == set(train)
    assert all((classes[each] == NEGATIVE).sum() == 3 for each in chosen.values())
    assert not np.array_equal(chosen[3], first_of_each(classes, train, 3, 6))


def test_an_error_that_falls_as_a_power_is_carried_on():
    rows = [
        {"images": images, "accuracy": 1 - 2 * images**-0.5, "recall": {"a": 0.5, "b": each}}
        for images, each in ((50, 0.2), (200, 0.6))
    ]
    assert extrapolated_accuracy(rows) == pytest.approx(1 - 2 * 400**-0.5)
    assert helped_most(rows) == ["b"]


@pytest.mark.parametrize("accuracies", [[0.8], [0.8, 0.8], [0.9, 0.8], [0.8, 1.0]])
def test_what_cannot_be_estimated_is_not(accuracies):
    rows = [{"images": 10 * 2**n, "accuracy": each} for n, each in enumerate(accuracies)]
    assert extrapolated_accuracy(rows) is None


def test_the_probe_learns_from_labeled_photos_of_train_alone():
    rng = np.random.default_rng(0)
    classes = np.array([0, 1, 2] * 12 + [NEGATIVE] * 4)
    pooled = rng.normal(size=(40, 5)).astype(np.float32)
    pooled[np.arange(36), classes[:36]] += 8  # what is easy to tell
    train, val = np.r_[0:24, 36:40], np.arange(24, 36)
    assert probe_accuracy(pooled, classes, train, val, 0) == 1
    mixed = classes.copy()
    mixed[val] = (mixed[val] + 1) % 3  # had it seen val, it would be right there
    assert probe_accuracy(pooled, mixed, train, val, 0) == 0
    assert probe_accuracy(None, classes, train, val, 0) is None


@pytest.mark.slow
def test_a_curve_goes_on_where_it_ended(three_classes, weights, tmp_path):
    out = tmp_path / "curve"
    options = ("--data", three_classes, "--weights", weights, "--out", out, "--image-size", 32)
    small = (*options, "--views", 1, "--augmentation", "plain", "--json")
    first = curve(*small, "--photos", "3", "--epochs", 1)
    assert first.returncode == 0, first.stderr
    (row,) = json.loads(first.stdout)["rows"]
    assert (row["photos"], row["images"]) == (3, 9) and set(row["recall"]) == {
        "Battery",
        "Mouse",
        "PCB",
    }
    changed = json.loads((out / RESULT).read_text())
    changed["rows"][0]["accuracy"] = 0.123  # so that one sees that it is not done again
    (out / RESULT).write_text(json.dumps(changed))
    second = curve(*small, "--photos", "3,50", "--epochs", 1)
    assert second.returncode == 0, second.stderr
    rows = json.loads(second.stdout)["rows"]
    assert [(each["photos"], each["images"]) for each in rows] == [(3, 9), (8, 24)]
    assert rows[0]["accuracy"] == 0.123
    assert all(0 <= each["probe"] <= 1 for each in rows)
    assert {path.name for path in out.iterdir()} == {RESULT, PLOT}
    other = curve(*small, "--photos", "3", "--epochs", 2)
    assert other.returncode == 2 and "holds a curve with another epochs" in other.stderr


@pytest.mark.parametrize("photos", ["", "ten", "5,0", "1"])
def test_no_number_of_photos_is_bad_input(three_classes, weights, tmp_path, photos):
    options = ("--data", three_classes, "--weights", weights, "--image-size", 32)
    done = curve(*options, "--out", tmp_path / "curve", "--photos", photos)
    assert done.returncode == 2 and f"error: --photos {photos}" in done.stderr
    assert not (tmp_path / "curve").exists()
