"""The phases of training: the new layers on frozen features, then more stages as well."""

import csv
import io
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edge.calibration.temperature import calibrated_loss
from edge.files import write_whole
from edge.inference.preprocess import float_input
from train.augmentation.augment import Augmenter
from train.data.balance import balanced_indices
from train.learning.checkpoint import load_checkpoint, save_checkpoint
from train.learning.convolution import quicken_gradients
from train.learning.distribute import Replicas, TrainingWorker
from train.learning.earlier_names import EARLIER_PHASE_NAMES
from train.learning.features import (
    Batches,
    Take,
    batch_size,
    cache_features,
    features_of,
    from_cache,
    from_photos,
    passes_of_an_epoch,
    views_of,
)
from train.learning.model import (
    Network,
    before_boundary,
    behind_boundary,
    set_trainable,
    with_teacher_output,
)
from train.learning.probe import fit_head, settle_normalization
from train.learning.recipe import HEAD, Phase, Recipe, plan_phases
from train.learning.teacher import Teacher, centered_unit

log = logging.getLogger(__name__)

UNLABELED, NEGATIVE = -1, -2
"""Classes of photos that bear no label, and of those that show something of no known class."""

IMBALANCE, WEIGHT_CAP = 1.5, 10.0
VALIDATION_BATCH = 32
TEACHER_CACHE, VAL = "teacher", "val"
MOST_AT_START, MOST_AT_END = 6000, 16000
"""Views by which the head is fitted before and after the training, at most."""
MEAN_SAMPLE = 256
"""Views from which the mean of a teacher's embeddings is taken where they are not cached."""
CHECKPOINT, HISTORY, TENSORBOARD = "checkpoint.npz", "history.csv", "tensorboard"

