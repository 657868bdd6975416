import csv
import json
import sys

import pytest

from edge.errors import BadInput
from train.learning.tracking import log_to_mlflow


@pytest.fixture
def finished(tmp_path):
    run = tmp_path / "first"
    run.mkdir()
    (run / "config.json").write_text(
        json.dumps({"learning_rate": 0.001, "unfreeze": "conv5", "labels": ["a"]})
    )
    with (run / "history.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["phase", "epoch", "loss", "val_loss"])
        table.writeheader()
        table.writerow({"phase": "new layers", "epoch": 1, "loss": 0.9, "val_loss": 0.8})
        table.writerow({"phase": "unfrozen", "epoch": 2, "loss": 0.5, "val_loss": 0.6})
    return run


def test_a_run_is_found_in_mlflow_with_its_settings_epochs_and_figures(
    finished, tmp_path, monkeypatch
):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    log_to_mlflow(finished, {"accuracy": 0.97, "images": 300, "per_class": {}})
    client = mlflow.MlflowClient()
    (logged,) = client.search_runs(["0"])
    assert logged.info.run_name == "first"
    assert logged.data.params == {"learning_rate": "0.001", "unfreeze": "conv5"}
    assert logged.data.metrics["accuracy"] == 0.97
    history = client.get_metric_history(logged.info.run_id, "val_loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.8), (2, 0.6)]


def test_without_mlflow_one_line_says_what_to_install(finished, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(BadInput, match=r"pip install '\.\[mlflow\]'"):
        log_to_mlflow(finished, {})
