"""Training past one device: on all GPUs of a machine, or on several machines at once.

Every replica holds the same weights and sees its share of each batch; gradients are summed over all
of them (`tf.distribute`). Keras' own `fit` fails under a MultiWorkerMirroredStrategy (it feeds
per-replica values to a symbolic build), so the steps are taken here.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import BaseModel, Field, ValidationError

from edge.errors import BadInput
from train.learning.precision import on_gpu
from train.learning.recipe import Distribute

TF_CONFIG = "TF_CONFIG"
"""TensorFlow's environment variable: {"cluster": {"worker": ["host:port", ...]},
"task": {"type": "worker", "index": 0}}, the same cluster on each machine, its own index."""


@dataclass(frozen=True)
class TrainingWorker:
    """One of the processes that train together.

    Attributes:
        rank: counted from 0; worker 0 alone writes the run.
        count: of all of them.
    """

    rank: int = 0
    count: int = 1


class _Cluster(BaseModel):
    worker: list[str] = Field(min_length=1)


class _Task(BaseModel):
    type: Literal["worker"]
    index: int = Field(ge=0)


class _Config(BaseModel):
    cluster: _Cluster
    task: _Task


def find_worker(distribute: Distribute | None, environment: Mapping[str, str]) -> TrainingWorker:
    """Which worker this process is.

    Raises:
        BadInput: "multiworker" without a usable TF_CONFIG.
    """
    if distribute != "multiworker":
        return TrainingWorker()
    hint = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    if not environment.get(TF_CONFIG):
        raise BadInput(f"--distribute multiworker: set {TF_CONFIG} on each machine to {hint}")
    try:
        config = _Config.model_validate_json(environment[TF_CONFIG])
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise BadInput(
            f"{TF_CONFIG}: {where or 'not JSON'}: {problem['msg']}; expected {hint}"
        ) from None
    worker = TrainingWorker(config.task.index, len(config.cluster.worker))
    if worker.rank >= worker.count:
        raise BadInput(f"{TF_CONFIG}: task.index is {worker.rank} of {worker.count} workers")
    return worker


def open_strategy(distribute: Distribute | None) -> tf.distribute.Strategy | None:
    """Join the others; None for a training on one device. Before anything else of TensorFlow.

    Waits until all workers are there.

    Raises:
        BadInput: as of `find_worker`.
    """
    if distribute is None:
        return None
    find_worker(distribute, os.environ)
    if distribute == "mirrored":
        return tf.distribute.MirroredStrategy()
    return tf.distribute.MultiWorkerMirroredStrategy()


class Replicas:
    """Copies of a part of the network and its optimizer, one a replica, that learn together."""

    def __init__(self, part: keras.Model, strategy: tf.distribute.Strategy) -> None:
        """`part` is compiled and its optimizer built; it holds the weights between epochs."""
        self._part, self._strategy = part, strategy
        with strategy.scope():
            self._twin = keras.models.clone_model(part)
            self._optimizer = type(part.optimizer).from_config(part.optimizer.get_config())
            self._optimizer.build(self._twin.trainable_variables)
        self._gradients = tf.function(self._differentiate, jit_compile=on_gpu())
        self._step = tf.function(self._everywhere, reduce_retracing=True)

    def epoch(
        self,
        batches: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
        on_step: Callable[[int], None],
    ) -> dict[str, float]:
        """Take a step for each batch (inputs, targets, weights) and leave the part where it led.

        A batch too small to give each replica a photo is left out. `on_step` gets the number of
        batches done. Returns the mean loss and accuracy over the photos.
        """
        self._hand_over(self._part, self._twin, self._part.optimizer, self._optimizer)
        # Machines of different kinds may have come to slightly different weights before.
        self._agree(self._twin.weights)
        replicas = self._strategy.num_replicas_in_sync
        loss = right = photos = 0.0
        for done, batch in enumerate(batches, start=1):
            count = len(batch[0])
            if count >= replicas:
                shared = (self._shared(values) for values in batch)
                mean, hits = self._step(*shared, tf.constant(count, tf.float32))
                photos += count
                loss, right = loss + float(mean) * count, right + float(hits)
            on_step(done)
        self._agree(self._statistics())
        self._hand_over(self._twin, self._part, self._optimizer, self._part.optimizer)
        return {"loss": loss / photos, "accuracy": right / photos}

    def agreed(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The mean over the replicas, so that all decide the same by them."""
        values = self._mean(tf.constant(list(figures.values()), tf.float64))
        return dict(zip(figures, np.asarray(values).tolist(), strict=True))

    def _shared(self, values: np.ndarray) -> tf.Tensor | tf.distribute.DistributedValues:
        replicas = self._strategy.num_replicas_in_sync
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(values[context.replica_id_in_sync_group :: replicas])
        )

    def _everywhere(self, *batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_replicas = self._strategy.run(self._learn, args=batch)
        return tuple(self._strategy.reduce("SUM", each, axis=None) for each in of_replicas)

    def _learn(self, *batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        loss, right, gradients = self._gradients(*batch)
        self._optimizer.apply(gradients, self._twin.trainable_variables)
        return loss, right

    def _differentiate(
        self, inputs: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """One replica's share of the loss of a batch of `count`, what it got right, gradients."""
        with tf.GradientTape() as tape:
            answers = self._twin(inputs, training=True)
            losses = keras.losses.categorical_crossentropy(targets, answers)
            loss = tf.reduce_sum(losses * weights) / count
            scaled = self._optimizer.scale_loss(loss)
        hits = tf.equal(tf.argmax(answers, axis=1), tf.argmax(targets, axis=1))
        gradients = tape.gradient(scaled, self._twin.trainable_variables)
        return loss, tf.reduce_sum(tf.cast(hits, tf.float32)), gradients

    def _statistics(self) -> list[keras.Variable]:
        """What each replica's batch normalization has seen of its own photos only."""
        return [
            variable
            for layer in self._twin.layers
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
            for variable in (layer.moving_mean, layer.moving_variance)
        ]

    def _agree(self, variables: Iterable[keras.Variable]) -> None:
        with self._strategy.scope():
            for variable in variables:
                variable.assign(self._mean(variable.value))

    def _mean(self, value: tf.Tensor) -> tf.Tensor:
        def everywhere() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.identity(value))

        averaged = tf.function(lambda: self._strategy.run(everywhere))()
        return self._strategy.experimental_local_results(averaged)[0]

    def _hand_over(
        self,
        source: keras.Model,
        target: keras.Model,
        source_optimizer: keras.Optimizer,
        target_optimizer: keras.Optimizer,
    ) -> None:
        pairs = [
            *zip(source.variables, target.variables, strict=True),
            *zip(source_optimizer.variables, target_optimizer.variables, strict=True),
        ]
        with self._strategy.scope():
            for given, taken in pairs:
                taken.assign(given.numpy())
