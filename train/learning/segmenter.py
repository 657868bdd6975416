"""A segmenter: a network that finds the item of a photo, trained without masks drawn by hand.

On a plain background an item can be segmented reliably. Pasted on many other backgrounds, such
items show what items look like there. The pretrained part stays frozen, and a small head learns
from the features of three of its stages.
"""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import cv2
import keras
import numpy as np
import tensorflow as tf

from edge.errors import BadInput
from edge.inference.preprocess import float_input
from edge.synthetic.segmentation import (
    PasteJitter,
    paste_and_mask,
    segment_item,
    segment_on_plain_background,
)
from train.augmentation.augment import any_background, expose, foreign_backgrounds
from train.learning.model import build_network
from train.learning.precision import set_policy

STAGES = ("conv2_block3_out", "conv3_block4_out", "conv4_block6_out")
WIDTHS = (48, 96, 128)
"""Channels of the head at each stage."""

BATCH = 32
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-4
UNCHANGED_SHARE = 0.1
"""Share of the pictures in which an item stays on its own background."""

FOREIGN_SHARE = 0.45
"""Share of the others that lie on another photo's background for certain; the rest on any."""

TURN_DEGREES = (180.0, 15.0, 15.0)
"""Degrees, one drawn for each item, by which it is turned at most."""

SCALES, SHIFT, SHADOW = (0.5, 1.5), 0.12, 0.6
"""As of `edge.synthetic.segmentation.PasteJitter`."""

MIN_PLAIN_PHOTOS = 20
"""Photos with a plain background that are needed to learn from."""

OnStep = Callable[[int], None]


def train_segmenter(
    pixels: np.ndarray,
    classes: np.ndarray,
    *,
    weights: str,
    steps: int,
    seed: int,
    on_step: OnStep = lambda steps: None,
) -> keras.Model:
    """Train a segmenter.

    Args:
        pixels: photos to learn from, uint8 RGB [photos, S, S, 3].
        classes: int [photos].
        weights: of the part that stays as it is, see `train.learning.model.build_network`.
        steps: batches of `BATCH` pictures.
        seed: of the pictures, and of what the head starts from.
        on_step: gets the number of steps done.

    Returns a model for `predict_masks`.

    Raises:
        BadInput: too few photos have a plain background, or the weights cannot be used.
    """
    set_policy("float32", seed)
    backbone, head = _build(pixels.shape[1], weights)
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps), weight_decay=WEIGHT_DECAY
    )

    @tf.function
    def step(images: tf.Tensor, shares: tf.Tensor) -> None:
        features = backbone(images, training=False)
        with tf.GradientTape() as tape:
            loss = _loss(shares, head(features, training=True)[..., 0])
        gradients = tape.gradient(loss, head.trainable_variables)
        optimizer.apply_gradients(zip(gradients, head.trainable_variables, strict=True))

    pictures = _pictures(pixels, classes, head.output_shape[1], seed)
    for done in range(steps):
        images, shares = next(pictures)
        step(tf.constant(float_input(images)), tf.constant(shares))
        on_step(done + 1)
    pictures.close()
    return keras.Model(backbone.input, head(backbone.outputs))


