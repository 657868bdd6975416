"""What a model gets right and wrong, in numbers and pictures."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    confusion_matrix,
    precision_recall_fscore_support,
)

from train.intervals import wilson


def measure(classes: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> dict:
    """Figures of a model on labeled photos.

    Args:
        classes: int [photos], the true class of each.
        probabilities: float [photos, classes].
        labels: name of each class.

    Returns a JSON-ready dict: images, accuracy with its Wilson 95 % interval (0 to 1), per class
    precision, recall, both with such intervals, F1 and images, and the confusion matrix (rows true,
    columns predicted).
    """
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == classes).sum())
    low, high = wilson(right, len(classes))
    each = precision_recall_fscore_support(
        classes, predicted, labels=range(len(labels)), zero_division=0
    )
    confusion = confusion_matrix(classes, predicted, labels=range(len(labels)))
    answered = confusion.sum(axis=0)
    per_class = {}
    for place, (label, *values) in enumerate(zip(labels, *each, strict=True)):
        precision, recall, f1, images = values
        found = int(confusion[place, place])
        precision_interval = wilson(found, int(answered[place]))
        recall_interval = wilson(found, int(images))
        per_class[label] = {
            "precision": float(precision),
            "precision_low": precision_interval[0],
            "precision_high": precision_interval[1],
            "recall": float(recall),
            "recall_low": recall_interval[0],
            "recall_high": recall_interval[1],
            "f1": float(f1),
            "images": int(images),
        }
    return {
        "images": len(classes),
        "accuracy": right / len(classes),
        "accuracy_low": low,
        "accuracy_high": high,
        "per_class": per_class,
        "confusion": confusion.tolist(),
    }


def plot_confusion(figures: dict, labels: Sequence[str], path: Path) -> None:
    """Draw the confusion matrix of `measure` as a PNG."""
    figure, axes = plt.subplots(figsize=(8, 7), layout="constrained")
    display = ConfusionMatrixDisplay(np.asarray(figures["confusion"]), display_labels=labels)
    display.plot(ax=axes, cmap="Greens", colorbar=False, xticks_rotation=45)
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_parse_math(False)  # a label may hold dollar signs
    axes.set_title(f"{figures['images']} images, accuracy {figures['accuracy']:.1%}")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_history(history: Sequence[dict], path: Path) -> None:
    """Draw loss and accuracy over the epochs as a PNG."""
    table = pd.DataFrame(history).set_index("epoch")
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    table[["loss", "val_loss"]].plot(ax=left, title="loss")
    table[["accuracy", "val_accuracy"]].plot(ax=right, title="accuracy")
    for name, rows in table.groupby("phase", sort=False):
        for axes in (left, right):
            axes.axvspan(rows.index[0] - 0.5, rows.index[-1] + 0.5, alpha=0.05)
        left.annotate(name, (rows.index[0], left.get_ylim()[1]), va="top", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
