"""Finding out-of-distribution items: the score of an item, and the detector in a bundle.

Every score is greater for what is more like the known classes.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from edge.arrays import read_arrays
from edge.errors import BadInput, one_line

NEIGHBORS = 5
GEN_EXPONENT, GEN_CLASSES = 0.1, 10
"""Exponent and number of top classes of the generalized entropy, as the authors chose them."""
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.01, 100.0
"""As of the manifest's temperature."""
ARRAYS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "energy": {"temperature": 0},
        "entropy": {"temperature": 0},
        "mahalanobis": {"projection": 2, "centers": 2},
        "neighbors": {"projection": 2, "references": 2},
        "collapse": {"center": 1, "kernel": 2},
        "discriminant": {"center": 1, "direction": 1},
    }
)
"""The arrays that each score needs, with their number of dimensions. In earlier bundles neighbors
have no projection."""
SUM = "+"
"""Joins the names of two scores that are added up, each in its standard deviations over known
items. The arrays of such a score are called `SCORE.NAME`, and there is `scaling`."""
SCALING = "scaling"
KNOWN = ("known.projection", "known.references")
"""Known items as `neighbors` has them, which may lie beside the arrays of any score: what is taught
on a device is set apart from them (`edge.learned.known`)."""
NEGATIVES = "known.negatives"
"""Things of no known class in the same directions; only beside `KNOWN`, where there were any."""
PARTS = "|".join(ARRAYS)


class OodRule(BaseModel):
    """How an out-of-distribution item is detected: its score is under the threshold.

    Attributes:
        score: how the score is computed: one of `ARRAYS`, or two joined by a plus sign; what it
            compares with is in the bundle's `unknown.npz`.
        threshold: an item scoring less is out of distribution; in the units of the score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    score: Annotated[str, Field(pattern=rf"^({PARTS})(\+({PARTS}))?$", max_length=40)]
    threshold: Annotated[float, Field(ge=-1e12, le=1e12)]


@dataclass(frozen=True)
class OodDetector:
    """Scores how much an item is like the known classes.

    Attributes:
        rule: which score, and the value from which an item is in distribution.
        arrays: what the score compares with, float32; see the functions below.
    """

    rule: OodRule
    arrays: Mapping[str, np.ndarray]

    def score(self, logits: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """The scores of items, float [n], from their logits [n, classes], embeddings [n, 2048]."""
        parts = self.rule.score.split(SUM)
        if len(parts) == 1:
            return score_by(parts[0], self.arrays, logits, embeddings)
        means, deviations = self.arrays[SCALING]
        total = np.zeros(len(logits))
        for part, mean, deviation in zip(parts, means, deviations, strict=True):
            own = {name: self.arrays[f"{part}.{name}"] for name in ARRAYS[part]}
            total += (score_by(part, own, logits, embeddings) - mean) / deviation
        return total


def score_by(
    score: str, arrays: Mapping[str, np.ndarray], logits: np.ndarray, embeddings: np.ndarray
) -> np.ndarray:
    """One of the scores in `ARRAYS`, float [n].

    Args:
        score: its name.
        arrays: what it compares with, see the functions below.
        logits: float [n, classes].
        embeddings: float [n, features].
    """
    if score == "energy":
        return energy(logits, float(arrays["temperature"]))
    if score == "entropy":
        return generalized_entropy(logits, float(arrays["temperature"]))
    if score == "mahalanobis":
        return mahalanobis(embeddings, arrays["projection"], arrays["centers"])
    if score == "collapse":
        return collapse(logits, embeddings, arrays["center"], arrays["kernel"])
    if score == "discriminant":
        return unit(embeddings - arrays["center"]) @ arrays["direction"]
    return neighbors(embeddings, arrays["references"], arrays.get("projection"))


def energy(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Negative free energy T log sum exp(logits / T) of float [n, classes], as float [n].

    Source: Liu, Wang, Owens, Li, "Energy-based out-of-distribution detection", NeurIPS 2020.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    top = scaled.max(axis=1)
    return temperature * (top + np.log(np.exp(scaled - top[:, np.newaxis]).sum(axis=1)))


def generalized_entropy(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Negative generalized entropy of the top classes' probabilities, float [n], 0 at most.

    Source: Liu, Lochman, Zach, "GEN: pushing the limits of softmax-based out-of-distribution
    detection", CVPR 2023.

    Args:
        logits: float [n, classes].
        temperature: they are divided by it.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    likely = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    top = np.sort(likely, axis=1)[:, -GEN_CLASSES:]
    return -((top * (1 - top)) ** GEN_EXPONENT).sum(axis=1)


def collapse(
    logits: np.ndarray, embeddings: np.ndarray, center: np.ndarray, kernel: np.ndarray
) -> np.ndarray:
    """How far an embedding lies from the center of all along its class's weights, float [n].

    The projection of the class's weight vector on the direction of the embedding. Source: Liu, Qin,
    "Detecting out-of-distribution through the lens of neural collapse", CVPR 2025, without the
    term in the embedding's length.

    Args:
        logits: float [n, classes].
        embeddings: float [n, features].
        center: float [features], the mean embedding of known items.
        kernel: float [features, classes], of the last layer.
    """
    toward = (unit(embeddings - center) * kernel.T[logits.argmax(axis=1)]).sum(axis=1)
    return np.asarray(toward)


def mahalanobis(embeddings: np.ndarray, projection: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Negative squared Mahalanobis distance to the nearest class, float [n], 0 at most.

    Args:
        embeddings: float [n, features]; their direction counts, not their length.
        projection: float [features, d], which makes the classes' shared covariance the identity.
        centers: float [classes, d], the projected class means.

    Source: Lee, Lee, Lee, Shin, "A simple unified framework for detecting out-of-distribution
    samples and adversarial attacks", NeurIPS 2018; on unit vectors as in Mueller, Hein, 2025
    ("Mahalanobis++").
    """
    placed = unit(embeddings) @ projection
    return -((placed[:, np.newaxis] - centers) ** 2).sum(axis=2).min(axis=1)


