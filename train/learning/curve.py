"""How accuracy grows with the number of photos, and what twice as many would bring."""

import json
import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from edge.errors import BadInput
from edge.files import write_whole
from train.data.dataset import Dataset
from train.evaluation.metrics import measure
from train.learning.features import CACHING_BATCH, features_of
from train.learning.fit import Material, OnStep, fit
from train.learning.job import FEATURES, Job, build, described, material_of, read
from train.learning.model import Network, before_boundary, in_float32
from train.learning.precision import choose_policy, set_policy
from train.learning.probe import fit_head
from train.learning.recipe import LAST_FROZEN
from train.learning.training import probabilities_of
from train.progress import bars

log = logging.getLogger(__name__)

RESULT, PLOT = "learning_curve.json", "learning_curve.png"


def learning_curve(job: Job, counts: Sequence[int], out: Path) -> dict:
    """Train on so many photos of each class in turn, and judge each model on val.

    The photos of a smaller number are among those of a larger one. The test split is not looked at.
    The epoch of each model is chosen on the same val photos, so every accuracy is a little too
    high; what they differ by is not. A call that was killed goes on where it ended.

    Args:
        job: what to train, and how.
        counts: numbers of photos of a class; a class with fewer gives all it has.
        out: folder for `learning_curve.json` and `learning_curve.png`.

    Returns what `learning_curve.json` holds: a row for each number (`photos` of a class, `images`
    to train on, `accuracy` with its interval, `recall` of each class, and `probe`, the accuracy of
    a logistic regression on the pretrained features of the same photos), the accuracy to expect of
    twice as many photos (`twice_as_many`, as of `extrapolated_accuracy`), and the classes, the one
    first that the last step helped most (`helped`).

    Raises:
        BadInput: the data or the weights cannot be used, or `out` holds a curve of another job.
        EwasteError: something cannot be written; `out` stays good to be continued.
    """
    set_policy(policy := choose_policy(job.precision), job.recipe.seed)
    dataset = read(job)
    asked = described(job, dataset, build(job, dataset.labels), policy)
    largest = int(np.bincount(dataset.train.classes).max())
    counts = sorted({min(count, largest) for count in counts})
    out.mkdir(parents=True, exist_ok=True)
    rows = _begun(out, asked)
    material = material_of(job, dataset, out)
    pooled = pooled_features(build(job, dataset.labels), dataset)
    with bars() as on_step:
        for count in counts:
            if any(row["photos"] == count for row in rows):
                continue
            row = _row(job, count, dataset=dataset, material=material, out=out, on_step=on_step)
            train = first_of_each(material.classes, material.train, count, job.recipe.seed)
            probe = probe_accuracy(pooled, material.classes, train, material.val, job.recipe.seed)
            rows.append({**row, "probe": probe})
            _log(rows[-1])
            rows.sort(key=lambda row: row["photos"])
            _write(out, asked, rows)
    shutil.rmtree(out / FEATURES, ignore_errors=True)
    return _write(out, asked, rows)


def _row(
    job: Job, count: int, *, dataset: Dataset, material: Material, out: Path, on_step: OnStep
) -> dict:
    """Train on `count` photos of each class and judge on val."""
    keras.utils.set_random_seed(job.recipe.seed)
    network = build(job, dataset.labels)
    train = first_of_each(material.classes, material.train, count, job.recipe.seed)
    folder = out / f"photos-{count}"
    fit(network, replace(material, train=train), recipe=job.recipe, out=folder, on_step=on_step)
    model = in_float32(network.model, job.dropout)
    probabilities = probabilities_of(model, dataset.val.pixels)
    figures = measure(dataset.val.classes, probabilities, dataset.labels)
    shutil.rmtree(folder)
    return {
        "photos": count,
        "images": int((material.classes[train] >= 0).sum()),
        **{name: figures[name] for name in ("accuracy", "accuracy_low", "accuracy_high")},
        "recall": {label: each["recall"] for label, each in figures["per_class"].items()},
    }


def _log(row: dict) -> None:
    probe = "" if row["probe"] is None else f"; logistic regression {row['probe']:.1%}"
    log.info(
        f"{row['photos']} photos of a class: accuracy {row['accuracy']:.1%} "
        f"({row['accuracy_low']:.1%} to {row['accuracy_high']:.1%}) on val{probe}"
    )


