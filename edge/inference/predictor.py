"""The seam between the classifier and what computes it: one model that a runtime has loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Tensor:
    """What a model takes or gives.

    Attributes:
        shape: with the batch in front.
        kind: numpy's name of its type.
        scale: value of a step, of a quantized tensor; else 0.
        zero_point: the stored number that stands for 0, of a quantized tensor.
        is_dynamic: whether its shape depends on what the model is given.
    """

    shape: tuple[int, ...]
    kind: str
    scale: float = 0.0
    zero_point: float = 0.0
    is_dynamic: bool = False


class Predictor(Protocol):
    """A loaded model of one input. Not safe to share between threads."""

    @property
    def runtime(self) -> str:
        """Name of the runtime, as in `edge.inference.backend.RUNTIMES`."""

    @property
    def input(self) -> Tensor:
        """What it takes."""

    @property
    def outputs(self) -> Mapping[str, Tensor]:
        """What it gives, by the names of its signature."""

    def run(self, batch: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Compute the outputs `names`, each without its batch, as the model stores them.

        Args:
            batch: of the shape and the type of `input`.
            names: some of `outputs`.

        Returns:
            Copies, which the next run leaves alone.
        """
