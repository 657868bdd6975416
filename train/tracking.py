"""A finished run told to MLflow."""

import csv
import json
from pathlib import Path

from edge.errors import BadInput


def log_to_mlflow(run: Path, metrics: dict) -> None:
    """Log the settings, the epochs and the figures of a run, under its name.

    MLflow's own settings (MLFLOW_TRACKING_URI and so on) say where to.

    Raises:
        BadInput: MLflow is not installed.
    """
    try:
        import mlflow
    except ModuleNotFoundError:
        raise BadInput("--mlflow: run: pip install 'ewaste-edge[mlflow]'") from None
    config = json.loads((run / "config.json").read_bytes())
    history = run / "history.csv"
    with mlflow.start_run(run_name=run.resolve().name):
        mlflow.log_params(
            {name: value for name, value in config.items() if not isinstance(value, dict | list)}
        )
        if history.exists():
            with history.open(newline="") as file:
                for row in csv.DictReader(file):
                    figures = {k: float(v) for k, v in row.items() if k not in ("phase", "epoch")}
                    mlflow.log_metrics(figures, step=int(row["epoch"]))
        single = {k: v for k, v in metrics.items() if isinstance(v, int | float)}
        mlflow.log_metrics(single)
