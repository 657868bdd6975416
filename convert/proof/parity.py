"""Whether the quantized model still answers as the float model does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from edge.bundle.manifest import ClassParity, DatasetParity, Drift, ParityGate, ParityVerdict
from edge.errors import BadInput, Refused
from edge.inference.classifier import Classifier, softmax
from edge.inference.preprocess import float_input
from train.evaluation.intervals import mcnemar, paired_difference, wilson
from train.evaluation.metrics import calibration_error, reliability

KERAS, FP32 = "keras", "fp32"
LEAST_PROBABILITY = 1e-9
"""What a probability of 0 counts as in the Kullback-Leibler divergence."""

LEAST_IMAGES = 50
"""From here on, accuracy is compared with that of the training run."""


@dataclass(frozen=True)
class Images:
    """The images to compare on, as the model takes them.

    Attributes:
        labels: the classes.
        names: of each image, its path from the name of the dataset folder on.
        splits: of each image, the split of its dataset, such as `test`.
        truths: int [n], its class.
        pixels: uint8 RGB [n, S, S, 3].
        datasets: of each image, the name of its dataset.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    splits: tuple[str, ...]
    truths: np.ndarray
    pixels: np.ndarray
    datasets: tuple[str, ...]

    def take(self, places: np.ndarray) -> "Images":
        """Only the images at `places`."""
        names = tuple(self.names[place] for place in places)
        splits = tuple(self.splits[place] for place in places)
        datasets = tuple(self.datasets[place] for place in places)
        pixels = self.pixels[places]
        return Images(self.labels, names, splits, self.truths[places], pixels, datasets)


@dataclass(frozen=True)
class Answers:
    """What one engine says of some images.

    Attributes:
        logits: float32 [n, classes].
        probabilities: float32 [n, classes], their softmax at the model's temperature.
        embeddings: float32 [n, features].
    """

    logits: np.ndarray
    probabilities: np.ndarray
    embeddings: np.ndarray

    def take(self, places: np.ndarray) -> "Answers":
        """Only those of the images at `places`."""
        return Answers(self.logits[places], self.probabilities[places], self.embeddings[places])

    @property
    def top(self) -> np.ndarray:
        """The class that each image is most likely of, int [n]."""
        return self.probabilities.argmax(axis=1)


Ask = Callable[[np.ndarray], Answers]
"""uint8 RGB [n, S, S, 3] -> what an engine says of them."""


@dataclass(frozen=True)
class OodScore:
    """What tells an item from a thing of no known class: greater is more known.

    Attributes:
        name: such as `confidence`.
        threshold: under it, an item is unknown.
        of: the score of each answer, float [n].
    """

    name: str
    threshold: float
    of: Callable[[Answers], np.ndarray]


@dataclass(frozen=True)
class Trained:
    """What the training run says of its model, for a model that is asked in the same way.

    Attributes:
        accuracy: that it reached on its test photos, 0 to 1.
        tested: how many these were, where it is they that are judged on now; else 0.
        changed: how many of them get another answer now, at least.
    """

    accuracy: float
    tested: int = 0
    changed: int = 0


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
    """The comparison of Keras, unquantized TFLite (`fp32`) and one variant of the model.

    Attributes:
        variant: such as `int8`.
        split: which split was compared on, such as `val+test`.
        images: how many images.
        accuracy: by engine: `keras`, `fp32` and the variant.
        accuracy_drop: Keras' accuracy minus the variant's, -1 to 1.
        accuracy_drop_interval: its paired 95 % interval.
        mcnemar_p: the exact two-sided probability of such a change by chance.
        pairs: by `A-B`, such as `int8-keras`.
        drift: what became of the certainty of the answers.
        classes: how often each label is recognized.
        datasets: the main figures by dataset folder.
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
        """The variant and Keras."""
        return self.pairs[f"{self.variant}-{KERAS}"]

    @property
    def unquantized(self) -> Pair:
        """Unquantized TFLite and Keras."""
        return self.pairs[f"{FP32}-{KERAS}"]

    def report(self) -> dict:
        """All of it, ready for JSON."""
        return {
            **asdict(self),
            "drift": self.drift.model_dump(),
            "classes": {label: figures.model_dump() for label, figures in self.classes.items()},
            "datasets": {name: figures.model_dump() for name, figures in self.datasets.items()},
        }

    def verdict(self, passed: bool, gate: ParityGate) -> ParityVerdict:
        """What a bundle's manifest keeps of it, judged by `gate`."""
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


