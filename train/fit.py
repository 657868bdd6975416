"""The two phases of training: the fresh layers on frozen features, then the last stage as well."""

import csv
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from edge.preprocess import float_input
from train.dataset import Split
from train.features import BATCH, cache_features, cached_batches, photo_batches
from train.model import Network, set_trainable

IMBALANCE, WEIGHT_CAP = 1.5, 10.0


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: most epochs over both phases; an epoch sees every cached copy of every photo.
        head_epochs: how many of them train the fresh layers only.
        copies: varied copies of each photo to cache.
        rate: peak learning rate of Adam in the first phase; the second runs at a tenth of it.
        patience: epochs without a better validation loss after which a phase stops early.
        seed: of the order of photos, their variation and the fresh weights.
    """

    epochs: int = 15
    head_epochs: int = 10
    copies: int = 4
    rate: float = 1e-3
    patience: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs at one learning rate that falls to zero along a cosine."""

    name: str
    epochs: int
    rate: float
    last_stage: bool


def plan_phases(recipe: Recipe, network: Network) -> tuple[Phase, ...]:
    """The phases for this network: one only when there is nothing to freeze."""
    if network.frozen is None:
        return (Phase("whole network", recipe.epochs, recipe.rate, last_stage=True),)
    head = min(recipe.head_epochs, recipe.epochs)
    if not network.fresh:
        return (Phase("last stage", recipe.epochs, recipe.rate / 10, last_stage=True),)
    phases = (
        Phase("fresh layers", head, recipe.rate, last_stage=False),
        Phase("last stage", recipe.epochs - head, recipe.rate / 10, last_stage=True),
    )
    return tuple(phase for phase in phases if phase.epochs > 0)


def class_weights(classes: np.ndarray) -> dict[int, float] | None:
    """Weights of the loss that make rare classes count as much as the common ones.

    Inverse to the number of photos, at most WEIGHT_CAP times that of the commonest class, and 1 on
    the average over the photos. None where the classes are about even (IMBALANCE).

    Args:
        classes: int [photos], each class at least once.
    """
    counts = np.bincount(classes)
    if counts.max() <= IMBALANCE * counts.min():
        return None
    weights = np.minimum(counts.max() / counts, WEIGHT_CAP)
    weights *= len(classes) / (weights * counts).sum()
    return {number: float(weight) for number, weight in enumerate(weights)}


def fit(
    network: Network,
    train: Split,
    val: Split,
    recipe: Recipe,
    out: Path,
    advanced: Callable[[str, int, int], None],
    said: Callable[[str], None],
) -> list[dict[str, float | str]]:
    """Train `network` in place and leave it at its best epoch (least validation loss).

    The best weights so far and `history.csv` are kept in `out` while it runs. `advanced` gets
    (what, done, total) of the caching, `said` one line per epoch.

    Returns one row per epoch: phase, epoch, loss, accuracy, val_loss, val_accuracy, seconds.
    """
    with tempfile.TemporaryDirectory(prefix="features-", dir=out) as scratch:
        batches, validation = _batches(network, train, val, recipe, Path(scratch), advanced)
        history = _History(out / "history.csv", said)
        weights = class_weights(train.classes)
        best = _Best(out / "best.weights.h5")
        for phase in plan_phases(recipe, network):
            _fit_phase(network, phase, recipe, batches, validation, weights, [best, history])
            best.restore()
    (out / "best.weights.h5").unlink()
    return history.rows


def _batches(
    network: Network,
    train: Split,
    val: Split,
    recipe: Recipe,
    scratch: Path,
    advanced: Callable[[str, int, int], None],
) -> tuple[keras.utils.PyDataset, tuple[np.ndarray, np.ndarray]]:
    if network.frozen is None:
        batches = photo_batches(train, BATCH, recipe.seed)
        return batches, (float_input(val.pixels), val.classes)
    cached = []
    for name, split, copies in (("train", train, recipe.copies), ("val", val, 0)):
        total, done = len(split.classes) * max(1, copies), 0

        def tick(count: int, name: str = name, total: int = total) -> None:
            nonlocal done
            done += count
            advanced(f"features of {name}", done, total)

        path = scratch / f"{name}.npy"
        cached.append(cache_features(network.frozen, split, copies, recipe.seed, path, tick))
    (features, classes), (val_features, val_classes) = cached
    batches = cached_batches(features, classes, BATCH, recipe.seed)
    return batches, (val_features.astype(np.float32), val_classes)


def _fit_phase(
    network: Network,
    phase: Phase,
    recipe: Recipe,
    batches: keras.utils.PyDataset,
    validation: tuple[np.ndarray, np.ndarray],
    weights: dict[int, float] | None,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    if network.frozen is not None:
        set_trainable(network, phase.last_stage)
    steps = phase.epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=phase.rate, warmup_steps=max(1, steps // 20)
    )
    network.trained.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    for callback in callbacks:
        callback.phase = phase.name
    network.trained.fit(
        batches,
        validation_data=validation,
        validation_batch_size=BATCH,
        epochs=phase.epochs,
        class_weight=weights,
        verbose=0,
        callbacks=[
            *callbacks,
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=recipe.patience),
        ],
    )


class _Best(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the least validation loss, over all phases, on disk."""

    phase = ""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._least = path, float("inf")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs["val_loss"] < self._least:
            self._least = logs["val_loss"]
            self.model.save_weights(self._path)

    def restore(self) -> None:
        with warnings.catch_warnings():
            # The file holds the optimizer of the phase it was written in as well.
            warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
            self.model.load_weights(self._path)


class _History(keras.callbacks.Callback):
    """Writes a row per epoch to `history.csv` at once, and says it in one line."""

    phase = ""

    def __init__(self, path: Path, said: Callable[[str], None]) -> None:
        super().__init__()
        self._path, self._said = path, said
        self._started = 0.0
        self.rows: list[dict[str, float | str]] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        measured = {key: round(float(value), 5) for key, value in logs.items()}
        seconds = round(time.monotonic() - self._started, 1)
        row = {"phase": self.phase, "epoch": len(self.rows) + 1, **measured, "seconds": seconds}
        self.rows.append(row)
        with self._path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerows(self.rows)
        self._said(
            f"{row['phase']}, epoch {row['epoch']}: "
            f"loss {row['loss']:.3f}, accuracy {row['accuracy']:.1%}, "
            f"val loss {row['val_loss']:.3f}, val accuracy {row['val_accuracy']:.1%}, {seconds} s"
        )
