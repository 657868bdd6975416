"""Whether a view shows more than one item, by the model's embedding and by the item's outline.

The outline alone (`edge.belt.touching`) takes a plug on its cable for two items, and a mouse upon a
keyboard for one. A bundle may carry a direction of the embedding that tells them apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.arrays import read_arrays
from edge.errors import BadInput, one_line
from edge.inference.ood import unit

CENTER, DIRECTION, WEIGHTS = "touching.center", "touching.direction", "touching.weights"
"""Arrays in the bundle's `unknown.npz`; programs of earlier versions do not read them."""
DIMENSIONS = {CENTER: 1, DIRECTION: 1, WEIGHTS: 1}
MOST_WEIGHT = 1e4


@dataclass(frozen=True, eq=False)
class TouchingRule:
    """Scores how much an item looks like more than one.

    Attributes:
        center: float32 [features], what embeddings are measured from.
        direction: float32 [features], along which views of several items lie.
        by_embedding: weight of the embedding's place along the direction.
        by_outline: weight of the outline's score.
        intercept: added to both.
        certain: the outline's score over which it is more than one whatever the model says, so that
            the model need not be asked.
    """

    center: np.ndarray
    direction: np.ndarray
    by_embedding: float
    by_outline: float
    intercept: float
    certain: float

    def score(self, embeddings: np.ndarray, outline: float) -> float:
        """How much an item looks like more than one; over 0: more like it than not.

        Args:
            embeddings: float32 [views, features], of the views of one item; one at least.
            outline: the score of its outline (`edge.belt.touching.multi_object_score`).
        """
        along = float((unit(embeddings - self.center) @ self.direction).mean())
        return self.by_embedding * along + self.by_outline * outline + self.intercept

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What the file holds of it, by name."""
        weights = self.by_embedding, self.by_outline, self.intercept, self.certain
        return {
            CENTER: self.center,
            DIRECTION: self.direction,
            WEIGHTS: np.array(weights, np.float32),
        }


def unpack_touching(content: bytes) -> TouchingRule | None:
    """Read the rule out of the content of an `unknown.npz`; None: it holds none.

    Raises:
        BadInput: it is malformed.
    """
    try:
        arrays: Mapping[str, Any] = read_arrays(content, tuple(DIMENSIONS))
        if not arrays:
            return None
        for name, dimensions in DIMENSIONS.items():
            array = arrays[name]
            if array.ndim != dimensions or not np.isfinite(array).all():
                raise ValueError(f"{name} is malformed")
        center, direction, weights = (
            arrays[name].astype(np.float32) for name in (CENTER, DIRECTION, WEIGHTS)
        )
        if center.shape != direction.shape or not center.size:
            raise ValueError("its arrays do not fit each other")
        if weights.shape != (4,) or not (np.abs(weights) <= MOST_WEIGHT).all():
            raise ValueError(f"{WEIGHTS} is malformed")
        if min(weights[:2]) < 0:
            raise ValueError(f"{WEIGHTS}: what looks more like several must not count less")
    except (ValueError, KeyError, TypeError, MemoryError) as error:
        raise BadInput(f"not a rule for touching items ({one_line(error)})") from None
    by_embedding, by_outline, intercept, certain = map(float, weights)
    return TouchingRule(center, direction, by_embedding, by_outline, intercept, certain)
