"""An epoch on cached features against an epoch of the whole network, timed in one run.

python benchmarks/frozen_phase.py --data DIR --weights FILE
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import typer

from edge.errors import EwasteError
from train.dataset import read_dataset
from train.features import BATCH, cache_features, cached_batches, photo_batches
from train.model import Network, build_network, set_trainable


def measure(data: Path, weights: str, photos: int, epochs: int) -> dict[str, float]:
    """Seconds per photo of an epoch of each kind, the least of `epochs` after a warm-up.

    "cached" trains the fresh layers on cached features. "whole, frozen" trains the same layers
    but runs the pretrained ones, and varies the photos, each epoch. "whole, all" trains
    everything, which is what fine-tuning without a frozen phase does.

    Raises:
        EwasteError: the data or the weights cannot be used.
    """
    dataset = read_dataset([data], 224, 0, lambda line: None, keep_duplicates=True)
    chosen = np.random.default_rng(0).permutation(len(dataset.train.classes))[:photos]
    split = dataset.train.take(chosen)
    network = build_network(len(dataset.labels), 224, weights)
    if network.frozen is None:
        raise EwasteError("nothing is frozen with these weights, so there is nothing to compare")
    seconds = {}
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        features, classes = cache_features(
            network.frozen, split, 1, 0, Path(scratch) / "features.npy", lambda count: None
        )
        seconds["caching, once per copy"] = (time.perf_counter() - started) / len(classes)
        set_trainable(network, last_stage=False)
        cached = cached_batches(features, classes, BATCH, 0)
        seconds["cached"] = _epoch(network.trained, cached, epochs) / len(classes)
    photos_each_epoch = photo_batches(split, BATCH, 0)
    seconds["whole, frozen"] = _epoch(network.model, photos_each_epoch, epochs) / len(classes)
    _thaw(network)
    seconds["whole, all"] = _epoch(network.model, photos_each_epoch, epochs) / len(classes)
    return seconds


def _thaw(network: Network) -> None:
    for layer in network.model.layers:
        layer.trainable = True


def _epoch(model: keras.Model, batches: keras.utils.PyDataset, epochs: int) -> float:
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
    times = []
    for _ in range(1 + epochs):
        started = time.perf_counter()
        model.fit(batches, epochs=1, verbose=0)
        times.append(time.perf_counter() - started)
    return min(times[1:])


def main(
    data: Annotated[Path, typer.Option(help="the photos, as for training")],
    weights: Annotated[str, typer.Option(help="imagenet or an .h5 file")] = "imagenet",
    photos: Annotated[int, typer.Option(min=BATCH)] = 320,
    epochs: Annotated[int, typer.Option(min=1)] = 2,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Time both kinds of epoch. Exit codes: 0 done, 1 failed, 2 bad input."""
    try:
        seconds = measure(data, weights, photos, epochs)
    except EwasteError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    ratios = {name: value / seconds["cached"] for name, value in seconds.items()}
    if as_json:
        print(json.dumps({"seconds_per_photo": seconds, "ratio": ratios}))
        return
    for name, value in seconds.items():
        print(f"{name:24} {value * 1000:7.1f} ms a photo, {ratios[name]:5.1f} x cached")


if __name__ == "__main__":
    typer.run(main)
