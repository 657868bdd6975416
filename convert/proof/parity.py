"""Parity: whether the quantized model predicts what the float model predicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from edge.bundle.manifest import ClassParity, DatasetParity, Drift, ParityGate, ParityVerdict
from edge.calibration.answers import Answers
from edge.calibration.reliability import calibration_error, reliability
from edge.errors import BadInput, Refused
from edge.inference.classifier import softmax
from train.intervals import mcnemar, paired_difference, wilson

KERAS, FP32 = "keras", "fp32"
MIN_PROBABILITY = 1e-9
"""Replaces a probability of 0 in the Kullback-Leibler divergence."""


@dataclass(frozen=True)
class ComparisonImages:
    """The images that models are compared on, as model inputs.

    Attributes:
        labels: the class names.
        names: path of each image, starting with the name of its dataset.
        splits: split of each image, such as `test`.
        classes: int [n], the true class of each image.
        pixels: uint8 RGB [n, S, S, 3].
        datasets: name of the dataset of each image.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    splits: tuple[str, ...]
    classes: np.ndarray
    pixels: np.ndarray
    datasets: tuple[str, ...]

    def take(self, indices: np.ndarray) -> "ComparisonImages":
        """The images at `indices`, int [m]."""
        return ComparisonImages(
            labels=self.labels,
            names=tuple(self.names[index] for index in indices),
            splits=tuple(self.splits[index] for index in indices),
            classes=self.classes[indices],
            pixels=self.pixels[indices],
            datasets=tuple(self.datasets[index] for index in indices),
        )


