"""A tiny run and its bundle, made the real way from drawn items; the table of faults injected."""

from edge.process_setup import limit_threads, silence_tensorflow

limit_threads()
silence_tensorflow()

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.inference.preprocess import float_input

LABELS = ("Battery", "Keyboard", "PCB", "Washing Machine")
SIZE = 48

FAULTS: list[tuple[str, str, str, str]] = []
"""Each fault that a test injected: what, seconds until noticed, what happened, seconds until back
after its end."""


@pytest.fixture
def injected() -> Callable[..., None]:
    """Enters a fault into the table at the end of the run."""

    def enter(
        fault: str, happened: str, noticed_s: float | None = None, back_s: float | None = None
    ) -> None:
        times = ["-" if time is None else f"{time:.1f}" for time in (noticed_s, back_s)]
        FAULTS.append((fault, times[0], happened, times[1]))

    return enter


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The faults that were injected, and how long it took to get over them."""
    if FAULTS:
        terminalreporter.section("faults injected")
        rows = [("fault", "noticed s", "what happened", "back s"), *FAULTS]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            terminalreporter.write_line("  ".join(cells).rstrip())


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder of four classes, 16 drawn items each.

    train/ shows each item on a dark and on a light background, test/ on one in between: near enough
    for a tiny network to be sure of its answers.
    """
    from edge.synthetic.items import draw_item

    folder = tmp_path_factory.mktemp("drawn")
    for label in LABELS:
        for split in ("train", "test"):
            (folder / split / label).mkdir(parents=True)
        for seed in range(16):
            item = Image.fromarray(draw_item(label, seed, 2 * SIZE))
            for split, gray in (("train", 140), ("train", 230), ("test", 190)):
                background = Image.new("RGBA", item.size, (gray, gray, gray))
                picture = Image.alpha_composite(background, item).convert("RGB")
                picture.save(folder / split / label / f"{seed}-{gray}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_run(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run directory with a small residual network that has learned `drawn_data`."""
    run = tmp_path_factory.mktemp("runs") / "tiny"
    run.mkdir()
    write_run(run, train_tiny(drawn_data), drawn_data)
    return run


@pytest.fixture(scope="session")
def tiny_bundle(tiny_run: Path, drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of `tiny_run`. Copy it before changing it."""
    from convert.quantize import Request, quantize

    out = tmp_path_factory.mktemp("bundles") / "tiny-int8"
    outcome = quantize(Request(tiny_run, (drawn_data,), out, calibration=40), lambda line: None)
    assert outcome.chosen.failed == ()
    return out


@pytest.fixture(scope="session")
def tiny_fp32(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of `tiny_run` as unquantized TFLite."""
    from convert.proof.run import read_run
    from convert.tflite import tensorflow_converter as tflite

    folder = tmp_path_factory.mktemp("fp32")
    tflite.export_graph(tflite.load_model(read_run(tiny_run)), folder / "graph")
    (folder / "model.tflite").write_bytes(tflite.convert_fp32(folder / "graph"))
    return folder / "model.tflite"


def train_tiny(data: Path):
    """A network of the shape that a run's model has, but small, trained until it is sure.

    The rate falls to nothing: a training that ends in a leap is right on one processor and wrong on
    the next, which adds up in another order.
    """
    import keras

    keras.utils.set_random_seed(3)
    image = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 64)(image)
    x = keras.layers.Conv2D(24, 5, strides=2, padding="same", name="conv1")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    y = keras.layers.Conv2D(24, 3, padding="same")(x)
    x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    x = keras.layers.Conv2D(64, 3, strides=2, activation="relu")(x)
    x = keras.layers.Conv2D(96, 3, strides=2, activation="relu")(x)
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    dropped = keras.layers.Dropout(0.2)(embedding)
    logits = keras.layers.Dense(len(LABELS), name="logits")(dropped)
    probabilities = keras.layers.Softmax(name="probabilities")(logits)
    model = keras.Model(image, probabilities)
    fit(model, data, epochs=60)
    return model


def fit(model, data: Path, epochs: int) -> None:
    """Train a network on the train photos of `drawn_data`, at a rate that falls to nothing."""
    import keras

    pixels, classes = load_split(data / "train")
    batch = 16
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(pixels) // batch)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(float_input(pixels), classes, batch_size=batch, epochs=epochs, verbose=0)


def load_split(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 [n, S, S, 3] and classes int [n] of a drawn split."""
    from edge.inference.preprocess import model_input
    from edge.photos.dataset import find_photos
    from edge.photos.reading import read_photo

    photos = find_photos(folder)
    pixels = np.stack([model_input(read_photo(photo.path), SIZE) for photo in photos])
    return pixels, np.array([LABELS.index(photo.label) for photo in photos])


def write_run(run: Path, model, data: Path) -> None:
    """Leave what train/fine_tune.py leaves."""
    model.save(run / "model.keras")
    config = {
        "labels": LABELS,
        "image_size": SIZE,
        "seed": 3,
        "data": [str(data)],
        "weights": "none",
    }
    (run / "config.json").write_text(json.dumps(config))
    pixels, classes = load_split(data / "test")
    confusion = np.zeros((len(LABELS), len(LABELS)), int)
    np.add.at(confusion, (classes, model.predict(float_input(pixels), verbose=0).argmax(axis=1)), 1)
    recalls = np.diag(confusion) / confusion.sum(axis=1)
    metrics = {
        "images": len(pixels),
        "accuracy": float(recalls.mean()),
        "per_class": {
            label: {"recall": float(recall)} for label, recall in zip(LABELS, recalls, strict=True)
        },
        "confusion": confusion.tolist(),
    }
    (run / "metrics.json").write_text(json.dumps(metrics))
