"""A generation beside its bundle: the model and the rules with what the device has learned.

The bundle's own model stays as it is. Each taught class has one more logit behind those of the
model, so high that its odds against all known classes together are those that it was taught
(`edge.learned.recognition`), at whatever temperature.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.arrays import read_arrays
from edge.bundle.bundle import Bundle
from edge.bundle.golden import golden_answers
from edge.bundle.manifest import DEFAULT_HAZARD_THRESHOLD
from edge.decision.decide import DecisionRules, Detecting
from edge.errors import Refused, one_line
from edge.inference.classifier import Classifier, Prediction, softmax
from edge.inference.ood import OodDetector, OodRule
from edge.labels import find_label, near_labels
from edge.learned.known import KnownSpace, known_space
from edge.learned.manifest import ADAPTER, REMEDY, LearnedManifest
from edge.learned.recognition import MOST_TAKEN, Recognition
from edge.learned.store import Generation

LARGEST_LOGIT = 1e6
NEGLIGIBLE = -3.0
"""Log odds so low that how familiar an item is does not matter any more."""
NO_SCORE = OodRule(score="energy", threshold=0.0)
"""The rule of a detector that only knows taught classes."""


@dataclass(frozen=True)
class Adapter:
    """What recognizes the taught classes.

    Attributes:
        space: where items lie, and what the bundle knows.
        recognitions: one for each taught class.
    """

    space: KnownSpace
    recognitions: tuple[Recognition, ...]

    def extended(
        self, logits: np.ndarray, embeddings: np.ndarray, temperature: float
    ) -> np.ndarray:
        """The logits of all classes, float32 [n, classes + taught], from those of the model."""
        scaled = np.asarray(logits, np.float64) / temperature
        top = scaled.max(axis=1)
        of_known = top + np.log(np.exp(scaled - top[:, np.newaxis]).sum(axis=1))
        placed = self.space.place(embeddings)
        similarities = [each.similarity(placed) for each in self.recognitions]
        familiarity = self._familiarity(similarities, logits, embeddings)
        added = [
            temperature * (of_known + each.log_odds(similarity, familiarity))
            for each, similarity in zip(self.recognitions, similarities, strict=True)
        ]
        bounded = np.clip(np.stack(added, axis=1), -LARGEST_LOGIT, LARGEST_LOGIT)
        return np.concatenate([logits, bounded], axis=1).astype(np.float32)

    def _familiarity(
        self, similarities: Sequence[np.ndarray], logits: np.ndarray, embeddings: np.ndarray
    ) -> np.ndarray:
        """How familiar items are, float [n]; infinitely unfamiliar where nothing depends on it.

        A detector that compares with thousands of items takes longer than all else here.
        """
        familiarity = np.full(len(logits), -np.inf)
        asked = np.zeros(len(logits), bool)
        for each, similarity in zip(self.recognitions, similarities, strict=True):
            asked |= each.by_similarity(similarity) > NEGLIGIBLE
        if asked.any():
            familiarity[asked] = self.space.familiarity(logits[asked], embeddings[asked])
        return familiarity


class AdaptedClassifier:
    """A bundle's model with what was learned beside it. Not to be shared between threads.

    The model itself is not changed: it may be wrapped again, by another generation.
    """

    def __init__(
        self,
        base: Classifier,
        labels: Sequence[str],
        temperature: float,
        adapter: Adapter | None = None,
    ) -> None:
        """Wrap a loaded model.

        Args:
            base: the model.
            labels: of all classes, the taught ones last.
            temperature: the logits are divided by it before the softmax.
            adapter: what recognizes the taught classes; None: none was taught.
        """
        self._base, self._adapter = base, adapter
        self.labels, self.size, self.temperature = tuple(labels), base.size, temperature

    def predict(self, view: np.ndarray) -> Prediction:
        """Classify one view: uint8 RGB [height, width, 3] of any size."""
        return self.adapted(self._base.predict(view))

    def adapted(self, prediction: Prediction) -> Prediction:
        """The model's answer, with what was learned."""
        logits, embedding = prediction.logits, prediction.embedding
        if self._adapter is not None:
            rows = logits[np.newaxis], embedding[np.newaxis]
            logits = self._adapter.extended(*rows, self.temperature)[0]
        return Prediction(logits, softmax(logits, self.temperature), embedding)


