"""The original classifier with its own preprocessing, in float: what parity is proved against.

Importing this module imports Keras, which takes seconds and prints to stderr.
"""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from scipy.special import logsumexp

from convert.imported.stored import StoredModel
from edge.calibration.answers import Answers
from edge.errors import BadInput, EwasteError, one_line
from train.evaluation.predictor import AnswerBatch

LEAST_PROBABILITY = 1e-37
"""Replaces a probability of 0; a smaller number is no normal float32."""


def load_original(path: Path, stored: StoredModel, shown: Path) -> keras.Model:
    """Build the model of a checked file and load its weights.

    Args:
        path: the file, with the suffix `stored.suffix`.
        stored: its checked architecture.
        shown: its name in messages.

    Raises:
        BadInput: Keras cannot build it, or the weights do not fit.
    """
    try:
        if stored.suffix == ".h5":
            return keras.models.load_model(path, compile=False, safe_mode=True)
        config = deepcopy(stored.config)  # Keras takes it apart
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        model.load_weights(path)
        return model
    except EwasteError:
        raise
    # What a configuration of allowed classes with odd values makes Keras raise is anything.
    except Exception as error:
        reason = one_line(error) or type(error).__name__
        raise BadInput(f"{shown}: Keras cannot read the model ({reason})") from None


def preprocess(rgb: np.ndarray, mode: str) -> np.ndarray:
    """Preprocess pictures as the data pipeline of a training does, with Keras' own function.

    Args:
        rgb: uint8 or float32 RGB [n, S, S, 3], 0 to 255.
        mode: one of `convert.imported.affine.PREPROCESSINGS`.

    Returns:
        float32 [n, S, S, 3].
    """
    pixels = rgb.astype(np.float32)
    if mode == "raw":
        return pixels
    if mode == "unit":
        return pixels / np.float32(255)
    return keras.applications.imagenet_utils.preprocess_input(pixels, mode=mode)


@dataclass(frozen=True)
class Pipeline:
    """A classifier with its preprocessing.

    Attributes:
        model: the original classifier.
        preprocessing: one of `convert.imported.affine.PREPROCESSINGS`.
        gives_logits: whether it has no softmax.
    """

    model: keras.Model
    preprocessing: str
    gives_logits: bool

    def outputs(self, rgb: np.ndarray, preprocessing: str | None = None) -> np.ndarray:
        """What the classifier says of uint8 RGB [n, S, S, 3], preprocessed its way or another."""
        mode = self.preprocessing if preprocessing is None else preprocessing
        return np.asarray(self.model.predict_on_batch(preprocess(rgb, mode)), np.float32)

    def answers(self, rebuilt: AnswerBatch) -> AnswerBatch:
        """The classifier as a batch predictor.

        Logits of probabilities are known up to a constant; that, the embedding, and the activation
        map, which an original does not give, are those of the rebuilt model.
        """

        def answer(pixels: np.ndarray) -> Answers:
            own, given = rebuilt(pixels), self.outputs(pixels)
            if self.gives_logits:
                return Answers(given, own.embeddings, own.maps)
            constant = logsumexp(own.logits, axis=1, keepdims=True)
            logits = np.log(np.maximum(given, LEAST_PROBABILITY)) + constant
            return Answers(logits.astype(np.float32), own.embeddings, own.maps)

        return answer
