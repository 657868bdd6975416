"""Keras classifiers as people train them elsewhere: plain Keras, nothing of this project's code."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

NOTEBOOK_LABELS = ("Washing Machine", "PCB", "Battery", "Keyboard")
"""In the order of the outputs, which is not that of the alphabet."""
NOTEBOOK_SIZE = 32
"""Height and width of the input, px."""


def draw_notebook_data(folder: Path) -> None:
    """Draw `train/`, `val/` and `test/`; every photo shows an item of its own."""
    from edge.synthetic.items import draw_item

    for split, first, count in (("train", 0, 24), ("val", 100, 16), ("test", 200, 16)):
        for label in NOTEBOOK_LABELS:
            (folder / split / label).mkdir(parents=True)
            for seed in range(first, first + count):
                item = Image.fromarray(draw_item(label, seed, 2 * NOTEBOOK_SIZE))
                background = Image.new("RGBA", item.size, (170, 170, 170 + seed % 40))
                picture = Image.alpha_composite(background, item).convert("RGB")
                picture.save(folder / split / label / f"{seed}.png")


def train_notebook(data: Path, preprocess_input: Callable):
    """The usual notebook: a base, GlobalAveragePooling2D, Dropout, Dense with softmax."""
    import keras
    import numpy as np
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
    epochs, steps = 60, len(pixels)
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
