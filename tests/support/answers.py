"""Answers of a model that knows how sure it may be, drawn at random."""

import numpy as np

from edge.calibration.answers import Answers, LabeledAnswers
from edge.inference.classifier import softmax


def drawn_answers(
    seed: int, count: int, sharpness: float = 1.0, spread: float = 3.0
) -> LabeledAnswers:
    """Items whose class is drawn with the probabilities that their logits / sharpness say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (count, 3))
    chances = softmax(logits)
    classes = np.array([rng.choice(3, p=each / each.sum()) for each in chances.astype(float)])
    return LabeledAnswers(Answers(logits * sharpness, np.zeros((count, 4))), classes)