def predict_masks(segmenter: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Predict the probability that each place is item, averaged over a photo and its mirror image.

    Args:
        segmenter: the model of `train_segmenter`.
        pixels: photos, uint8 RGB [photos, S, S, 3].

    Returns:
        Probabilities float32 [photos, s, s], 0 to 1.
    """

    @tf.function(reduce_retracing=True)
    def asked(images: tf.Tensor) -> tf.Tensor:
        straight = segmenter(images, training=False)
        mirrored = segmenter(images[:, :, ::-1], training=False)[:, :, ::-1]
        return tf.sigmoid((straight + mirrored) / 2)[..., 0]

    batches = range(0, len(pixels), BATCH)
    answers = (asked(tf.constant(float_input(pixels[at : at + BATCH]))) for at in batches)
    return np.concatenate([answer.numpy() for answer in answers])


def _build(size: int, weights: str) -> tuple[keras.Model, keras.Model]:
    """The pretrained part, images -> three stages, and the head, -> logits [s, s, 1]."""
    network = build_network(2, size, weights).model
    features = [network.get_layer(stage).output for stage in STAGES]
    backbone = keras.Model(network.input, features)
    backbone.trainable = False
    layers = keras.layers
    inputs = [keras.Input(each.shape[1:]) for each in features]
    merged = None
    for given, width in zip(inputs[::-1], WIDTHS[::-1], strict=True):
        own = layers.Conv2D(width, 1)(layers.BatchNormalization(momentum=0.9)(given))
        if merged is not None:
            larger = layers.Resizing(*given.shape[1:3])(layers.Conv2D(width, 1)(merged))
            own = layers.Add()([own, larger])
        merged = layers.Conv2D(width, 3, padding="same", activation="relu")(layers.ReLU()(own))
    return backbone, keras.Model(inputs, layers.Conv2D(1, 1, name="item")(merged))


def _loss(shares: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy and Dice loss (Milletari, Navab, Ahmadi, "V-Net", 3DV 2016), added up."""
    entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(shares, logits))
    predicted = tf.sigmoid(logits)
    common = 2 * tf.reduce_sum(predicted * shares, (1, 2)) + 1
    return entropy + 1 - tf.reduce_mean(common / (tf.reduce_sum(predicted + shares, (1, 2)) + 1))


def _pictures(
    pixels: np.ndarray, classes: np.ndarray, side: int, seed: int
) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
    """Batches of pictures, uint8 RGB [B, S, S, 3], and the share of item, float32 [B, s, s]."""
    with ThreadPoolExecutor() as pool:
        certain = list(pool.map(segment_on_plain_background, pixels))
        masks = list(
            pool.map(
                lambda photo, mask: segment_item(photo) if mask is None else mask, pixels, certain
            )
        )
        known = np.array([place for place, mask in enumerate(certain) if mask is not None], int)
        if len(known) < MIN_PLAIN_PHOTOS:
            raise BadInput(
                f"{len(known)} photos to train on show their item on a plain background; "
                f"{MIN_PLAIN_PHOTOS} are needed to learn to segment the others"
            )
        foreign_background = foreign_backgrounds(pixels, masks, classes)
        chance = _chance(classes[known])

        def picture(number: int) -> tuple[np.ndarray, np.ndarray]:
            rng = np.random.default_rng((seed, number))
            photo = int(rng.choice(known, p=chance))
            image, mask = pixels[photo], certain[photo]
            assert mask is not None  # `known` holds only such photos
            if rng.random() < 0.5:
                image, mask = (np.ascontiguousarray(each[:, ::-1]) for each in (image, mask))
            share = mask.astype(np.float32) / 255
            if rng.random() >= UNCHANGED_SHARE:
                lent = foreign_background(photo, rng) if rng.random() < FOREIGN_SHARE else None
                if lent is None:
                    size = image.shape[0]
                    lent = any_background(rng, size, lambda: foreign_background(photo, rng))
                jitter = PasteJitter(float(rng.choice(TURN_DEGREES)), SCALES, SHIFT, SHADOW)
                image, share = paste_and_mask(image, mask, lent, rng, jitter)
            small = cv2.resize(share, (side, side), interpolation=cv2.INTER_AREA)
            return expose(image, rng), small

        def submit_batch(batch: int) -> list:
            return [pool.submit(picture, batch * BATCH + place) for place in range(BATCH)]

        ahead = submit_batch(0)
        for batch in count(1):
            made, ahead = [each.result() for each in ahead], submit_batch(batch)
            yield np.stack([image for image, _ in made]), np.stack([share for _, share in made])


def _chance(classes: np.ndarray) -> np.ndarray:
    """How often each photo is drawn, float [photos]: a class by the root of its photos' number."""
    _, which, counts = np.unique(classes, return_inverse=True, return_counts=True)
    chance = 1 / np.sqrt(counts[which])
    return chance / chance.sum()
