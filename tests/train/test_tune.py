"""A search that is killed goes on to the same end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from edge.errors import BadInput
from train.learning.search import STUDY, _open_study

SCRIPT = Path(__file__).parents[2] / "train" / "tune.py"


def test_a_killed_trial_is_tried_again_and_another_job_is_refused(tmp_path):
    study = _open_study(tmp_path, {"epochs": 3, "labels": ("a", "b")})
    trial = study.ask()
    rate = trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True)
    again = _open_study(tmp_path, {"epochs": 3, "labels": ("a", "b")}).ask()
    assert again.suggest_float("learning_rate", 1e-5, 1e-2, log=True) == rate
    with pytest.raises(BadInput, match="a study with another epochs; choose another --out"):
        _open_study(tmp_path, {"epochs": 4, "labels": ("a", "b")})


@pytest.mark.slow
def test_a_killed_search_keeps_its_trials_and_goes_on(three_classes, weights, tmp_path):
    out = tmp_path / "study"
    command = [
        *(sys.executable, SCRIPT, "--data", three_classes, "--weights", weights),
        *("--out", out, "--trials", "3", "--image-size", "32", "--epochs", "2"),
        *("--views", "1", "--augmentation", "plain", "--json"),
    ]
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, start_new_session=True)
        deadline = time.monotonic() + 900
        while "epoch 1" not in log.read_text().partition("trial 2 of 3")[2]:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    begun = optuna.load_study(study_name="recipe", storage=f"sqlite:///{out / STUDY}").trials
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result == json.loads((out / "tune.json").read_text())
    assert result["finished"] == len(result["trials"]) == 3
    first, second, _ = result["trials"]
    assert (first["val_loss"], first["parameters"]) == (begun[0].value, begun[0].params)
    assert second["parameters"] == begun[1].params
    assert result["best"]["val_loss"] == min(row["val_loss"] for row in result["trials"])
    assert {path.name for path in out.iterdir()} == {STUDY, "tune.json"}
