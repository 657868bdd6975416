"""Keras classifiers as people train them elsewhere: plain Keras, nothing of this project's code."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

NOTEBOOK_LABELS = ("Washing Machine", "PCB", "Battery", "Keyboard")
"""In the order of the outputs, which is not that of the alphabet."""
NOTEBOOK_SIZE = 32
"""Height and width of the input, px."""


def draw_notebook_data(folder: Path) -> None:
    """Draw `train/`, `val/` and `test/`: shapes that a tiny network tells apart with certainty."""
    for split, first, count in (("train", 0, 40), ("val", 100, 16), ("test", 200, 16)):
        for number, label in enumerate(NOTEBOOK_LABELS):
            (folder / split / label).mkdir(parents=True)
            for seed in range(first, first + count):
                picture = Image.fromarray(
                    _draw_shape(number, np.random.default_rng((number, seed)))
                )
                picture.save(folder / split / label / f"{seed}.png")


def _draw_shape(number: int, generator: np.random.Generator) -> np.ndarray:
    """A disc, a box, a cross or a ring in a color of its kind, on mottled gray: uint8 RGB."""
    side = 2 * NOTEBOOK_SIZE
    coarse = generator.integers(90, 200, (6, 6), dtype=np.uint8)
    gray = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
    x, y = generator.integers(side // 3, 2 * side // 3, 2).tolist()
    radius = int(generator.integers(side // 6, side // 4))
    base = ((200, 40, 40), (40, 180, 40), (40, 60, 200), (220, 200, 40))[number]
    color = [int(each) for each in np.array(base) + generator.integers(-30, 30, 3)]
    if number == 1:
        cv2.rectangle(picture, (x - radius, y - radius), (x + radius, y + radius), color, -1)
    elif number == 2:
        cv2.drawMarker(picture, (x, y), color, cv2.MARKER_CROSS, 2 * radius, radius // 2)
    else:
        cv2.circle(picture, (x, y), radius, color, -1 if number == 0 else radius // 3)
    return picture


def train_notebook(data: Path, preprocess_input: Callable):
    """The usual notebook: a base, GlobalAveragePooling2D, Dropout, Dense with softmax."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    photos = keras.utils.image_dataset_from_directory(
        data / "train",
        class_names=list(NOTEBOOK_LABELS),
        image_size=(NOTEBOOK_SIZE, NOTEBOOK_SIZE),
        batch_size=16,
        seed=1,
        verbose=False,
    )
    pixels, classes = (list(each) for each in zip(*photos.as_numpy_iterator(), strict=True))
    base = keras.Sequential(
        [
            keras.Input((NOTEBOOK_SIZE, NOTEBOOK_SIZE, 3)),
            layers.Conv2D(24, 5, strides=2, padding="same"),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Conv2D(64, 3, strides=2, activation="relu"),
            layers.Conv2D(96, 3, strides=2, activation="relu"),
        ],
        name="base",
    )
    image = keras.Input((NOTEBOOK_SIZE, NOTEBOOK_SIZE, 3))
    features = layers.GlobalAveragePooling2D()(base(layers.RandomFlip("horizontal")(image)))
    answers = layers.Dense(len(NOTEBOOK_LABELS), activation="softmax")(
        layers.Dropout(0.2)(features)
    )
    model = keras.Model(image, answers)
    epochs, steps = 24, len(pixels)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(
        preprocess_input(np.concatenate(pixels)),
        np.concatenate(classes),
        batch_size=16,
        epochs=epochs,
        verbose=0,
    )
    return model
