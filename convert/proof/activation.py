"""Whether the quantized model looks where the float model looks."""

from dataclasses import dataclass

import numpy as np

from convert.proof.parity import ModelOutputs

LEAST_CORRELATION = 0.9
"""A map whose median correlation with Keras' is less would mislead: the bundle declares none."""


@dataclass(frozen=True)
class MapParity:
    """How like Keras' activation maps those of a quantized model are.

    Attributes:
        height, width: places of a map.
        images: number of images whose maps vary, so that they correlate.
        median: Pearson's correlation over the places, for the class that Keras sees; -1 to 1.
        low: the tenth percentile of it.
    """

    height: int
    width: int
    images: int
    median: float
    low: float

    @property
    def holds(self) -> bool:
        """Whether the map may be shown."""
        return self.median >= LEAST_CORRELATION


def compare_maps(keras: ModelOutputs, quantized: ModelOutputs) -> MapParity | None:
    """Compare the activation maps for the same images.

    Returns:
        The comparison; None if a model has no map, or none of them varies.
    """
    if keras.maps is None or quantized.maps is None:
        return None
    chosen = np.arange(len(keras.top)), keras.top
    # [n, h, w, classes] -> [n, places] of the class that Keras sees.
    before, after = (
        np.moveaxis(maps, 3, 1)[chosen].reshape(len(keras.top), -1).astype(np.float64)
        for maps in (keras.maps, quantized.maps)
    )
    found = _correlations(before, after)
    if not len(found):
        return None
    return MapParity(
        height=keras.maps.shape[1],
        width=keras.maps.shape[2],
        images=len(found),
        median=float(np.median(found)),
        low=float(np.percentile(found, 10)),
    )


def _correlations(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each row of [n, places] whose values vary in `before`.

    A row that varies there and not in `after` has none: 0.
    """
    before = before - before.mean(axis=1, keepdims=True)
    after = after - after.mean(axis=1, keepdims=True)
    varies = before.any(axis=1)
    before, after = before[varies], after[varies]
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    products = (before * after).sum(axis=1)
    return np.clip(
        np.divide(products, lengths, out=np.zeros(len(before)), where=lengths > 0), -1, 1
    )
