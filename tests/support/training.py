"""A tiny run, made the real way from drawn items."""

import json
import tempfile
from pathlib import Path

import numpy as np

from edge.inference.preprocess import float_input
from tests.support.drawn import LABELS, SIZE


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


def write_fp32(run: Path, path: Path, with_map: bool = True) -> None:
    """The model of a run as unquantized TFLite."""
    from convert.run import read_run
    from convert.tflite import tensorflow_converter as tflite

    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "graph"
        model = tflite.load_model(read_run(run))
        tflite.export_graph(tflite.serving_model(model, with_map), graph)
        path.write_bytes(tflite.convert_fp32(graph))
