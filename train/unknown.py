"""Scores that tell a known item from a thing of no known class; greater is more known."""

import numpy as np
from sklearn.metrics import roc_auc_score

from edge.classifier import softmax


def max_softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    """The confidence: largest probability of float [n, classes], as float [n], 0 to 1.

    Source: Hendrycks, Gimpel, "A baseline for detecting misclassified and out-of-distribution
    examples in neural networks", ICLR 2017.
    """
    return softmax(logits, temperature).max(axis=1)


def energy(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Negative free energy T log sum exp(logits / T) of float [n, classes], as float [n].

    Source: Liu, Wang, Owens, Li, "Energy-based out-of-distribution detection", NeurIPS 2020.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    top = scaled.max(axis=1)
    return temperature * (top + np.log(np.exp(scaled - top[:, np.newaxis]).sum(axis=1)))


def neighbourhood(embeddings: np.ndarray, reference: np.ndarray, neighbours: int = 5) -> np.ndarray:
    """Mean cosine similarity to the nearest of some known items, float [n], -1 to 1.

    Args:
        embeddings: float [n, features].
        reference: float [known items, features], such as those of the training photos.
        neighbours: how many of the nearest count.

    Source: Sun, Ming, Zhu, Li, "Out-of-distribution detection with deep nearest neighbors", ICML
    2022, with the mean over the neighbours instead of the last one.
    """
    similarity = _unit(embeddings) @ _unit(reference).T
    nearest = min(neighbours, reference.shape[0])
    return np.sort(similarity, axis=1)[:, -nearest:].mean(axis=1)


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Chance, 0 to 1, that a known item scores above an unknown thing; ties count half."""
    truth = np.concatenate([np.ones(len(known)), np.zeros(len(unknown))])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


def threshold_keeping(known: np.ndarray, share: float = 0.95) -> float:
    """The greatest threshold that at least `share` of the known items reach."""
    kept = int(np.ceil(share * len(known) - 1e-9))
    return float(np.sort(known)[len(known) - kept])


def rejection(known: np.ndarray, unknown: np.ndarray) -> dict:
    """Figures of one score: `auroc`, and `accepted_at_95`.

    The latter is the share of unknown things at or above the `threshold` that keeps 95 % of the
    known items.
    """
    threshold = threshold_keeping(known)
    return {
        "auroc": auroc(known, unknown),
        "threshold": threshold,
        "accepted_at_95": float((unknown >= threshold).mean()),
    }


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)
