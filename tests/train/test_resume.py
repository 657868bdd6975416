"""Trainings killed at any moment go on to the same result, and a full disk loses nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from edge.errors import BadInput
from train.learning.checkpoint import load_checkpoint, save_checkpoint

SCRIPT = Path(__file__).parents[2] / "train" / "fine_tune.py"
MOMENTS = {
    "reading": lambda run, messages: "classes;" in messages,
    "caching": lambda run, messages: any(run.glob("features/*/1.npy")),
    "new layers": lambda run, messages: "new layers, epoch 2" in messages,
    "between phases": lambda run, messages: "new layers, epoch 3" in messages,
    "unfrozen": lambda run, messages: "unfrozen, epoch 4" in messages,
    "judging": lambda run, messages: "test photos of" in messages,
}


def command(*arguments):
    return [sys.executable, str(SCRIPT), *map(str, arguments)]


def begin(data, weights, out):
    return command(
        *("--data", data, "--weights", weights, "--out", out, "--image-size", 32, "--seed", 3),
        *(
            "--epochs",
            3,
            "--unfreeze-epochs",
            2,
            "--unfreeze",
            "conv4",
            "--views",
            2,
            "--batch",
            8,
        ),
    )


def kill_when(arguments, moment, run):
    """Start a training and kill it as soon as the moment has come."""
    log = run.with_suffix(".log")
    with log.open("wb") as file:
        process = subprocess.Popen(arguments, stderr=file, start_new_session=True)
        deadline = time.monotonic() + 240
        while not moment(run, log.read_text()):
            assert process.poll() is None, f"it ended before that moment: {log.read_text()}"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def outcome(run):
    """What must not depend on interruptions: the figures and the weights."""
    metrics = json.loads((run / "metrics.json").read_text())
    for changing in ("seconds", "seconds_by_phase", "peak_memory_mb"):
        del metrics[changing]
    rows = [line.rsplit(",", 1)[0] for line in (run / "history.csv").read_text().splitlines()]
    model = keras.models.load_model(run / "model.keras", compile=False)
    return metrics, rows, model.get_weights()


@pytest.mark.slow
def test_a_training_killed_in_any_phase_ends_as_one_that_was_not(three_classes, weights, tmp_path):
    whole = tmp_path / "whole"
    subprocess.run(begin(three_classes, weights, whole), check=True, capture_output=True)
    metrics, rows, model = outcome(whole)
    for number, (name, moment) in enumerate(MOMENTS.items()):
        run = tmp_path / f"killed-{number}"
        kill_when(begin(three_classes, weights, run), moment, run)
        if (run / "config.json").exists():
            again = command("--out", run, "--resume")
        else:  # killed before there was anything to go on from
            again = begin(three_classes, weights, run)
        done = subprocess.run(again, capture_output=True, text=True)
        assert done.returncode == 0, (name, done.stderr)
        resumed = outcome(run)
        assert resumed[0] == metrics, name
        assert resumed[1] == rows, name
        for ours, theirs in zip(resumed[2], model, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
        assert not (run / "features").exists() and not list(run.glob("*checkpoint*"))


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_reported_in_one_line_and_the_run_goes_on_with_more_room(
    three_classes, weights, tmp_path
):
    run = tmp_path / "disk" / "run"
    run.parent.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", run.parent], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        done = subprocess.run(
            begin(three_classes, weights, run), capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert "No space left" in done.stderr.splitlines()[-1]
        subprocess.run(["mount", "-o", "remount,size=2g", run.parent], check=True)
        resumed = subprocess.run(
            command("--out", run, "--resume"), capture_output=True, text=True, timeout=300
        )
        assert resumed.returncode == 0, resumed.stderr
        assert (run / "model.keras").exists()
    finally:
        subprocess.run(["umount", run.parent], check=True)


@pytest.mark.e2e
def test_resume_takes_its_options_from_the_run_and_a_finished_run_is_not_resumed(tmp_path):
    def last_line(*arguments):
        done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        return done.stderr.splitlines()[-1]

    run = tmp_path / "run"
    assert "start it without --resume" in last_line("--out", run, "--resume")
    run.mkdir()
    (run / "config.json").write_text("{}")
    assert "leave out --epochs" in last_line("--out", run, "--resume", "--epochs", 3)
    assert "unfinished run" in last_line("--out", run, "--data", tmp_path)
    assert "cannot be continued" in last_line("--out", run, "--resume")
    (run / "metrics.json").write_text("{}")
    assert "finished" in last_line("--out", run, "--resume")
    shutil.rmtree(run)
    assert "--data: missing" in last_line("--out", run)


def test_a_checkpoint_comes_back_as_it_was_and_a_torn_one_is_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    assert load_checkpoint(path) is None
    arrays = {
        "part": [np.arange(6.0).reshape(2, 3), np.array(7, np.int64)],
        "best": [np.ones(1, np.float32)],
    }
    save_checkpoint(path, arrays, {"epoch": 4, "history": [{"loss": 0.5}]})
    back, state = load_checkpoint(path)
    assert state == {"epoch": 4, "history": [{"loss": 0.5}]}
    for name, each in arrays.items():
        for ours, theirs in zip(back[name], each, strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadInput, match="damaged"):
        load_checkpoint(path)
