"""Preprocessing as an affine map of the channels, so that it can be merged into a convolution."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.inference.preprocess import INPUT_OFFSET

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
"""The constants of `keras.applications.imagenet_utils.preprocess_input`."""


@dataclass(frozen=True, eq=False)
class Affine:
    """The map `pixel @ matrix + offset` of the channels of a picture.

    Attributes:
        matrix: float64 [3, channels].
        offset: float64 [channels].
    """

    matrix: np.ndarray
    offset: np.ndarray

    def scaled(self, factor: np.ndarray) -> "Affine":
        """Multiply the result; `factor` is one number or one for each channel."""
        return Affine(self.matrix * factor, self.offset * factor)

    def shifted(self, by: np.ndarray) -> "Affine":
        """Add to the result; `by` is one number or one for each channel."""
        return Affine(self.matrix, self.offset + by)

    def channels(self, chosen: Sequence[int]) -> "Affine":
        """Only these channels of the result, in this order."""
        return Affine(self.matrix[:, list(chosen)], self.offset[list(chosen)])

    def after_shift(self, by: float) -> "Affine":
        """The same map for a picture that `by` was subtracted from."""
        return self.shifted(by * self.matrix.sum(axis=0))

    @property
    def keeps_zero(self) -> bool:
        """Whether a black picture stays black, so that zeros may be padded before or after."""
        return not self.offset.any()

    def merge(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Merge the map into the convolution that reads its result, computed in float64.

        Args:
            kernel: [height, width, channels, filters].
            bias: [filters].

        Returns:
            The kernel, [height, width, 3, filters], and the bias of a convolution of the picture.
        """
        merged = np.einsum("ik,hwko->hwio", self.matrix, kernel.astype(np.float64))
        added = np.einsum("hwko,k->o", kernel.astype(np.float64), self.offset)
        return merged, bias.astype(np.float64) + added


def preprocessing_map(mode: str) -> Affine:
    """The preprocessing `mode` as a map of `RGB - 117`, the form of the device's input."""
    rgb = Affine(np.eye(3), np.zeros(3))
    of_rgb = {
        "caffe": rgb.channels((2, 1, 0)).shifted(-np.array(CAFFE_MEAN_BGR)),
        "torch": rgb.scaled(np.array(1 / 255))
        .shifted(-np.array(IMAGENET_MEAN))
        .scaled(1 / np.array(IMAGENET_STD)),
        "tf": rgb.scaled(np.array(1 / 127.5)).shifted(np.array(-1.0)),
        "unit": rgb.scaled(np.array(1 / 255)),
        "raw": rgb,
    }
    return of_rgb[mode].after_shift(INPUT_OFFSET)


PREPROCESSINGS = ("caffe", "torch", "tf", "unit", "raw")
"""Names of the ways to preprocess: three of `keras.applications`, division by 255, and none."""
