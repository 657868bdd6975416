"""Log a finished run to MLflow."""

import csv
import importlib
import json
from pathlib import Path
from types import ModuleType

from edge.errors import BadInput, EwasteError


def find_mlflow() -> ModuleType:
    """The library; asked for before a training, whose end is too late to learn that it is missing.

    Raises:
        BadInput: MLflow is not installed.
    """
    try:
        return importlib.import_module("mlflow")
    except ModuleNotFoundError:
        raise BadInput("--mlflow: run: pip install '.[mlflow]'") from None


def log_to_mlflow(run: Path, metrics: dict) -> None:
    """Log the settings, the epochs and the figures of a run, under its name.

    MLflow's own settings (MLFLOW_TRACKING_URI and so on) say where to; by default `mlflow.db` in
    the working directory.

    Raises:
        BadInput: MLflow is not installed.
        EwasteError: it cannot log; the run itself is whole.
    """
    mlflow = find_mlflow()
    config = json.loads((run / "config.json").read_bytes())
    with (run / "history.csv").open(newline="") as file:
        epochs = list(csv.DictReader(file))
    try:
        with mlflow.start_run(run_name=run.resolve().name):
            mlflow.log_params({k: v for k, v in config.items() if not isinstance(v, dict | list)})
            for row in epochs:
                figures = {k: float(v) for k, v in row.items() if k not in ("phase", "epoch")}
                mlflow.log_metrics(figures, step=int(row["epoch"]))
            mlflow.log_metrics({k: v for k, v in metrics.items() if isinstance(v, int | float)})
    except mlflow.exceptions.MlflowException as error:
        reason = str(error).splitlines()[0]
        raise EwasteError(f"--mlflow: cannot log ({reason}); the run in {run} is whole") from None
