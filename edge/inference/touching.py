"""Whether a view shows more than one item, by the model's embedding and by the item's outline.

The outline alone (`edge.belt.touching`) takes a plug on its cable for two items, and a mouse upon a
keyboard for one. A bundle may carry a direction of the embedding that tells them apart.
"""

from dataclasses import dataclass

import numpy as np

from edge.arrays import read_arrays
from edge.errors import BadInput, one_line
from edge.inference.ood import unit

CENTER, DIRECTION, WEIGHTS = "touching.center", "touching.direction", "touching.weights"
"""Arrays in the bundle's `unknown.npz`; programs of earlier versions do not read them."""
NAMES = (CENTER, DIRECTION, WEIGHTS)
LARGEST = 1e4
"""Of any number in these arrays."""
MOST_CERTAIN = 20.0
"""An outline that scores more is that of several items, whatever a bundle says."""


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

    def shows_several(self, embeddings: np.ndarray, outline: float) -> bool:
        """Whether an item looks like more than one; also where the score is no number.

        The arguments are those of `score`.
        """
        return not self.score(embeddings, outline) <= 0

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
        arrays = read_arrays(content, NAMES)
        if not arrays:
            return None
        for name, array in arrays.items():
            # What is too large for 32 bits becomes infinite, and is refused as that.
            with np.errstate(over="ignore", invalid="ignore"):
                arrays[name] = array.astype(np.float32)
            if array.ndim != 1 or not (np.abs(arrays[name]) <= LARGEST).all():
                raise ValueError(f"{name} is malformed")
        center, direction, weights = (arrays[name] for name in NAMES)
        if center.shape != direction.shape or not center.size:
            raise ValueError("its arrays do not fit each other")
        if weights.shape != (4,) or weights[0] < 0 or weights[1] <= 0:
            raise ValueError(f"{WEIGHTS} is malformed")
        if not 0 <= weights[3] <= MOST_CERTAIN:
            raise ValueError(f"{WEIGHTS}: certain is out of its range")
    except (ValueError, KeyError, TypeError, MemoryError) as error:
        raise BadInput(f"not a rule for touching items ({one_line(error)})") from None
    by_embedding, by_outline, intercept, certain = map(float, weights)
    return TouchingRule(center, direction, by_embedding, by_outline, intercept, certain)
