"""Keras: `model.predict` on every picture.

Follows keras.io/examples/vision/image_classification_from_scratch, "Run inference on new data": one
picture, `expand_dims`, `model.predict`. Pillow shrinks, as in `keras.utils.load_img`.
"""

import os

from playing import begin, float_input, play_to_classifier

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

task = begin("keras")
tf.config.threading.set_intra_op_parallelism_threads(task.threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
model = keras.models.load_model(task.model, compile=False)
size = model.inputs[0].shape[1]


def classify(view: np.ndarray) -> int:
    """Classify one picture."""
    image = np.asarray(Image.fromarray(view).resize((size, size), Image.BILINEAR))
    answer = model.predict(float_input(task, image), verbose=0)
    return int(np.argmax(_scores(answer)))


def _scores(answer: object) -> np.ndarray:
    """Of all outputs, the one with as many values as there are classes."""
    found = keras.tree.flatten(answer)
    return next(each for each in found if each.shape == (1, task.classes))


play_to_classifier(task, classify)
