"""Whether the quantised model still answers as the float model does."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from edge.classifier import Classifier
from edge.errors import BadInput
from edge.intervals import wilson
from edge.manifest import DatasetParity, ParityGate, ParityVerdict
from edge.preprocess import float_input

Engine = Callable[[np.ndarray], np.ndarray]
"""uint8 RGB [n, S, S, 3] -> probabilities, float32 [n, classes]."""

KERAS, FP32, INT8 = "keras", "fp32", "int8"
PAIRS = ((FP32, KERAS), (INT8, KERAS), (INT8, FP32))


@dataclass(frozen=True)
class LabelledInput:
    """One image to compare on, as the model takes it.

    Attributes:
        name: its path from the name of the dataset folder on.
        truth: index of its class.
        pixels: uint8 RGB [S, S, 3].
    """

    name: str
    truth: int
    pixels: np.ndarray


@dataclass(frozen=True)
class Accuracy:
    """How often an engine is right: a share with its Wilson 95 % interval, all 0 to 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """How near two engines are to each other.

    Attributes:
        agreement: share of the images with the same top answer, 0 to 1.
        max_probability_difference: largest difference of one class's probability on one image.
        mean_probability_difference: the mean over all classes and images.
        changed: names of the images with another top answer.
    """

    agreement: float
    max_probability_difference: float
    mean_probability_difference: float
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Parity:
    """The comparison of Keras, unquantised TFLite (`fp32`) and quantised TFLite (`int8`).

    Attributes:
        split: which split was compared on, such as `test`.
        images: how many images.
        accuracy: by engine.
        accuracy_drop: Keras' accuracy minus the quantised one, -1 to 1.
        pairs: by `A-B`, such as `int8-keras`.
        datasets: the main figures by dataset folder.
    """

    split: str
    images: int
    accuracy: Mapping[str, Accuracy]
    accuracy_drop: float
    pairs: Mapping[str, Pair]
    datasets: Mapping[str, DatasetParity]

    def report(self) -> dict:
        """All of it, ready for JSON."""
        datasets = {name: figures.model_dump() for name, figures in self.datasets.items()}
        return {**asdict(self), "datasets": datasets}

    def verdict(self, passed: bool, gate: ParityGate) -> ParityVerdict:
        """What a bundle's manifest keeps of it, judged by `gate`."""
        quantised, unquantised = self.pairs[f"{INT8}-{KERAS}"], self.pairs[f"{FP32}-{KERAS}"]
        before, after = self.accuracy[KERAS], self.accuracy[INT8]
        return ParityVerdict(
            passed=passed,
            gate=gate,
            split=self.split,
            images=self.images,
            agreement=quantised.agreement,
            agreement_fp32=unquantised.agreement,
            accuracy_float=before.value,
            accuracy_float_interval=(before.low, before.high),
            accuracy_quantised=after.value,
            accuracy_quantised_interval=(after.low, after.high),
            accuracy_drop=self.accuracy_drop,
            max_probability_difference=quantised.max_probability_difference,
            mean_probability_difference=quantised.mean_probability_difference,
            datasets=dict(self.datasets),
        )


def judge(parity: Parity, gate: ParityGate) -> list[str]:
    """The criteria that failed, one line each; none: the model passes."""
    quantised, unquantised = parity.pairs[f"{INT8}-{KERAS}"], parity.pairs[f"{FP32}-{KERAS}"]
    largest = unquantised.max_probability_difference
    # "not >=" rather than "<": a model that answers NaN must fail.
    criteria = [
        (
            quantised.agreement >= gate.agreement,
            f"int8 agrees with Keras on {quantised.agreement:.2%}, "
            f"at least {gate.agreement:.2%} needed",
        ),
        (
            parity.accuracy_drop <= gate.accuracy_drop,
            f"int8 costs {parity.accuracy_drop * 100:.2f} points of accuracy, "
            f"at most {gate.accuracy_drop * 100:.2f} allowed",
        ),
        (
            unquantised.agreement >= gate.agreement_fp32,
            f"fp32 TFLite agrees with Keras on {unquantised.agreement:.2%}, "
            f"at least {gate.agreement_fp32:.2%} needed",
        ),
        (
            largest <= gate.probability_difference_fp32,
            f"a probability of fp32 TFLite is {largest:.2g} off Keras, "
            f"at most {gate.probability_difference_fp32:.2g} allowed",
        ),
    ]
    return [line for passed, line in criteria if not passed]