def pooled_features(network: Network, dataset: Dataset) -> np.ndarray | None:
    """What the pretrained part makes of the photos of train and val, averaged over each map.

    Returns float32 [photos, features]; None for a network that is not pretrained.
    """
    if not network.pretrained:
        return None
    frozen = features_of(before_boundary(network.model, LAST_FROZEN))
    pixels = np.concatenate([dataset.train.pixels, dataset.val.pixels])
    return np.concatenate(
        [
            frozen(pixels[start : start + CACHING_BATCH]).mean(axis=(1, 2))
            for start in range(0, len(pixels), CACHING_BATCH)
        ]
    )


def probe_accuracy(
    pooled: np.ndarray | None, classes: np.ndarray, train: np.ndarray, val: np.ndarray, seed: int
) -> float | None:
    """The accuracy on `val` of a logistic regression on the features of the photos in `train`.

    Args:
        pooled: float32 [photos, features]; None: there are none.
        classes: int [photos or more], negative without a label.
        train: int, which of the photos to learn from; those without a label do not count.
        val: int, which of the photos to judge on.
        seed: of the folds by which its strength is chosen.
    """
    if pooled is None:
        return None
    train = train[classes[train] >= 0]
    count = int(classes[train].max()) + 1
    kernel, bias = fit_head(pooled[train], classes[train], groups=train, count=count, seed=seed)
    return float(((pooled[val] @ kernel + bias).argmax(axis=1) == classes[val]).mean())


def first_of_each(classes: np.ndarray, train: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose `count` photos of each class, and all without a label, sorted.

    Fewer are always among more.

    Args:
        classes: int [photos], negative without a label.
        train: int, which of the photos may be chosen.
        count: photos of a class; a class with fewer gives all.
        seed: of the choice.
    """
    chosen = [train[classes[train] < 0]]
    for each in np.unique(classes[train]):
        if each >= 0:
            order = np.random.default_rng((seed, int(each))).permutation(
                train[classes[train] == each]
            )
            chosen.append(order[:count])
    return np.sort(np.concatenate(chosen))


def extrapolated_accuracy(rows: Sequence[Mapping[str, float]]) -> float | None:
    """The accuracy to expect of twice as many photos as in the last row.

    The error falls as a power of the number of photos (Hestness et al., "Deep learning scaling is
    predictable, empirically", 2017), whose exponent the last two rows give.

    Args:
        rows: by number of `images`, each with its `accuracy`.

    Returns:
        0 to 1; None with fewer than two rows, or if the last one was no better than the one before.
    """
    if len(rows) < 2:
        return None
    before, last = 1 - rows[-2]["accuracy"], 1 - rows[-1]["accuracy"]
    more = rows[-1]["images"] / rows[-2]["images"]
    if not 0 < last < before or more <= 1:
        return None
    exponent = math.log(before / last) / math.log(more)
    return float(1 - last * 2**-exponent)


def helped_most(rows: Sequence[Mapping]) -> list[str]:
    """The classes whose recall the last step raised, most first."""
    if len(rows) < 2:
        return []
    before, last = rows[-2]["recall"], rows[-1]["recall"]
    gains = {label: last[label] - before[label] for label in last}
    return sorted((label for label in gains if gains[label] > 0), key=lambda each: -gains[each])


def _begun(out: Path, asked: dict) -> list[dict]:
    """The rows that an earlier call left.

    Raises:
        BadInput: they are of another job.
    """
    path = out / RESULT
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text())
        begun, rows = found["job"], found["rows"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"{path}: not a learning curve; choose another --out") from None
    asked = json.loads(json.dumps(asked))
    if differing := sorted(name for name in asked if asked[name] != begun.get(name)):
        raise BadInput(
            f"{out}: holds a curve with another {', '.join(differing)}; choose another --out"
        )
    return rows


def _write(out: Path, asked: dict, rows: list[dict]) -> dict:
    result = {
        "rows": rows,
        "twice_as_many": extrapolated_accuracy(rows),
        "helped": helped_most(rows),
        "job": asked,
    }
    write_whole(out / RESULT, (json.dumps(result, indent=2) + "\n").encode())
    _plot(rows, out / PLOT)
    return result


def _plot(rows: Sequence[dict], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    photos = [row["photos"] for row in rows]
    accuracy = np.array([row["accuracy"] for row in rows])
    low, high = (np.array([row[f"accuracy_{end}"] for row in rows]) for end in ("low", "high"))
    axes.plot(photos, 100 * accuracy, "o-", label="training")
    if all(row["probe"] is not None for row in rows):
        probe = [100 * row["probe"] for row in rows]
        axes.plot(photos, probe, "s--", label="logistic regression")
        axes.legend()
    axes.vlines(photos, 100 * low, 100 * high, alpha=0.5)
    axes.set(xscale="log", xlabel="photos of each class", ylabel="right on val, %")
    axes.set_xticks(photos, [str(each) for each in photos])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)