@dataclass(frozen=True)
class ModelOutputs:
    """The outputs of one model for some images.

    Attributes:
        logits: float32 [n, classes].
        probabilities: float32 [n, classes], softmax of the logits at the model's temperature.
        embeddings: float32 [n, features].
        maps: float32 [n, h, w, classes], activation maps; None for a model without.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    embeddings: np.ndarray
    maps: np.ndarray | None = None

    def take(self, indices: np.ndarray) -> "ModelOutputs":
        """The outputs for the images at `indices`, int [m]."""
        return ModelOutputs(
            logits=self.logits[indices],
            probabilities=self.probabilities[indices],
            embeddings=self.embeddings[indices],
            maps=None if self.maps is None else self.maps[indices],
        )

    @classmethod
    def of(cls, answers: Answers, temperature: float) -> "ModelOutputs":
        """The outputs at a temperature, by which the logits are divided before the softmax."""
        probabilities = softmax(answers.logits, temperature)
        return cls(answers.logits, probabilities, answers.embeddings, answers.maps)

    @property
    def top(self) -> np.ndarray:
        """The most probable class of each image, int [n]."""
        return self.probabilities.argmax(axis=1)


@dataclass(frozen=True)
class OodScore:
    """A score that separates items of a known class from OOD samples; higher is more known.

    Attributes:
        name: such as `confidence`.
        threshold: an item with a lower score is unknown.
        of: computes the score of each image, float [n].
    """

    name: str
    threshold: float
    of: Callable[[ModelOutputs], np.ndarray]


@dataclass(frozen=True)
class TrainingClaim:
    """The results that the training run reports of its model, checked when the model runs again.

    Attributes:
        accuracy: accuracy on its test photos, 0 to 1.
        images: number of these photos if the comparison uses them; otherwise 0.
        changed: the least number of them whose top class differs now.
        reached: the accuracy of Keras on them now; None: the comparison uses others.
    """

    accuracy: float
    images: int = 0
    changed: int = 0
    reached: float | None = None

    def reached_in(self, compared: "Accuracy") -> tuple[float, float]:
        """The accuracy of Keras now, and the most that it may be, as far as the photos tell.

        On the test photos themselves one may be a near tie that another machine decides
        differently; on others chance makes a difference.

        Args:
            compared: of Keras on all photos of the comparison.
        """
        if self.reached is None or not self.images:
            return compared.value, compared.high
        return self.reached, self.reached + 1 / self.images


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a model and its Wilson 95 % interval, all 0 to 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """The agreement of two models.

    Attributes:
        agreement: share of the images with the same top class, 0 to 1.
        max_probability_difference: largest difference of a probability, over images and classes.
        mean_probability_difference: mean difference over images and classes.
        changed: names of the images with a different top class.
    """

    agreement: float
    max_probability_difference: float
    mean_probability_difference: float
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Parity:
    """The comparison of Keras, unquantized TFLite (`fp32`) and one variant of the model.

    Attributes:
        variant: such as `int8`.
        split: the split of the images, such as `val+test`.
        images: number of images.
        accuracy: accuracy by model: `keras`, `fp32` and the variant.
        accuracy_drop: accuracy of Keras minus that of the variant, -1 to 1.
        accuracy_drop_interval: its paired 95 % interval.
        mcnemar_p: exact two-sided p-value of McNemar's test of the change.
        pairs: agreement by `A-B`, such as `int8-keras`.
        drift: how the confidence of the predictions changed.
        classes: correct predictions by label.
        datasets: main figures by dataset.
    """

    variant: str
    split: str
    images: int
    accuracy: Mapping[str, Accuracy]
    accuracy_drop: float
    accuracy_drop_interval: tuple[float, float]
    mcnemar_p: float
    pairs: Mapping[str, Pair]
    drift: Drift
    classes: Mapping[str, ClassParity]
    datasets: Mapping[str, DatasetParity]

    @property
    def quantized(self) -> Pair:
        """The agreement of the variant with Keras."""
        return self.pairs[f"{self.variant}-{KERAS}"]

    @property
    def unquantized(self) -> Pair:
        """The agreement of unquantized TFLite with Keras."""
        return self.pairs[f"{FP32}-{KERAS}"]

    def report(self) -> dict:
        """All figures, ready for JSON."""
        return {
            **asdict(self),
            "drift": self.drift.model_dump(),
            "classes": {label: figures.model_dump() for label, figures in self.classes.items()},
            "datasets": {name: figures.model_dump() for name, figures in self.datasets.items()},
        }

    def verdict(self, passed: bool, gate: ParityGate) -> ParityVerdict:
        """The figures that the manifest of a bundle holds, with the result of `gate`."""
        before, after = self.accuracy[KERAS], self.accuracy[self.variant]
        return ParityVerdict(
            passed=passed,
            gate=gate,
            split=self.split,
            images=self.images,
            agreement=self.quantized.agreement,
            agreement_fp32=self.unquantized.agreement,
            accuracy_float=before.value,
            accuracy_float_interval=(before.low, before.high),
            accuracy_quantized=after.value,
            accuracy_quantized_interval=(after.low, after.high),
            accuracy_drop=self.accuracy_drop,
            accuracy_drop_interval=self.accuracy_drop_interval,
            mcnemar_p=self.mcnemar_p,
            max_probability_difference=self.quantized.max_probability_difference,
            mean_probability_difference=self.quantized.mean_probability_difference,
            drift=self.drift,
            classes=dict(self.classes),
            datasets=dict(self.datasets),
        )


def check_gate(parity: Parity, gate: ParityGate, claim: TrainingClaim | None = None) -> list[str]:
    """Check a comparison against the limits of the gate.

    Args:
        parity: the comparison.
        gate: the limits.
        claim: the results that the training run reports; None: not checked.

    Returns:
        The criteria that failed, one line each; empty if the model passes.
    """
    variant, quantized, unquantized = parity.variant, parity.quantized, parity.unquantized
    largest = unquantized.max_probability_difference
    # A NaN must fail, so each criterion states what passes.
    criteria = [
        (
            gate.agrees_enough(quantized.agreement, parity.images),
            f"{variant} agrees with Keras on {quantized.agreement:.2%}, "
            f"at least {gate.agreement:.2%} needed",
        ),
        (
            gate.costs_little(parity.accuracy_drop, parity.images),
            f"{variant} costs {parity.accuracy_drop * 100:.2f} points of accuracy, "
            f"at most {gate.accuracy_drop * 100:.2f} allowed",
        ),
        *(
            (
                figures.lost <= gate.class_loss,
                f"{variant} gets {figures.lost} of {figures.images} {label} images wrong that "
                f"Keras gets right, at most {gate.class_loss} allowed",
            )
            for label, figures in parity.classes.items()
        ),
        (
            parity.drift.kl <= gate.kl,
            f"the probabilities of {variant} are {parity.drift.kl:.2g} nats off Keras', "
            f"at most {gate.kl:.2g} allowed",
        ),
        (
            unquantized.agreement >= gate.agreement_fp32,
            f"fp32 TFLite agrees with Keras on {unquantized.agreement:.2%}, "
            f"at least {gate.agreement_fp32:.2%} needed",
        ),
        (
            largest <= gate.probability_difference_fp32,
            f"a probability of fp32 TFLite is {largest:.2g} off Keras, "
            f"at most {gate.probability_difference_fp32:.2g} allowed",
        ),
    ]
    if claim is not None:
        reached, at_most = claim.reached_in(parity.accuracy[KERAS])
        criteria += [
            (
                at_most >= claim.accuracy - gate.training_drop,
                f"Keras gets {reached:.2%} right, but {claim.accuracy:.2%} in its training run: "
                "these labels, photos or ways of resizing are not those it was trained with",
            ),
            (
                # One photo may be a near tie that another machine decides differently.
                claim.changed <= max(1, gate.training_changed * claim.images),
                "Keras predicts another class than in its training run for "
                f"{claim.changed} or more of {claim.images} test photos, at most "
                f"{gate.training_changed:.2%} allowed: "
                "these labels, photos, colors or ways of resizing are not those it was trained "
                "with",
            ),
        ]
    return [line for passed, line in criteria if not passed]


def least_changed(confusion: np.ndarray, classes: np.ndarray, top: np.ndarray) -> int | None:
    """The least number of photos whose top class differs from that in a confusion matrix.

    Args:
        confusion: int [classes, classes], rows true, columns predicted.
        classes: int [n], the true class of each photo.
        top: int [n], its top class now.

    Returns:
        The number, or None if the matrix counts other photos: a class has another number of them.
    """
    now = np.zeros_like(confusion)
    np.add.at(now, (classes, top), 1)
    if (now.sum(axis=1) != confusion.sum(axis=1)).any():
        return None
    return int(np.abs(now - confusion).sum()) // 2


def compare(
    images: ComparisonImages,
    variant: str,
    *,
    keras: ModelOutputs,
    fp32: ModelOutputs,
    quantized: ModelOutputs,
    score: OodScore,
) -> Parity:
    """Compare the outputs of Keras, unquantized TFLite and a variant for the same images.

    Args:
        images: the images.
        variant: name of the variant.
        keras: outputs of the Keras model.
        fp32: outputs of unquantized TFLite.
        quantized: outputs of the variant.
        score: the score that separates known items from OOD samples.

    Raises:
        BadInput: there are no images.
        Refused: a model gives probabilities that are not finite.
    """
    if not images.names:
        raise BadInput("none of the photos to compare on could be read")
    outputs = {KERAS: keras, FP32: fp32, variant: quantized}
    for model, given in outputs.items():
        if not np.isfinite(given.probabilities).all():
            raise Refused(f"{model} gives probabilities that are not finite; train again")
    correct = {model: given.top == images.classes for model, given in outputs.items()}
    before, after = correct[KERAS], correct[variant]
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    pairs = dict.fromkeys(((FP32, KERAS), (variant, KERAS), (variant, FP32)))
    return Parity(
        variant=variant,
        split="+".join(dict.fromkeys(images.splits)),
        images=len(images.names),
        accuracy={model: _accuracy(hits) for model, hits in correct.items()},
        accuracy_drop=(lost - gained) / len(images.names),
        accuracy_drop_interval=paired_difference(lost, gained, len(images.names)),
        mcnemar_p=mcnemar(lost, gained),
        pairs={f"{a}-{b}": _pair(outputs[a], outputs[b], images.names) for a, b in pairs},
        drift=_drift(images.classes, keras, quantized, score),
        classes=_by_class(images, before, after),
        datasets=_by_dataset(images.datasets, before, after, keras.top == quantized.top),
    )


def confidence(threshold: float) -> OodScore:
    """The probability of the top class as the score."""
    return OodScore("confidence", threshold, lambda outputs: outputs.probabilities.max(axis=1))


def _accuracy(hits: np.ndarray) -> Accuracy:
    """The accuracy from bool [images], the correct predictions."""
    return Accuracy(float(hits.mean()), *wilson(int(hits.sum()), len(hits)))


def _pair(first: ModelOutputs, second: ModelOutputs, names: Sequence[str]) -> Pair:
    changed = np.flatnonzero(first.top != second.top)
    difference = np.abs(first.probabilities - second.probabilities)
    return Pair(
        agreement=(len(names) - len(changed)) / len(names),
        max_probability_difference=float(difference.max()),
        mean_probability_difference=float(difference.mean()),
        changed=tuple(names[index] for index in changed.tolist()),
    )


def _drift(
    classes: np.ndarray, keras: ModelOutputs, quantized: ModelOutputs, score: OodScore
) -> Drift:
    true = np.maximum(keras.probabilities.astype(np.float64), MIN_PROBABILITY)
    other = np.maximum(quantized.probabilities.astype(np.float64), MIN_PROBABILITY)
    divergence = float((true * np.log(true / other)).sum(axis=1).mean())
    before, after = score.of(keras), score.of(quantized)
    return Drift(
        kl=max(0.0, divergence),
        ece_float=calibration_error(reliability(classes, keras.probabilities)),
        ece_quantized=calibration_error(reliability(classes, quantized.probabilities)),
        unknown_score=score.name,
        unknown_mean=float((after - before).mean()),
        unknown_max=float(np.abs(after - before).max()),
        unknown_crossed=float(((before < score.threshold) != (after < score.threshold)).mean()),
    )


def _by_class(
    images: ComparisonImages, before: np.ndarray, after: np.ndarray
) -> dict[str, ClassParity]:
    """Correct predictions by label, from bool [images] of Keras and of the variant."""
    figures = {}
    for number, label in enumerate(images.labels):
        chosen = images.classes == number
        if chosen.any():
            figures[label] = ClassParity(
                images=int(chosen.sum()),
                right_float=int(before[chosen].sum()),
                right_quantized=int(after[chosen].sum()),
            )
    return figures


def _by_dataset(
    datasets: Sequence[str], before: np.ndarray, after: np.ndarray, same: np.ndarray
) -> dict[str, DatasetParity]:
    """The main figures by dataset, from bool [images]."""
    of_image = np.array(datasets)
    figures = {}
    for folder in dict.fromkeys(datasets):
        chosen = of_image == folder
        accuracy_float, accuracy_quantized = _accuracy(before[chosen]), _accuracy(after[chosen])
        figures[folder] = DatasetParity(
            images=int(chosen.sum()),
            agreement=float(same[chosen].mean()),
            accuracy_float=accuracy_float.value,
            accuracy_float_interval=(accuracy_float.low, accuracy_float.high),
            accuracy_quantized=accuracy_quantized.value,
            accuracy_quantized_interval=(accuracy_quantized.low, accuracy_quantized.high),
        )
    return figures