def compare(
    engines: Mapping[str, Engine], images: Iterable[LabelledInput], split: str, batch: int = 32
) -> Parity:
    """Ask the engines `keras`, `fp32` and `int8` about the same images, `batch` at a time.

    Raises:
        BadInput: there is no image.
    """
    names: list[str] = []
    truths: list[int] = []
    answers: dict[str, list[np.ndarray]] = {engine: [] for engine in engines}
    remaining = iter(images)
    while chunk := list(islice(remaining, batch)):
        names += [image.name for image in chunk]
        truths += [image.truth for image in chunk]
        pixels = np.stack([image.pixels for image in chunk])
        for engine, ask in engines.items():
            answers[engine].append(ask(pixels))
    if not names:
        raise BadInput("none of the photos to compare on could be read")
    probabilities = {engine: np.concatenate(parts) for engine, parts in answers.items()}
    right = {engine: answer.argmax(axis=1) == truths for engine, answer in probabilities.items()}
    accuracy = {engine: _accuracy(hits) for engine, hits in right.items()}
    return Parity(
        split=split,
        images=len(names),
        accuracy=accuracy,
        accuracy_drop=float(right[KERAS].sum() - right[INT8].sum()) / len(names),
        pairs={f"{a}-{b}": _pair(probabilities[a], probabilities[b], names) for a, b in PAIRS},
        datasets=_by_dataset(names, probabilities, right),
    )


def _accuracy(hits: np.ndarray) -> Accuracy:
    """From bool [images]: which ones were right."""
    return Accuracy(float(hits.mean()), *wilson(int(hits.sum()), len(hits)))


def _by_dataset(
    names: list[str], probabilities: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]
) -> dict[str, DatasetParity]:
    """The main figures for the images of each dataset folder, the first part of their names."""
    folders = np.array([name.partition("/")[0] for name in names])
    same = probabilities[INT8].argmax(axis=1) == probabilities[KERAS].argmax(axis=1)
    figures = {}
    for folder in dict.fromkeys(folders.tolist()):
        chosen = folders == folder
        before, after = _accuracy(right[KERAS][chosen]), _accuracy(right[INT8][chosen])
        figures[folder] = DatasetParity(
            images=int(chosen.sum()),
            agreement=float(same[chosen].mean()),
            accuracy_float=before.value,
            accuracy_float_interval=(before.low, before.high),
            accuracy_quantised=after.value,
            accuracy_quantised_interval=(after.low, after.high),
        )
    return figures


def keras_engine(predict: Callable[[np.ndarray], np.ndarray]) -> Engine:
    """The float model: Keras' `predict_on_batch`, fed with `RGB - 117`."""
    return lambda pixels: predict(float_input(pixels))


def device_engine(classifier: Classifier) -> Engine:
    """A TFLite model through the code that runs on the device."""
    return lambda pixels: np.stack(
        [classifier.predict_input(image).probabilities for image in pixels]
    )


def _pair(first: np.ndarray, second: np.ndarray, names: list[str]) -> Pair:
    """Compare the probabilities [images, classes] of two engines."""
    changed = np.flatnonzero(first.argmax(axis=1) != second.argmax(axis=1))
    difference = np.abs(first - second)
    return Pair(
        agreement=(len(names) - len(changed)) / len(names),
        max_probability_difference=float(difference.max()),
        mean_probability_difference=float(difference.mean()),
        changed=tuple(names[index] for index in changed),
    )
