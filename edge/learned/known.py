"""What a bundle knows, as a taught class must be set apart from it.

Two things are used of it: in which directions its known items differ from each other, and how
familiar an item is to its out-of-distribution detector. Directions in which known items differ much
say little about a new class, so they are shrunk (whitened). A detector that brings known items, or
a bundle with `known.references`, shows these directions well; of any other bundle the golden inputs
are taken, which are few. A bundle that was trained with negatives brings those too.

Source: whitening by the covariance of what is known, as in Lee, Lee, Lee, Shin, "A simple unified
framework for detecting out-of-distribution samples and adversarial attacks", NeurIPS 2018.
"""

from dataclasses import dataclass

import numpy as np

from edge.bundle.bundle import Bundle
from edge.inference.ood import OodDetector, energy, unit

SHRINKAGE = 0.2
"""Added to the variance in each direction, as a share of the mean one."""
LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class KnownSpace:
    """A space of features, and what is known in it.

    Attributes:
        axes: float32 [features, d], orthonormal directions in which known items differ.
        mean: float32 [d], of the known items' unit embeddings in these directions.
        gains: float32 [d], by which each direction is shrunk.
        gain: of all that lies in no such direction.
        references: float32 [known items, d], known items as `place` has them; the golden inputs
            are among them.
        negatives: float32 [things, d], likewise things of no known class; there may be none.
        detector: the bundle's; None: the energy of the logits is taken.
        temperature: of the bundle's softmax.
        usual: mean and deviation of the detector's score of golden inputs.
    """

    axes: np.ndarray
    mean: np.ndarray
    gains: np.ndarray
    gain: float
    references: np.ndarray
    negatives: np.ndarray
    detector: OodDetector | None
    temperature: float
    usual: tuple[float, float]

    def place(self, embeddings: np.ndarray) -> np.ndarray:
        """Where items lie, float32 [n, d], of length 1 at most, from their embeddings.

        The shrunk directions of a vector of length 1; what it lacks lies beside them.
        """
        within = unit(np.asarray(embeddings, np.float32)) @ self.axes
        return _placed(within, self.mean, self.gains, self.gain)

    def familiarity(self, logits: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """How familiar items are to the bundle, float [n]: 0 is usual, in standard deviations."""
        mean, deviation = self.usual
        return (_score(self.detector, self.temperature, logits, embeddings) - mean) / deviation

    def in_distribution(self, logits: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """Which items the bundle's detector takes for known, bool [n]; all where it has none."""
        if self.detector is None:
            return np.ones(len(logits), bool)
        return self.detector.score(logits, embeddings) >= self.detector.rule.threshold


def known_space(
    bundle: Bundle, golden_logits: np.ndarray, golden_embeddings: np.ndarray
) -> KnownSpace:
    """The space of a bundle.

    Args:
        bundle: it.
        golden_logits: float [inputs, classes], what its model makes of its golden inputs.
        golden_embeddings: float [inputs, features], likewise.

    Raises:
        Refused: the data of its detector are malformed.
    """
    detector, temperature = bundle.detector, bundle.manifest.temperature
    scores = _score(detector, temperature, golden_logits, golden_embeddings)
    usual = float(scores.mean()), max(float(scores.std()), LEAST_DEVIATION)
    directions = unit(np.asarray(golden_embeddings, np.float64))
    found = _stored(detector)
    projection, stored, negatives = found or _of_golden(directions)
    known = stored if found is None else np.concatenate([stored, directions @ projection])
    mean = stored.mean(axis=0)
    centered = stored - mean
    variances, turned = np.linalg.eigh(centered.T @ centered / len(stored))
    variances = np.maximum(variances, 0)
    # Known items are unit vectors: what they lack in length lies in other directions.
    beside = float(np.maximum(0, 1 - (stored**2).sum(axis=1)).mean())
    floor = max(SHRINKAGE * (float(variances.sum()) + beside) / len(variances), 1e-9)
    gains, gain, mean = 1 / np.sqrt(variances + floor), float(1 / np.sqrt(floor)), mean @ turned
    return KnownSpace(
        np.asarray(projection @ turned, np.float32, order="F"),
        np.asarray(mean, np.float32),
        np.asarray(gains, np.float32),
        gain,
        _placed(known @ turned, mean, gains, gain),
        _placed(negatives @ turned, mean, gains, gain),
        detector,
        temperature,
        usual,
    )


def _placed(within: np.ndarray, mean: np.ndarray, gains: np.ndarray, gain: float) -> np.ndarray:
    """Items as `KnownSpace.place` has them, from what of their unit vectors lies in its axes."""
    own = (within - mean) * gains
    beside = gain**2 * np.maximum(0, 1 - (within**2).sum(axis=1, keepdims=True))
    length = np.sqrt((own**2).sum(axis=1, keepdims=True) + beside)
    return np.asarray(own / np.maximum(length, 1e-12), np.float32)


def _score(
    detector: OodDetector | None, temperature: float, logits: np.ndarray, embeddings: np.ndarray
) -> np.ndarray:
    if detector is None:
        return energy(logits, temperature)
    return np.asarray(detector.score(logits, embeddings))


def _stored(detector: OodDetector | None) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Projection, projected known items and negatives that come with a detector; None: none do."""
    arrays = {} if detector is None else detector.arrays
    for prefix in ("known.", "neighbors.", ""):
        projection = arrays.get(f"{prefix}projection")
        references = arrays.get(f"{prefix}references")
        if projection is not None and references is not None:
            none = np.empty((0, references.shape[1]), np.float32)
            return projection, references, arrays.get(f"{prefix}negatives", none)
    return None


def _of_golden(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of unit embeddings of golden inputs, without negatives."""
    _, _, axes = np.linalg.svd(directions, full_matrices=False)
    return axes.T, directions @ axes.T, np.empty((0, len(axes)))