@dataclass(frozen=True)
class AdaptedDetector:
    """Finds what is out of distribution where classes were taught.

    An item of a taught class is judged by its similarity to that class alone, whatever the bundle's
    detector makes of it; its score is as far from the threshold as its similarity is from the
    least.

    Attributes:
        base: the bundle's detector; None: it has none, and then no known item is out of
            distribution.
        adapter: what recognizes the taught classes.
        known: number of the model's own classes.
    """

    base: Detecting | None
    adapter: Adapter
    known: int

    @property
    def rule(self) -> OodRule:
        """The rule of the bundle's detector."""
        return NO_SCORE if self.base is None else self.base.rule

    def score(self, logits: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """The scores of items, float [n], from their logits [n, classes + taught], embeddings."""
        threshold = self.rule.threshold
        scores = np.full(len(logits), threshold + 1.0)
        best = logits.argmax(axis=1)
        of_known = best < self.known
        if self.base is not None and of_known.any():
            own = logits[of_known][:, : self.known]
            scores[of_known] = self.base.score(own, embeddings[of_known])
        for index, each in enumerate(self.adapter.recognitions):
            taken = best == self.known + index
            if taken.any():
                placed = self.adapter.space.place(embeddings[taken])
                scores[taken] = threshold + each.similarity(placed) - each.least
        return scores


@dataclass(frozen=True)
class Adapted:
    """A bundle's model and rules with what was learned beside it.

    Attributes:
        digest: what decides, for the records: of the generation; of the bundle where nothing is
            learned.
        classifier: the model.
        rules: what its answers are decided by.
    """

    digest: str
    classifier: "Classifier | AdaptedClassifier"
    rules: DecisionRules


def read_adapter(generation: Generation, space: KnownSpace) -> Adapter:
    """The adapter of a generation, in the space of its bundle.

    Raises:
        Refused: it is malformed, or does not fit the bundle.
    """
    rows = read_rows(generation, len(space.mean))
    return Adapter(
        space,
        tuple(
            Recognition(
                own,
                each.familiar,
                each.slope,
                each.offset,
                each.steepness,
                each.least,
            )
            for own, each in zip(rows, generation.manifest.classes, strict=True)
        ),
    )


def read_rows(generation: Generation, dimensions: int | None = None) -> np.ndarray:
    """The direction of each class of a generation, float32 [classes, d], of length 1.

    Args:
        generation: it, with its contents.
        dimensions: of the space of its bundle; None: as many as there are.

    Raises:
        Refused: they are malformed, or not of so many dimensions.
    """
    classes = generation.manifest.classes
    try:
        rows = read_arrays(generation.contents[ADAPTER], ("directions",))["directions"]
        width = rows.shape[-1] if dimensions is None else dimensions
        if rows.dtype != np.float32 or rows.shape != (len(classes), width):
            raise ValueError(f"expected {len(classes)} directions of {width} numbers")
        if not np.isfinite(rows).all() or (np.abs(np.linalg.norm(rows, axis=1) - 1) > 0.01).any():
            raise ValueError("directions must have length 1")
    except (ValueError, KeyError, IndexError, MemoryError) as error:
        raise Refused(f"{generation.path / ADAPTER}: {one_line(error)}; {REMEDY}") from None
    return np.ascontiguousarray(rows)


def pack_rows(directions: Sequence[np.ndarray]) -> bytes:
    """The content of `adapter.npz`: the directions of all classes, one below the other."""
    packed = io.BytesIO()
    np.savez(packed, directions=np.asarray(np.stack(directions), np.float32, order="C"))
    return packed.getvalue()


def learned_labels(bundle: Bundle, manifest: LearnedManifest | None) -> tuple[str, ...]:
    """All labels, the taught ones last.

    Raises:
        Refused: a taught class has the name of one that the bundle knows.
    """
    taught = () if manifest is None else manifest.labels
    for label in taught:
        check_new(label, bundle.labels)
    return (*bundle.labels, *taught)


def check_new(label: str, labels: Sequence[str]) -> None:
    """See that no class has this name, or one that a person takes for it.

    Raises:
        Refused: one has.
    """
    near = [find_label(label, labels), *near_labels(label, labels)]
    for known in near:
        if known is not None:
            also = "" if known == label else f", which a person takes for {label}"
            raise Refused(f"{label}: there is a class {known} already{also}; choose another name")


def check_base(generation: Generation, bundle: Bundle) -> None:
    """See that a generation was learned beside this bundle.

    Raises:
        Refused: beside another one.
    """
    if generation.manifest.base != bundle.digest:
        raise Refused(
            f"{generation.path}: was learned beside the bundle {generation.manifest.base_name}, "
            f"not beside {bundle.manifest.name}; teach again, or go back to that bundle"
        )


def with_unknown_threshold(rules: DecisionRules, threshold: float) -> DecisionRules:
    """The rules with another threshold of the bundle's detector, if it has one."""
    detector = rules.ood_detector
    if not isinstance(detector, OodDetector):
        return rules
    rule = detector.rule.model_copy(update={"threshold": threshold})
    return replace(rules, ood_detector=replace(detector, rule=rule))


def with_taught(
    rules: DecisionRules,
    manifest: LearnedManifest,
    adapter: Adapter,
    threshold: float | None = None,
    hazard_threshold: float | None = None,
) -> DecisionRules:
    """The rules with those of the taught classes.

    Args:
        rules: of the bundle's own classes.
        manifest: of the generation.
        adapter: what recognizes the taught classes.
        threshold: least confidence for any label; None: as it was taught.
        hazard_threshold: the probability from which any hazard is suspected; None: the default.
    """
    taught = manifest.classes
    own_bins = {each.label: each.bin for each in taught if each.bin is not None}
    thresholds = {each.label: each.threshold if threshold is None else threshold for each in taught}
    suspected = DEFAULT_HAZARD_THRESHOLD if hazard_threshold is None else hazard_threshold
    hazards = {each.label: suspected for each in taught if each.hazard}
    return replace(
        rules,
        labels=(*rules.labels, *manifest.labels),
        bins={**rules.bins, **own_bins},
        thresholds={**rules.thresholds, **thresholds},
        hazard_thresholds={**rules.hazard_thresholds, **hazards},
        ood_detector=AdaptedDetector(rules.ood_detector, adapter, len(rules.labels)),
    )


def adapt(
    bundle: Bundle,
    classifier: Classifier,
    generation: Generation | None,
    rules_of: Callable[[LearnedManifest | None, Adapter | None], DecisionRules],
) -> Adapted:
    """A verified bundle with what was learned beside it, proved on the golden inputs.

    Args:
        bundle: it.
        classifier: its model, loaded; stays as it is.
        generation: what was learned; None: nothing.
        rules_of: the rules of the line, with what was learned.

    Raises:
        BadInput: the rules do not fit the configuration.
        Refused: it was learned beside another bundle, is malformed, or takes golden inputs of known
            classes for taught ones.
    """
    if generation is None or generation.manifest.is_empty:
        return Adapted(bundle.digest, classifier, rules_of(None, None))
    check_base(generation, bundle)
    manifest, adapter = generation.manifest, None
    labels, temperature = learned_labels(bundle, manifest), classifier.temperature
    if manifest.calibration is not None:
        temperature = manifest.calibration.temperature
    if manifest.classes:
        logits, embeddings = golden_answers(bundle, classifier)
        adapter = read_adapter(generation, known_space(bundle, logits, embeddings))
        check_golden(bundle, adapter, logits, embeddings, temperature)
    return Adapted(
        generation.digest,
        AdaptedClassifier(classifier, labels, temperature, adapter),
        rules_of(manifest, adapter),
    )


def check_golden(
    bundle: Bundle,
    adapter: Adapter,
    logits: np.ndarray,
    embeddings: np.ndarray,
    temperature: float,
) -> float:
    """See that the golden inputs are still what the bundle says of them.

    One that it takes for out of distribution is nothing to lose.

    Returns:
        The share of them that is taken for a taught class, for one may be.

    Raises:
        Refused: more than `MOST_TAKEN` of them, or one of a hazard, are taken for a taught
            class, or an answer is no number.
    """
    known = logits.shape[1]
    found = adapter.extended(logits, embeddings, temperature)
    if not np.isfinite(found).all():
        raise Refused(f"{bundle.path}: what was learned makes answers that are no numbers")
    taken = (found.argmax(axis=1) >= known) & adapter.space.in_distribution(logits, embeddings)
    hazards = {bundle.labels.index(each) for each in bundle.manifest.hazards}
    lost = [bundle.labels[each] for each in logits[taken].argmax(axis=1) if each in hazards]
    if lost:
        raise Refused(f"a golden input of the hazard {lost[0]} is taken for a taught class")
    if int(taken.sum()) > MOST_TAKEN:
        raise Refused(
            f"{int(taken.sum())} of {len(taken)} golden inputs of known classes are taken for a "
            "taught class"
        )
    return float(taken.mean())
