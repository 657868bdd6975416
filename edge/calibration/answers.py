"""The answers of a model to some pictures, and what was on these."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answers:
    """Answers of a model to some pictures.

    Attributes:
        logits: float32 [n, classes].
        embeddings: float32 [n, features], the input of the last layer.
        maps: float32 [n, h, w, classes], activation maps; None where nobody asked for them, or the
            model has none.
    """

    logits: np.ndarray
    embeddings: np.ndarray
    maps: np.ndarray | None = None

    def chosen(self, which: np.ndarray) -> "Answers":
        """The answers to some of the pictures, without maps.

        Args:
            which: bool [n], or int [any], which ones.
        """
        return Answers(self.logits[which], self.embeddings[which])


@dataclass(frozen=True)
class LabeledAnswers:
    """Answers to known items under one condition, such as on a belt, and their classes, int."""

    answers: Answers
    classes: np.ndarray

    def chosen(self, which: np.ndarray) -> "LabeledAnswers":
        """The answers to some of the items; `which` as of `Answers.chosen`."""
        return LabeledAnswers(self.answers.chosen(which), self.classes[which])


def pooled_answers(answers: Sequence[Answers]) -> Answers:
    """Several answers as one, without maps."""
    return Answers(
        np.concatenate([each.logits for each in answers]),
        np.concatenate([each.embeddings for each in answers]),
    )


def pool(views: Iterable[LabeledAnswers]) -> LabeledAnswers:
    """Several views as one."""
    views = list(views)
    return LabeledAnswers(
        pooled_answers([each.answers for each in views]),
        np.concatenate([each.classes for each in views]),
    )
