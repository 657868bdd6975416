"""Open a model, Keras or TFLite, behind one function: pixels in, answers out."""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from edge.bundle.manifest import MANIFEST
from edge.bundle.verify import verify
from edge.calibration.answers import Answers
from edge.decision.decide import DecisionRules, rules_for
from edge.errors import BadInput
from edge.inference.activation import heat_of
from edge.inference.classifier import Classifier
from edge.inference.preprocess import float_input
from edge.process_setup import silence_tensorflow
from edge.quiet import quiet
from train.evaluation.calibration import read_calibration
from train.evaluation.run_config import RUN_CONFIG, RUN_MODEL, read_run_config

BATCH = 32


AnswerBatch = Callable[[np.ndarray], Answers]
"""uint8 RGB [n, S, S, 3] -> the answers of a model."""


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to answer.

    Attributes:
        name: of its directory.
        kind: description of the model.
        labels: its classes, in the order of the logits.
        size: height and width of its input, px.
        temperature: the logits are divided by it before the softmax.
        rules: the device's decision rules, except the bins.
        answer: uint8 RGB [n, size, size, 3] -> Answers.
        activation: (uint8 RGB [size, size, 3], class) -> float32 [h, w], activation of
            each place for the class, 0 to 1; None where the model has no activation map.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    size: int
    temperature: float
    rules: DecisionRules
    answer: AnswerBatch
    activation: Callable[[np.ndarray, int], np.ndarray] | None


def open_predictor(path: Path, threads: int) -> Predictor:
    """Open the model of a run (imports TensorFlow) or of a bundle (does not).

    Raises:
        BadInput: `path` is neither, or its model cannot be read.
        Refused: the bundle is not proved.
    """
    if (path / MANIFEST).is_file():
        return _open_bundle(path, threads)
    if (path / RUN_MODEL).is_file():
        return _open_run(path)
    raise BadInput(f"{path}: neither a run (no {RUN_MODEL}) nor a bundle (no {MANIFEST})")


def answer_all(
    answer: AnswerBatch,
    pictures: Iterable[np.ndarray],
    on_step: Callable[[int], None] = lambda done: None,
) -> Answers:
    """Run a model on pictures in batches.

    Args:
        answer: the model.
        pictures: uint8 RGB [S, S, 3] each, at the model's size.
        on_step: gets the number of pictures just done.

    Raises:
        ValueError: there are no pictures.
    """
    answers = []
    for batch in _batches(pictures):
        answers.append(answer(np.stack(batch)))
        on_step(len(batch))
    maps = [each.maps for each in answers if each.maps is not None]
    return Answers(
        np.concatenate([each.logits for each in answers]),
        np.concatenate([each.embeddings for each in answers]),
        np.concatenate(maps) if maps else None,
    )


def tflite_answers(classifier: Classifier, with_maps: bool = False) -> AnswerBatch:
    """A TFLite model, through the code that runs on the device."""

    def answer(pixels: np.ndarray) -> Answers:
        if with_maps:
            predictions, maps = zip(*map(classifier.predict_with_map, pixels), strict=True)
        else:
            predictions, maps = tuple(map(classifier.predict_input, pixels)), (None,)
        return Answers(
            np.stack([prediction.logits for prediction in predictions]),
            np.stack([prediction.embedding for prediction in predictions]),
            None if maps[0] is None else np.stack(maps),
        )

    return answer


def _batches(pictures: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    remaining = iter(pictures)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _open_bundle(path: Path, threads: int) -> Predictor:
    bundle, classifier = verify(path, threads=threads).require()
    return Predictor(
        name=bundle.manifest.name,
        kind="the quantized model of a bundle, as it runs on the device",
        labels=bundle.labels,
        size=classifier.size,
        temperature=bundle.manifest.temperature,
        rules=rules_for(bundle.manifest, {}, bundle.detector),
        answer=tflite_answers(classifier),
        activation=_activation_of(classifier) if bundle.manifest.activation_map else None,
    )


def _activation_of(classifier: Classifier) -> Callable[[np.ndarray, int], np.ndarray]:
    def activation(pixels: np.ndarray, class_index: int) -> np.ndarray:
        _, activation_map = classifier.predict_with_map(pixels)
        assert activation_map is not None, "the manifest declares it"
        return heat_of(activation_map, class_index)

    return activation


def _open_run(path: Path) -> Predictor:
    config = read_run_config(path)
    found = read_calibration(path, config.labels)
    silence_tensorflow()
    with quiet():
        import keras  # takes seconds, and bundles do without

    try:
        with quiet():
            model = keras.models.load_model(path / RUN_MODEL, compile=False)
        pooled, head = model.get_layer("embedding"), model.get_layer("logits")
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"{path / RUN_MODEL}: not a model of this project ({reason})") from None
    if model.output_shape[-1] != len(config.labels):
        raise BadInput(
            f"{path / RUN_MODEL}: has {model.output_shape[-1]} classes, but {RUN_CONFIG} names "
            f"{len(config.labels)}"
        )
    outputs = keras.Model(model.input, [head.output, pooled.output, pooled.input])
    kernel = np.asarray(head.get_weights()[0])

    def answer(pixels: np.ndarray) -> Answers:
        logits, embeddings, _ = outputs.predict_on_batch(float_input(pixels))
        return Answers(np.asarray(logits), np.asarray(embeddings))

    def activation(pixels: np.ndarray, class_index: int) -> np.ndarray:
        """Class activation map: Zhou et al., CVPR 2016; exact, as one layer follows the pooling."""
        features = outputs.predict_on_batch(float_input(pixels[np.newaxis]))[2]
        activation_map = np.maximum(np.asarray(features)[0] @ kernel[:, class_index], 0)
        return activation_map / max(float(activation_map.max()), 1e-12)

    return Predictor(
        name=path.resolve().name,
        kind="the float model of a training run",
        labels=config.labels,
        size=config.image_size,
        temperature=found.parameters.temperature,
        rules=rules_for(found.parameters, {}, found.detector),
        answer=answer,
        activation=activation,
    )