def neighbors(
    embeddings: np.ndarray, references: np.ndarray, projection: np.ndarray | None
) -> np.ndarray:
    """Mean cosine similarity to the `NEIGHBORS` nearest known items, float [n], -1 to 1.

    It is measured in the directions in which known items lie: what an item has besides them makes
    it no more similar to any, and thousands of references then cost a fraction of a millisecond.

    Args:
        embeddings: float [n, features].
        references: float [known items, d], unit vectors of the known items, projected.
        projection: float [features, d], orthonormal directions; None: all directions count.

    Source: Sun, Ming, Zhu, Li, "Out-of-distribution detection with deep nearest neighbors", ICML
    2022, with the mean over the neighbors instead of the last one.
    """
    placed = unit(embeddings) if projection is None else unit(embeddings) @ projection
    similarity = placed @ references.T
    nearest = min(NEIGHBORS, len(references))
    return np.partition(similarity, -nearest, axis=1)[:, -nearest:].mean(axis=1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Float [n, features] scaled to length 1 each; what is all zero stays so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def pack_detector(
    detector: OodDetector, beside: Mapping[str, np.ndarray] = MappingProxyType({})
) -> bytes:
    """The content of `unknown.npz`: the arrays as float16; the same detector, the same bytes.

    `beside` are arrays for others (`edge.inference.touching`), by names that no score uses.
    """
    packed = io.BytesIO()
    arrays: dict[str, Any] = {
        name: np.asarray(array, np.float16, order="C")
        for name, array in {**detector.arrays, **beside}.items()
    }
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def unpack_detector(content: bytes, rule: OodRule, classes: int) -> OodDetector:
    """Read what `pack_detector` wrote.

    Raises:
        BadInput: it is no such file, or one for another score or number of classes.
    """
    parts = rule.score.split(SUM)
    prefixes = [""] if len(parts) == 1 else [f"{part}." for part in parts]
    named = {
        prefix + name: dimensions
        for prefix, part in zip(prefixes, parts, strict=True)
        for name, dimensions in ARRAYS[part].items()
    }
    if len(parts) == 2:
        named[SCALING] = 2
    arrays = {}
    try:
        stored = read_arrays(content, (*named, *KNOWN, NEGATIVES, "scales"))
        beside = [name for name in (*KNOWN, NEGATIVES) if name in stored]
        if all(name in stored for name in KNOWN):
            named |= dict.fromkeys(beside, 2)
        # An earlier bundle's references: 8 bits, in all directions.
        earlier = rule.score == "neighbors" and "scales" in stored
        for name, dimensions in named.items():
            if name == "projection" and earlier:
                continue
            # What is too large for 32 bits becomes infinite, and is refused as that.
            with np.errstate(over="ignore", invalid="ignore"):
                # Column by column: to multiply one item with them takes half of the time then.
                array = stored[name].astype(np.float32, order="F")
                if name == "references" and earlier:
                    array *= stored["scales"]
            if array.ndim != dimensions or not array.size or not np.isfinite(array).all():
                raise ValueError(f"{name} is malformed")
            arrays[name] = array
        for prefix, part in zip(prefixes, parts, strict=True):
            of_part = {name: arrays.get(prefix + name) for name in ARRAYS[part]}
            _check_part({name: array for name, array in of_part.items() if array is not None})
        if KNOWN[0] in arrays:
            _check_part({name.removeprefix("known."): arrays[name] for name in beside})
        if len(parts) == 2:
            _check_scaling(arrays[SCALING])
    except (ValueError, KeyError, TypeError, MemoryError) as error:
        raise BadInput(f"not the data of a detector by {rule.score} ({one_line(error)})") from None
    for prefix, part in zip(prefixes, parts, strict=True):
        of_classes = {
            "mahalanobis": lambda prefix: len(arrays[f"{prefix}centers"]),
            "collapse": lambda prefix: arrays[f"{prefix}kernel"].shape[1],
        }.get(part)
        if of_classes and of_classes(prefix) != classes:
            raise BadInput(f"not the data of a detector for {classes} classes")
    return OodDetector(rule, arrays)


def _check_part(arrays: Mapping[str, np.ndarray]) -> None:
    """Check the arrays of one score.

    Raises:
        ValueError: they do not fit each other, or a number is out of its range.
    """
    if not LEAST_TEMPERATURE <= float(arrays.get("temperature", 1)) <= MOST_TEMPERATURE:
        raise ValueError("temperature is out of its range")
    if "projection" in arrays and len({array.shape[1] for array in arrays.values()}) > 1:
        raise ValueError("its arrays do not fit each other")
    if "center" in arrays and len({array.shape[0] for array in arrays.values()}) > 1:
        raise ValueError("its arrays do not fit each other")


def _check_scaling(scaling: np.ndarray) -> None:
    """Check means and deviations of two scores.

    Raises:
        ValueError: they are not, or a deviation is not positive.
    """
    if scaling.shape != (2, 2) or not (scaling[1] > 1e-6).all():
        raise ValueError(f"{SCALING} is malformed")
