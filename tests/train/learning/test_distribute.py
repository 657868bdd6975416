"""Workers on loopback train together, and reach what one alone reaches."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import BadInput
from edge.synthetic.items import write_dataset
from train.learning.distribute import TrainingWorker, find_worker

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("EWASTE_SHARED", ROOT.parent / "shared"))
WEIGHTS = SHARED / "weights" / "resnet50_imagenet_notop_conv1_to_conv4.h5"


def test_a_worker_finds_its_place_and_a_wrong_cluster_gets_one_line():
    cluster = {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}

    def place(index, cluster=cluster):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        return find_worker("multiworker", {"TF_CONFIG": json.dumps(config)})

    assert place(1) == TrainingWorker(1, 2)
    assert find_worker("mirrored", {}) == find_worker(None, {}) == TrainingWorker(0, 1)
    with pytest.raises(BadInput, match="set TF_CONFIG on each machine"):
        find_worker("multiworker", {})
    with pytest.raises(BadInput, match=r"task.index is 2 of 2 workers"):
        place(2)
    with pytest.raises(BadInput, match=r"cluster.worker"):
        place(0, cluster={"worker": []})
    with pytest.raises(BadInput, match="not JSON"):
        find_worker("multiworker", {"TF_CONFIG": "{"})


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos") / "items"
    write_dataset(folder, {"train": 12, "val": 4, "test": 8}, seed=5, size=64)
    return folder


def command(photos, out, *more):
    return [
        *(sys.executable, ROOT / "train" / "fine_tune.py", "--data", photos, "--out", out),
        *("--weights", WEIGHTS, "--image-size", "64"),
        *("--epochs", "8", "--unfreeze-epochs", "1", "--unfreeze", "conv4", "--ema", "0"),
        *("--views", "2", "--batch", "16", "--augmentation", "plain", "--json", *more),
    ]


def free_ports(count):
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in with_ports]
    for each in with_ports:
        each.close()
    return ports


@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.exists(), reason="no pretrained weights here (EWASTE_SHARED)")
def test_two_workers_reach_the_accuracy_of_one(photos, tmp_path):
    alone = subprocess.run(
        command(photos, tmp_path / "alone"),
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert alone.returncode == 0, alone.stderr
    run = tmp_path / "together"
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    workers = []
    for index in (1, 0):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        workers.append(
            subprocess.Popen(
                command(photos, run, "--distribute", "multiworker"),
                env={**os.environ, "TF_CONFIG": json.dumps(config)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    (other, other_output), (first, first_output) = (
        each.communicate(timeout=1800) for each in workers
    )
    assert [each.returncode for each in workers] == [0, 0], other_output + first_output
    assert json.loads(other) is None
    one, two = json.loads(alone.stdout), json.loads(first)
    print({name: (one[name], two[name]) for name in ("accuracy", "val_accuracy", "epochs")})
    assert one["images"] == two["images"] == 80
    assert min(one["accuracy"], two["accuracy"]) >= 0.4  # of ten classes, after a short while
    assert abs(one["accuracy"] - two["accuracy"]) <= 0.05
    assert json.loads((run / "config.json").read_text())["distribute"] == "multiworker"
    assert not (run / "features").exists() and not (run / "checkpoint.npz").exists()
