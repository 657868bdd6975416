"""What a bundle knows, as a taught class must be set apart from it.

Two things are used of it: in which directions its known items differ from each other, and how
familiar an item is to its out-of-distribution detector. Directions in which known items differ much
say little about a new class, so they are shrunk (whitened); cosine similarity then sees what is the
item's own. A detector that brings known items, or a bundle with `known.references`, shows these
directions well; of any other bundle the golden inputs are taken, which are few.

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
    """A space of features, and what is familiar in it.

    Attributes:
        axes: float32 [features, d], orthonormal directions in which known items differ.
        mean: float32 [d], of the known items' unit embeddings in these directions.
        gains: float32 [d], by which each direction is shrunk.
        gain: of all that lies in no such direction.
        references: float32 [known items, features], unit vectors: known items as `place` has them.
        detector: the bundle's; None: the energy of the logits is taken.
        temperature: of the bundle's softmax.
        usual: mean and deviation of the detector's score of golden inputs.
    """

    axes: np.ndarray
    mean: np.ndarray
    gains: np.ndarray
    gain: float
    references: np.ndarray
    detector: OodDetector | None
    temperature: float
    usual: tuple[float, float]

    def place(self, embeddings: np.ndarray) -> np.ndarray:
        """Where items lie, float32 [n, features], unit vectors, from their embeddings."""
        directions = unit(np.asarray(embeddings, np.float32))
        within = directions @ self.axes
        own = (within - self.mean) * self.gains - within * self.gain
        return np.asarray(unit(directions * self.gain + own @ self.axes.T), np.float32)

    def familiarity(self, logits: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """How familiar items are to the bundle, float [n]: 0 is usual, in standard deviations."""
        mean, deviation = self.usual
        return (_score(self.detector, self.temperature, logits, embeddings) - mean) / deviation


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
    projection, stored = _stored(detector) or _of_golden(golden_embeddings)
    mean = stored.mean(axis=0)
    centered = stored - mean
    variances, turned = np.linalg.eigh(centered.T @ centered / len(stored))
    variances = np.maximum(variances, 0)
    # Known items are unit vectors: what they lack in length lies in other directions.
    beside = float(np.maximum(0, 1 - (stored**2).sum(axis=1)).mean())
    floor = max(SHRINKAGE * (float(variances.sum()) + beside) / len(variances), 1e-9)
    gains = 1 / np.sqrt(variances + floor)
    axes = projection @ turned
    references = unit(((centered @ turned) * gains) @ axes.T)
    return KnownSpace(
        np.asarray(axes, np.float32, order="F"),
        np.asarray(mean @ turned, np.float32),
        np.asarray(gains, np.float32),
        float(1 / np.sqrt(floor)),
        np.asarray(references, np.float32),
        detector,
        temperature,
        usual,
    )


def _score(
    detector: OodDetector | None, temperature: float, logits: np.ndarray, embeddings: np.ndarray
) -> np.ndarray:
    if detector is None:
        return energy(logits, temperature)
    return np.asarray(detector.score(logits, embeddings))


def _stored(detector: OodDetector | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Projection and projected known items that come with a detector; None: none do."""
    arrays = {} if detector is None else detector.arrays
    for prefix in ("known.", "neighbors.", ""):
        projection = arrays.get(f"{prefix}projection")
        references = arrays.get(f"{prefix}references")
        if projection is not None and references is not None:
            return projection, references
    return None


def _of_golden(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    directions = unit(np.asarray(embeddings, np.float64))
    _, _, axes = np.linalg.svd(directions, full_matrices=False)
    return axes.T, directions @ axes.T


def nearest(similarities: np.ndarray, count: int) -> np.ndarray:
    """The mean of the `count` greatest of float [n, m] along its last axis, or of all m."""
    taken = min(count, similarities.shape[1])
    return np.asarray(np.partition(similarities, -taken, axis=1)[:, -taken:].mean(axis=1))