def judge(parity: Parity, gate: ParityGate, trained: Trained | None = None) -> list[str]:
    """The criteria that failed, one line each; none: the model passes."""
    variant, quantized, unquantized = parity.variant, parity.quantized, parity.unquantized
    largest = unquantized.max_probability_difference
    # "not >=" rather than "<": a model that answers NaN must fail.
    criteria = [
        (
            quantized.agreement >= gate.agreement,
            f"{variant} agrees with Keras on {quantized.agreement:.2%}, "
            f"at least {gate.agreement:.2%} needed",
        ),
        (
            parity.accuracy_drop <= gate.accuracy_drop,
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
    if trained is not None:
        reached = parity.accuracy[KERAS].value
        criteria += [
            (
                # Not for a handful of images, on which chance alone makes such a difference.
                reached >= trained.accuracy - gate.training_drop or parity.images < LEAST_IMAGES,
                f"Keras gets {reached:.2%} right, but {trained.accuracy:.2%} in its training run: "
                "these labels, photos or ways of resizing are not those it was trained with",
            ),
            (
                # One photo may be a near tie, which another machine decides otherwise.
                trained.changed <= max(1, gate.training_changed * trained.tested),
                f"Keras gives {trained.changed} or more of {trained.tested} test photos other "
                f"answers than in its training run, at most {gate.training_changed:.2%} allowed: "
                "these labels, photos, colors or ways of resizing are not those it was trained "
                "with",
            ),
        ]
    return [line for passed, line in criteria if not passed]


def changed_answers(confusion: np.ndarray, truths: np.ndarray, top: np.ndarray) -> int | None:
    """How many photos at least get another answer than in a confusion matrix.

    None where the matrix is of other photos: another number of some class.

    Args:
        confusion: int [classes, classes], rows true, columns answered.
        truths: int [n], the class of each photo.
        top: int [n], its answer now.
    """
    now = np.zeros_like(confusion)
    np.add.at(now, (truths, top), 1)
    if (now.sum(axis=1) != confusion.sum(axis=1)).any():
        return None
    return int(np.abs(now - confusion).sum()) // 2


def compare(
    images: Images,
    variant: str,
    keras: Answers,
    fp32: Answers,
    quantized: Answers,
    score: OodScore,
) -> Parity:
    """Compare what Keras, unquantized TFLite and a variant say of the same images.

    Raises:
        BadInput: there is no image.
        Refused: an engine answers something that is no number.
    """
    if not images.names:
        raise BadInput("none of the photos to compare on could be read")
    answers = {KERAS: keras, FP32: fp32, variant: quantized}
    for engine, answer in answers.items():
        if not np.isfinite(answer.probabilities).all():
            raise Refused(f"{engine} gives probabilities that are no numbers; train anew")
    right = {engine: answer.top == images.truths for engine, answer in answers.items()}
    before, after = right[KERAS], right[variant]
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    pairs = dict.fromkeys(((FP32, KERAS), (variant, KERAS), (variant, FP32)))
    return Parity(
        variant=variant,
        split="+".join(dict.fromkeys(images.splits)),
        images=len(images.names),
        accuracy={engine: _accuracy(hits) for engine, hits in right.items()},
        accuracy_drop=(lost - gained) / len(images.names),
        accuracy_drop_interval=paired_difference(lost, gained, len(images.names)),
        mcnemar_p=mcnemar(lost, gained),
        pairs={f"{a}-{b}": _pair(answers[a], answers[b], images.names) for a, b in pairs},
        drift=_drift(images.truths, keras, quantized, score),
        classes=_by_class(images, before, after),
        datasets=_by_dataset(images.datasets, before, after, keras.top == quantized.top),
    )


def keras_engine(predict: Callable[[np.ndarray], Sequence[np.ndarray]], temperature: float) -> Ask:
    """The float model: `predict` gives (logits, embeddings) of a batch of `RGB - 117`."""

    def ask(pixels: np.ndarray) -> Answers:
        logits, embeddings = predict(float_input(pixels))
        return Answers(logits, softmax(logits, temperature), embeddings)

    return ask


def device_engine(classifier: Classifier) -> Ask:
    """A TFLite model through the code that runs on the device."""

    def ask(pixels: np.ndarray) -> Answers:
        predictions = [classifier.predict_input(image) for image in pixels]
        return Answers(
            np.stack([prediction.logits for prediction in predictions]),
            np.stack([prediction.probabilities for prediction in predictions]),
            np.stack([prediction.embedding for prediction in predictions]),
        )

    return ask


def confidence(threshold: float) -> OodScore:
    """The probability of the most likely class."""
    return OodScore("confidence", threshold, lambda answers: answers.probabilities.max(axis=1))


def _accuracy(hits: np.ndarray) -> Accuracy:
    """From bool [images]: which ones were right."""
    return Accuracy(float(hits.mean()), *wilson(int(hits.sum()), len(hits)))


def _pair(first: Answers, second: Answers, names: Sequence[str]) -> Pair:
    changed = np.flatnonzero(first.top != second.top)
    difference = np.abs(first.probabilities - second.probabilities)
    return Pair(
        agreement=(len(names) - len(changed)) / len(names),
        max_probability_difference=float(difference.max()),
        mean_probability_difference=float(difference.mean()),
        changed=tuple(names[index] for index in changed),
    )


def _drift(truths: np.ndarray, keras: Answers, quantized: Answers, score: OodScore) -> Drift:
    true = np.maximum(keras.probabilities.astype(np.float64), LEAST_PROBABILITY)
    other = np.maximum(quantized.probabilities.astype(np.float64), LEAST_PROBABILITY)
    divergence = float((true * np.log(true / other)).sum(axis=1).mean())
    before, after = score.of(keras), score.of(quantized)
    return Drift(
        kl=max(0.0, divergence),
        ece_float=calibration_error(reliability(truths, keras.probabilities)),
        ece_quantized=calibration_error(reliability(truths, quantized.probabilities)),
        unknown_score=score.name,
        unknown_mean=float((after - before).mean()),
        unknown_max=float(np.abs(after - before).max()),
        unknown_crossed=float(((before < score.threshold) != (after < score.threshold)).mean()),
    )


def _by_class(images: Images, before: np.ndarray, after: np.ndarray) -> dict[str, ClassParity]:
    """From bool [images]: which ones Keras and the variant get right."""
    figures = {}
    for number, label in enumerate(images.labels):
        chosen = images.truths == number
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
    """The main figures for the images of each dataset."""
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