OnStep = Callable[[str, int, int], None]
"""Gets what is going on, how many steps of it are done, and of how many."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Material:
    """The photos of a training.

    Attributes:
        classes: int [photos]; `UNLABELED` and `NEGATIVE` besides those of the labels.
        train, val: int, which of the photos to train on and to choose the best epoch by.
        augmenter: makes the augmented views of a photo.
        cache: folder for the features; those that lie there already are used.
        augmented, judged: int, the photos whose augmented views are cached to train on, and those
            cached to judge by: all of `train` and of `val`, or more, where several trainings share
            the cache.
        worker: who makes the features; several workers share them out among themselves.
        teacher: whose embedding of each view is learned besides the labels; None: no one's.
    """

    classes: np.ndarray
    train: np.ndarray
    val: np.ndarray
    augmenter: Augmenter
    cache: Path
    augmented: np.ndarray
    judged: np.ndarray
    worker: TrainingWorker = field(default_factory=TrainingWorker)
    teacher: Teacher | None = None


@dataclass(frozen=True)
class _Sources:
    """Where the batches of a phase come from.

    Attributes:
        take: the inputs of photos.
        teach: the teacher's embeddings of the same views; None without a teacher.
        validation: inputs of the validation photos, once as they are and once as an augmented view.
        classes: of the validation photos.
    """

    take: Take
    teach: Take | None
    validation: tuple[np.ndarray, np.ndarray]
    classes: np.ndarray


def class_weights(classes: np.ndarray) -> dict[int, float] | None:
    """Weights of the loss that make rare classes count as much as the common ones.

    Inverse to the number of photos, at most WEIGHT_CAP times that of the commonest class, and 1 on
    the average over the photos. None where the classes are about even (IMBALANCE).

    Args:
        classes: int [photos], each class at least once.
    """
    counts = np.bincount(classes)
    if counts.max() <= IMBALANCE * counts.min():
        return None
    weights = np.minimum(counts.max() / counts, WEIGHT_CAP)
    weights *= len(classes) / (weights * counts).sum()
    return {number: float(weight) for number, weight in enumerate(weights)}


def targets_of(classes: np.ndarray, count: int, smoothing: float) -> np.ndarray:
    """What the probabilities of photos should be: float32 [photos, count].

    A known class with `smoothing` spread over all; every class alike for a negative, so that the
    network is not sure of it (Hendrycks, Mazeika, Dietterich, "Deep anomaly detection with outlier
    exposure", ICLR 2019), and for an unlabeled photo, whose weight is 0.

    Args:
        classes: int [photos], 0 to count - 1, `UNLABELED` or `NEGATIVE`.
        count: of the known classes.
        smoothing: share of the label that is spread, 0 to 1.
    """
    targets = np.full((len(classes), count), 1 / count, np.float32)
    known = np.flatnonzero(classes >= 0)
    targets[known] = smoothing / count
    targets[known, classes[known]] += 1 - smoothing
    return targets


def sample_weights(classes: np.ndarray, train: np.ndarray, negative: float) -> np.ndarray:
    """Weights of the label's loss, float32 [photos]: `class_weights`, 0 for an unlabeled photo.

    Args:
        classes: int [photos], as of `Material`.
        train: int, the photos to train on.
        negative: weight of a negative.
    """
    weights = class_weights(classes[train][classes[train] >= 0]) or {}
    of_class = {**weights, UNLABELED: 0.0, NEGATIVE: negative}
    return np.array([of_class.get(int(each), 1.0) for each in classes], np.float32)


class KnownAccuracy(keras.metrics.CategoricalAccuracy):
    """The accuracy over the photos of known classes: those whose target has a largest class."""

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> None:
        """Count a batch; weights do not matter."""
        largest = keras.ops.max(y_true, axis=-1)
        known = largest > keras.ops.min(y_true, axis=-1) + 1e-6
        super().update_state(y_true, y_pred, keras.ops.cast(known, "float32"))


def fit(
    network: Network,
    material: Material,
    *,
    recipe: Recipe,
    out: Path,
    on_step: OnStep,
    strategy: tf.distribute.Strategy | None = None,
) -> tuple[list[Row], dict[str, float]]:
    """Train `network` in place and leave it at its best epoch (least validation loss).

    After each epoch `out` holds `history.csv`, events for TensorBoard and a checkpoint, from which
    a later call with the same arguments goes on; its result is the same as without interruption.
    With a `strategy` its replicas learn together, and only worker 0 writes; all must see `out`.

    Returns one row per epoch (phase, epoch, loss, accuracy, val_loss, val_accuracy, seconds), and
    the seconds of each part of the work.

    Raises:
        OSError: something cannot be written; the last checkpoint stays good.
    """
    out.mkdir(parents=True, exist_ok=True)
    loaded = load_checkpoint(out / CHECKPOINT)
    new: dict[str, Any] = {
        "phase": 0,
        "epoch": 0,
        "history": [],
        "least": None,
        "seconds_caching": 0.0,
    }
    arrays, state = loaded or ({}, new)
    for row in state["history"]:  # of a run begun by an earlier version
        row["phase"] = EARLIER_PHASE_NAMES.get(row["phase"], row["phase"])
    writer = None
    if material.worker.rank == 0:
        writer = tf.summary.create_file_writer(str(out / TENSORBOARD))
    for number, phase in enumerate(plan_phases(recipe, network)):
        if number < state["phase"]:
            continue
        part = behind_boundary(network.model, phase.boundary)
        set_trainable(network, part, phase.unfrozen)
        quicken_gradients(part)
        started = time.monotonic()
        sources = _sources(network, phase, material, recipe, on_step)
        # A later phase goes on with what the first one learned.
        starts = number == 0 and not arrays and phase.boundary and HEAD in network.new_layers
        if starts:
            _start_as_probe(network, part, phase, sources=sources, material=material, recipe=recipe)
        state["seconds_caching"] += time.monotonic() - started
        student = part
        if material.teacher:
            features = material.teacher.features
            student = with_teacher_output(network.model, phase.boundary, features)
        trainer = _Trainer(
            part,
            student,
            phase,
            sources=sources,
            material=material,
            recipe=recipe,
            strategy=strategy,
        )
        if arrays:
            trainer.restore(arrays)
        elif starts:
            state["least"] = trainer.judge()[0]  # what is kept is no worse than the start
        arrays = {}
        while not trainer.done(state):
            _train_epoch(trainer, state, on_step)
            if material.worker.rank == 0:
                _write_history(out, state["history"], writer)
                save_checkpoint(out / CHECKPOINT, trainer.arrays(), state)
        trainer.leave_at_best()
        # A regression knows no negatives: it would forget that the network is unsure of them.
        negatives = np.any(material.classes[material.train] == NEGATIVE)
        if phase.boundary and HEAD in network.new_layers and not negatives:
            _refit_head(network, trainer, take=sources.take, material=material, recipe=recipe)
        state = {**state, "phase": number + 1, "epoch": 0}
    return state["history"], _seconds(state)


def _start_as_probe(
    network: Network,
    part: keras.Model,
    phase: Phase,
    *,
    sources: _Sources,
    material: Material,
    recipe: Recipe,
) -> None:
    """Set the head to what separates the classes best before anything else has learned."""
    settle_normalization(part, sources.take, material.train, network.new_layers, recipe.seed)
    head = _regressed_head(
        network, phase, take=sources.take, material=material, recipe=recipe, most=MOST_AT_START
    )
    network.model.get_layer(HEAD).set_weights(head)


def _refit_head(
    network: Network,
    trainer: "_Trainer",
    *,
    take: Take,
    material: Material,
    recipe: Recipe,
) -> None:
    """Set the head to what separates the classes best by what was learned, if val agrees.

    In training the head was pulled by dropout, by negatives, and by weights that still changed.
    """
    head = network.model.get_layer(HEAD)
    learned, before = head.get_weights(), trainer.judge()[0]
    head.set_weights(
        _regressed_head(
            network,
            trainer.phase,
            take=take,
            material=material,
            recipe=recipe,
            most=MOST_AT_END,
        )
    )
    after = trainer.judge()[0]
    kept = after < before
    log.info(
        f"head fitted anew: val loss {after:.3f} instead of {before:.3f}, "
        f"{'kept' if kept else 'not kept'}"
    )
    if not kept:
        head.set_weights(learned)


def _regressed_head(
    network: Network,
    phase: Phase,
    *,
    take: Take,
    material: Material,
    recipe: Recipe,
    most: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a logistic regression on the embeddings of at most `most` views."""
    assert phase.boundary is not None
    first = network.model.get_layer(phase.boundary).output
    embed = keras.Model(first, network.model.get_layer("embedding").output)
    labeled = material.train[material.classes[material.train] >= 0]
    labeled = labeled[balanced_indices(material.classes[labeled], most)]
    views = max(1, min(recipe.views + 1, most // len(labeled)))
    embeddings = [
        np.asarray(embed.predict_on_batch(take(labeled[start : start + 64], view)))
        for view in range(views)
        for start in range(0, len(labeled), 64)
    ]
    return fit_head(
        np.concatenate(embeddings),
        np.tile(material.classes[labeled], views),
        groups=np.tile(labeled, views),
        count=network.model.output_shape[-1],
        seed=recipe.seed,
    )


class _Trainer:
    """One phase: the part of the network that learns, its optimizer, its best weights so far."""

    def __init__(
        self,
        part: keras.Model,
        student: keras.Model,
        phase: Phase,
        *,
        sources: _Sources,
        material: Material,
        recipe: Recipe,
        strategy: tf.distribute.Strategy | None,
    ) -> None:
        """`student` is what learns: the part itself, or with it a map to the teacher's embedding.

        Both share their layers.
        """
        self.part, self.student, self.phase, self.recipe = part, student, phase, recipe
        self._sources, self._rows = sources, material.train
        self._batch = batch_size(len(self._rows), recipe.batch)
        classes = part.output_shape[-1]
        self._targets = targets_of(material.classes, classes, recipe.label_smoothing)
        self._weights = sample_weights(material.classes, material.train, recipe.negative_weight)
        self._compile()
        self._replicas = Replicas(part, strategy) if strategy else None
        self._best = [np.array(each) for each in part.get_weights()]

    def _compile(self) -> None:
        of_a_pass = -(-len(self._rows) // self._batch)
        passes = passes_of_an_epoch(len(self._rows), self._batch)
        steps = self.phase.epochs * passes * of_a_pass
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps, warmup_target=self.phase.learning_rate, warmup_steps=max(1, steps // 20)
        )
        average = self.recipe.ema > 0
        optimizer = keras.optimizers.Adam(
            schedule, use_ema=average, ema_momentum=self.recipe.ema if average else 0.99
        )
        losses = [keras.losses.CategoricalCrossentropy()]
        metrics = [[KnownAccuracy(name="accuracy")]]
        weights = [1.0]
        if self.student is not self.part:
            losses.append(keras.losses.CosineSimilarity())
            metrics.append([])
            weights.append(self.recipe.distillation)
        self.student.compile(optimizer, losses, metrics=metrics, loss_weights=weights)
        # In float16, Keras wraps the optimizer in one that scales the loss.
        self._optimizer = self.student.optimizer
        self._optimizer.build(self.student.trainable_variables)

    def epoch(self, epoch: int, on_step: OnStep) -> dict[str, float]:
        """Learn for one epoch, then judge the averaged weights on the validation photos."""
        batches = Batches(
            self._sources.take,
            self._rows,
            targets=self._targets,
            weights=self._weights,
            batch=self._batch,
            seed=self.recipe.seed,
            epoch=epoch,
            mixup=self.recipe.mixup if self.phase.boundary else 0.0,
            teach=self._sources.teach,
        )
        what = f"{self.phase.name}, epoch {epoch + 1}"
        if self._replicas:
            figures = self._replicas.epoch(
                (batches[index] for index in range(len(batches))),
                lambda done: on_step(what, done, len(batches)),
            )
        else:
            steps = _Steps(what, on_step)
            fitted = self.student.fit(batches, verbose=0, shuffle=False, callbacks=[steps]).history
            figures = {"loss": fitted["loss"][-1]}
            figures["accuracy"] = next(
                values[-1] for name, values in fitted.items() if name.endswith("accuracy")
            )
        with self._averaged():
            figures["val_loss"], figures["val_accuracy"] = self.judge()
        return self._replicas.agreed(figures) if self._replicas else figures

    def judge(self) -> tuple[float, float]:
        """Loss of the weights as they are on the validation photos, and accuracy.

        The loss, by which the best epoch is chosen, is that over the photos as they are and over an
        augmented view of each: a network that reads the background has a small one on the first.
        It is taken at the best temperature, since smoothed labels and negatives make a network less
        sure than it is right, and `train.evaluation.calibrate` mends that afterwards. The accuracy
        is that over the photos as they are.
        """
        classes = self._sources.classes
        answers = [
            np.asarray(self.part.predict_on_batch(inputs[start : start + VALIDATION_BATCH]))
            for inputs in self._sources.validation
            for start in range(0, len(classes), VALIDATION_BATCH)
        ]
        logits = np.log(np.maximum(np.concatenate(answers), 1e-7))
        loss = calibrated_loss(logits, np.tile(classes, 2))
        return loss, float((logits[: len(classes)].argmax(axis=1) == classes).mean())

    def keep_best(self) -> None:
        """Take the averaged weights of this epoch for the best."""
        with self._averaged():
            self._best = [np.array(each) for each in self.part.get_weights()]

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The moving averages in place of the weights; without any, the weights themselves."""
        if not self.recipe.ema:
            yield
            return
        variables = self.student.trainable_variables
        trained = [np.array(variable) for variable in variables]
        self._optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, trained, strict=True):
                variable.assign(value)

    def done(self, state: dict) -> bool:
        """Whether the phase has run its epochs, or long enough without a better one."""
        rows = [row for row in state["history"] if row["phase"] == self.phase.name]
        losses = [row["val_loss"] for row in rows]
        waited = len(losses) - 1 - int(np.argmin(losses)) if losses else 0
        return state["epoch"] >= self.phase.epochs or waited >= self.recipe.patience

    def arrays(self) -> dict[str, list[np.ndarray]]:
        """All that the next epoch depends on, the states of random generators included."""
        return {
            "part": [np.array(each) for each in self.student.variables],
            "optimizer": [np.array(each) for each in self._optimizer.variables],
            "best": self._best,
        }

    def restore(self, arrays: dict[str, list[np.ndarray]]) -> None:
        """Go back to what `arrays` gave."""
        for variables, name in (
            (self.student.variables, "part"),
            (self._optimizer.variables, "optimizer"),
        ):
            for variable, value in zip(variables, arrays[name], strict=True):
                variable.assign(value)
        self._best = arrays["best"]

    def leave_at_best(self) -> None:
        """Set the network to the best epoch."""
        self.part.set_weights(self._best)


class _Steps(keras.callbacks.Callback):
    """Report each step of an epoch."""

    def __init__(self, what: str, on_step: OnStep) -> None:
        super().__init__()
        self._what, self._advanced = what, on_step

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._advanced(self._what, batch + 1, self.params["steps"])


def _train_epoch(trainer: _Trainer, state: dict, on_step: OnStep) -> None:
    """Run the next epoch and enter it into `state`."""
    started = time.monotonic()
    measured = trainer.epoch(state["epoch"], on_step)
    if state["least"] is None or measured["val_loss"] < state["least"]:
        state["least"] = measured["val_loss"]
        trainer.keep_best()
    state["epoch"] += 1
    row = {
        "phase": trainer.phase.name,
        "epoch": len(state["history"]) + 1,
        **{name: round(value, 5) for name, value in measured.items()},
        "seconds": round(time.monotonic() - started, 1),
    }
    state["history"].append(row)
    log.info(
        f"{row['phase']}, epoch {row['epoch']}: loss {row['loss']:.3f}, "
        f"accuracy {row['accuracy']:.1%}, val loss {row['val_loss']:.3f}, "
        f"val accuracy {row['val_accuracy']:.1%}, {row['seconds']} s"
    )


def _seconds(state: dict) -> dict[str, float]:
    seconds = {"features": round(state["seconds_caching"], 1)}
    for row in state["history"]:
        seconds[row["phase"]] = round(seconds.get(row["phase"], 0.0) + row["seconds"], 1)
    return seconds


def _sources(
    network: Network, phase: Phase, material: Material, recipe: Recipe, on_step: OnStep
) -> _Sources:
    classes = material.classes[material.val]
    if phase.boundary is None:
        pixels = views_of(material.augmenter, material.val, 0)
        teach = _embedded_as_needed(material) if material.teacher else None
        augmented = views_of(material.augmenter, material.val, 1)
        inputs = float_input(pixels), float_input(augmented)
        return _Sources(from_photos(material.augmenter), teach, inputs, classes)
    boundary = phase.boundary
    frozen = features_of(before_boundary(network.model, boundary))
    makers = 2 if material.teacher else 1
    views = recipe.views + 1  # the photo as it is, too
    total = 2 * len(material.judged) + makers * views * len(material.augmented)
    done = 0

    def on_step_of_all(count: int) -> None:
        nonlocal done
        done += count
        on_step(f"features for the phase {phase.name}", done, total)

    def cached(
        compute: Callable[[np.ndarray], np.ndarray], name: str, rows: np.ndarray, view: int
    ) -> np.ndarray:
        return cache_features(
            compute,
            material.augmenter,
            rows=rows,
            view=view,
            path=material.cache / name / f"{view}.npy",
            on_step=on_step_of_all,
            rank=material.worker.rank,
        )

    def of_all_views(compute: Callable[[np.ndarray], np.ndarray], name: str) -> list[np.ndarray]:
        # Each worker begins at another view, and finds those of the others when it comes to them.
        first = views * material.worker.rank // material.worker.count
        turns = [(first + turn) % views for turn in range(views)]
        caches = {view: cached(compute, name, material.augmented, view) for view in turns}
        return [caches[view] for view in sorted(caches)]

    of_val = [cached(frozen, f"{boundary}-{VAL}", material.judged, view) for view in (0, 1)]
    teach = None
    if material.teacher:
        embedded = of_all_views(material.teacher.embed, TEACHER_CACHE)
        mean = np.mean([each.mean(axis=0, dtype=np.float64) for each in embedded], axis=0)
        directions = [centered_unit(each, mean.astype(np.float32)) for each in embedded]
        teach = from_cache(directions, material.augmented)
    take = from_cache(of_all_views(frozen, boundary), material.augmented)
    plain, augmented = (from_cache([each], material.judged)(material.val, 0) for each in of_val)
    return _Sources(take, teach, (plain, augmented), classes)


def _embedded_as_needed(material: Material) -> Take:
    """The teacher's embeddings of views that are not cached; their mean is that of a sample."""
    teacher, augmenter = material.teacher, material.augmenter
    assert teacher is not None
    sample = material.train[:: -(-len(material.train) // MEAN_SAMPLE)]
    mean = teacher.embed(views_of(augmenter, sample, 1)).mean(axis=0)
    return lambda chosen, epoch: centered_unit(
        teacher.embed(views_of(augmenter, chosen, epoch + 1)), mean
    )


def _write_history(out: Path, rows: list[Row], writer: tf.summary.SummaryWriter) -> None:
    lines = io.StringIO(newline="")
    table = csv.DictWriter(lines, list(rows[-1]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_whole(out / HISTORY, lines.getvalue().encode())
    with writer.as_default(step=rows[-1]["epoch"]):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds"):
            tf.summary.scalar(name, rows[-1][name])
    writer.flush()
