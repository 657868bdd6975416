"""Read what a conversion needs of a training run directory."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.errors import BadInput
from edge.photos.dataset import dataset_names
from train.evaluation.calibration import RunCalibration, read_calibration
from train.evaluation.run_config import RUN_CONFIG, RUN_MODEL, read_run_config

METRICS = "metrics.json"


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        path: the directory.
        labels: the classes, in the order of the model's outputs.
        size: height and width of the converted model's input, px.
        trained_size: height and width of the input in training, px.
        data: names (without paths) of the datasets it was trained on.
        weights: name of the initial weights.
        seed: of the training.
        figures: the scalar metrics of `metrics.json`, such as `accuracy`.
        calibration: temperature, thresholds and OOD detector.
        confusion: int [classes, classes] over its test photos, rows true, columns predicted; None
            if `metrics.json` has none.
    """

    path: Path
    labels: tuple[str, ...]
    size: int
    trained_size: int
    data: tuple[str, ...]
    weights: str
    seed: int
    figures: dict[str, float | int | bool | str]
    calibration: RunCalibration
    confusion: np.ndarray | None = None

    @property
    def accuracy(self) -> float | None:
        """The accuracy on its test photos by its own metrics, 0 to 1; None if they have none."""
        figure = self.figures.get("accuracy")
        return float(figure) if isinstance(figure, int | float) else None

    @property
    def model(self) -> Path:
        """Path of the Keras model."""
        return self.path / RUN_MODEL

    def at_size(self, size: int | None) -> "Run":
        """The same weights for another input size, px; `figures` then holds `trained_size`."""
        if size in (None, self.trained_size):
            return self
        figures = {**self.figures, "trained_size": self.trained_size}
        return replace(self, size=size, figures=figures)


def read_run(path: Path) -> Run:
    """Read a run directory; the model is not loaded, but it must be there.

    Raises:
        BadInput: a file is missing or invalid.
    """
    for name in (RUN_MODEL, RUN_CONFIG, METRICS):
        if not (path / name).is_file():
            raise BadInput(f"{path / name}: missing; give the directory of a finished training run")
    config = read_run_config(path)
    try:
        metrics = json.loads((path / METRICS).read_bytes())
    except ValueError as error:
        raise BadInput(f"{path / METRICS}: not JSON ({error})") from None
    if not isinstance(metrics, dict):
        raise BadInput(f"{path / METRICS}: not a JSON object")
    return Run(
        path=path,
        labels=config.labels,
        size=config.image_size,
        trained_size=config.image_size,
        data=tuple(dataset_names(dict.fromkeys(map(Path, config.data))).values()),
        weights=Path(config.weights).name,
        seed=config.seed,
        figures={name: figure for name, figure in metrics.items() if _is_single(figure)},
        calibration=read_calibration(path, config.labels),
        confusion=_read_confusion(metrics, len(config.labels)),
    )


def _read_confusion(metrics: dict, classes: int) -> np.ndarray | None:
    try:
        confusion = np.array(metrics.get("confusion"), dtype=np.int64)
    except (TypeError, ValueError):
        return None
    return confusion if confusion.shape == (classes, classes) else None


def _is_single(figure: object) -> bool:
    if isinstance(figure, float):
        return math.isfinite(figure)
    return isinstance(figure, bool | int | str)
