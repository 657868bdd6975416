"""Time of an epoch on cached features compared with an epoch of the whole network.

python benchmarks/frozen_phase.py --data DIR --weights FILE
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from edge.errors import EwasteError
from train.augmentation.augment import plain_augmenter
from train.command import command, load_tensorflow
from train.data.dataset import Split, read_dataset
from train.learning.recipe import LAST_FROZEN

if TYPE_CHECKING:
    import keras

    from train.learning.features import Batches

BATCH = 32


def measure(data: Path, weights: str, photos: int, epochs: int) -> dict[str, float]:
    """Seconds per photo of each kind of epoch, the minimum of `epochs` after a warm-up.

    "cached" trains the new layers on cached features. "whole, frozen" trains the same layers
    but runs the pretrained ones, and augments the photos, in each epoch. "whole, all" trains all
    layers, as fine-tuning without a frozen phase does.

    Raises:
        EwasteError: the data or the weights cannot be used.
    """
    load_tensorflow()
    from train.learning.features import cache_features, features_of, from_cache, from_photos
    from train.learning.model import before_boundary, behind_boundary, build_network, set_trainable

    dataset = read_dataset([data], 224, 0, keep_duplicates=True)
    chosen = np.random.default_rng(0).permutation(len(dataset.train.classes))[:photos]
    split = dataset.train.take(chosen)
    network = build_network(int(split.classes.max()) + 1, 224, weights)
    if not network.pretrained:
        raise EwasteError("nothing is frozen with these weights, so there is nothing to compare")
    augmenter, rows = plain_augmenter(split.pixels, 0), np.arange(len(split.classes))
    trained = behind_boundary(network.model, LAST_FROZEN)
    frozen = before_boundary(network.model, LAST_FROZEN)
    frozen.trainable = False
    set_trainable(network, trained, unfrozen=False)
    seconds = {}
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        path = Path(scratch) / "features.npy"
        features = cache_features(
            features_of(frozen),
            augmenter,
            rows=rows,
            view=1,
            path=path,
            on_step=lambda count: None,
        )
        seconds["caching, once per view"] = (time.perf_counter() - started) / len(rows)
        cached = _batches(from_cache([features], rows), split)
        seconds["cached"] = _epoch(trained, cached, epochs) / len(rows)
    augmented = _batches(from_photos(augmenter), split)
    seconds["whole, frozen"] = _epoch(network.model, augmented, epochs) / len(rows)
    for layer in network.model.layers:
        layer.trainable = True
    seconds["whole, all"] = _epoch(network.model, augmented, epochs) / len(rows)
    return seconds


def _batches(take: Callable[[np.ndarray, int], np.ndarray], split: Split) -> Batches:
    from train.learning.features import Batches

    targets = np.eye(split.classes.max() + 1, dtype=np.float32)[split.classes]
    ones = np.ones(len(split.classes), np.float32)
    return Batches(
        take, np.arange(len(ones)), targets=targets, weights=ones, batch=BATCH, seed=0, epoch=0
    )


def _epoch(model: keras.Model, batches: Batches, epochs: int) -> float:
    import keras

    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy")
    times = []
    for _ in range(1 + epochs):
        started = time.perf_counter()
        model.fit(batches, epochs=1, verbose=0)
        times.append(time.perf_counter() - started)
    return min(times[1:])


def main(
    *,
    data: Annotated[Path, typer.Option(help="dataset, as for training")],
    weights: Annotated[
        str, typer.Option(help="initial weights: imagenet or an .h5 file")
    ] = "imagenet",
    photos: Annotated[int, typer.Option(min=BATCH, help="number of photos")] = 320,
    epochs: Annotated[int, typer.Option(min=1, help="number of epochs of each kind")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure both kinds of epoch. Exit codes: 0 done, 1 failed, 2 bad input."""
    with command():
        seconds = measure(data, weights, photos, epochs)
    ratios = {name: value / seconds["cached"] for name, value in seconds.items()}
    if as_json:
        print(json.dumps({"seconds_per_photo": seconds, "ratio": ratios}))
        return
    for name, value in seconds.items():
        print(f"{name:24} {value * 1000:7.1f} ms per photo, {ratios[name]:5.1f} x cached")


if __name__ == "__main__":
    typer.run(main)
