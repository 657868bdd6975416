"""The head as a logistic regression on the embedding, before and after the training.

With few photos a random head throws away what the pretrained stages know, and the few steps of a
short training do not find it again.
"""

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from train.learning.features import Take

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the regularization that are compared."""
FOLDS = 4
MOST_COMPARED = 1500
"""Views by which the strength is chosen, at most."""
ITERATIONS = 300
SETTLING_BATCHES, SETTLING_BATCH = 8, 128


def settle_normalization(
    part: keras.Model, take: Take, photos: np.ndarray, new_layers: tuple[str, ...], seed: int
) -> None:
    """Give new batch normalization the mean and variance of what comes to it now.

    Otherwise it passes on unscaled features until its moving averages have followed.

    Args:
        part: the part of the network that learns.
        take: its inputs.
        photos: int [n], those to train on.
        new_layers: names of the layers without pretrained weights.
        seed: of the choice of photos.
    """
    layers = [
        layer
        for layer in part.layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.name in new_layers
    ]
    momenta = [layer.momentum for layer in layers]
    rng = np.random.default_rng(seed)
    for turn in range(SETTLING_BATCHES):
        for layer in layers:
            layer.momentum = turn / (turn + 1)  # the mean over all batches
        chosen = rng.choice(photos, min(SETTLING_BATCH, len(photos)), replace=False)
        part(take(np.sort(chosen), turn), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def fit_head(
    embeddings: np.ndarray, classes: np.ndarray, groups: np.ndarray, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a linear head by regularized logistic regression, its strength by cross-validation.

    Args:
        embeddings: float [views, features].
        classes: int [views], each of the `count` classes at least once.
        groups: int [views], the photo that each is of; no photo is on both sides of a fold.
        count: of the classes.
        seed: of the folds and of the views by which the strength is chosen.

    Returns kernel float32 [features, count] and bias float32 [count].
    """
    rng = np.random.default_rng(seed)
    center, scale = embeddings.mean(axis=0), max(float(embeddings.std()), 1e-6)
    scaled = (embeddings - center) / scale
    compared = rng.permutation(len(scaled))[:MOST_COMPARED]
    strength = _strength(scaled[compared], classes[compared], groups[compared], seed)
    head = _regression(strength).fit(scaled, classes)
    kernel, bias = head.coef_.T, head.intercept_
    if count == 2:
        kernel, bias = np.hstack([-kernel, kernel]) / 2, np.hstack([-bias, bias]) / 2
    kernel = kernel / scale
    return kernel.astype(np.float32), (bias - center @ kernel).astype(np.float32)


def _strength(scaled: np.ndarray, classes: np.ndarray, groups: np.ndarray, seed: int) -> float:
    """The strength with the least mean log loss over photos that were not seen."""
    least = min(len(np.unique(groups[classes == each])) for each in np.unique(classes))
    if least < 2:
        return STRENGTHS[len(STRENGTHS) // 2]
    losses = np.zeros(len(STRENGTHS))
    folds = StratifiedGroupKFold(min(FOLDS, least), shuffle=True, random_state=seed)
    for seen, judged in folds.split(scaled, classes, groups):
        known = np.isin(classes[judged], classes[seen])
        for place, strength in enumerate(STRENGTHS):
            head = _regression(strength).fit(scaled[seen], classes[seen])
            likely = head.predict_proba(scaled[judged[known]])
            truth = np.searchsorted(head.classes_, classes[judged[known]])
            chosen = likely[np.arange(len(truth)), truth]
            losses[place] -= np.log(np.maximum(chosen, 1e-12)).sum()
    return STRENGTHS[int(np.argmin(losses))]


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=ITERATIONS, class_weight="balanced")
