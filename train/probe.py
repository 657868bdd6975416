"""The head's start: a linear probe on what the pretrained part gives, before anything else learns.

From random weights, the first steps of a head throw the features behind it into disorder, which few
photos cannot mend (Kumar et al., "Fine-tuning can distort pretrained features and underperform
out-of-distribution", ICLR 2022).
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from train.model import Network

SETTLING_STEPS, SETTLING_BATCH = 60, 64
EPOCHS, RATE, DECAY, BATCH = 12, 4e-3, 0.01, 64


def start_as_probe(
    network: Network,
    boundary: str,
    take: Callable[[np.ndarray, int], np.ndarray],
    copies: int,
    rows: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    seed: int,
) -> None:
    """Set the network's last layer to a linear probe; fresh normalisation settles before.

    Args:
        network: changed in place.
        boundary: the layer that gives the features.
        take: (photos int [B], copy) -> features float32 [B, h, w, c].
        copies: how many copies of each photo there are.
        rows: int, the photos to learn from.
        targets: float32 [all photos, classes].
        weights: float32 [all photos], of the loss.
        seed: of the order.
    """
    given, wanted = (network.model.get_layer(name).output for name in (boundary, "embedding"))
    embedding = keras.Model(given, wanted)
    rng = np.random.default_rng(seed)
    settle = tf.function(lambda batch: embedding(batch, training=True))
    for step in range(SETTLING_STEPS):
        chosen = rng.choice(rows, min(SETTLING_BATCH, len(rows)), replace=False)
        settle(tf.constant(take(np.sort(chosen), step)))
    embeddings = np.concatenate(
        [
            np.asarray(embedding.predict_on_batch(take(rows[start : start + SETTLING_BATCH], copy)))
            for copy in range(copies)
            for start in range(0, len(rows), SETTLING_BATCH)
        ]
    )
    # One scale for all features: each its own would blow up those that hardly vary.
    centre = embeddings.mean(axis=0)
    scale = float(np.sqrt(embeddings.var(axis=0).mean())) + 1e-6
    kernel, bias = _probe(
        (embeddings - centre) / scale,
        np.tile(targets[rows], (copies, 1)),
        np.tile(weights[rows], copies),
        seed,
    )
    kernel = kernel / scale
    network.model.get_layer("logits").set_weights([kernel, bias - centre @ kernel])


def _probe(
    embeddings: np.ndarray, targets: np.ndarray, weights: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A softmax regression: kernel float32 [features, classes] and bias [classes]."""
    head = keras.Sequential(
        [
            keras.Input((embeddings.shape[1],)),
            keras.layers.Dropout(0.4, seed=seed, dtype="float32"),
            keras.layers.Dense(targets.shape[1], dtype="float32", kernel_initializer="zeros"),
        ]
    )
    schedule = keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * -(-len(targets) // BATCH))
    head.compile(
        keras.optimizers.AdamW(schedule, weight_decay=DECAY),
        keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    for epoch in range(EPOCHS):
        order = np.random.default_rng((seed, epoch)).permutation(len(targets))
        head.fit(
            embeddings[order],
            targets[order],
            sample_weight=weights[order],
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
        )
    return tuple(np.asarray(each) for each in head.layers[-1].get_weights())
