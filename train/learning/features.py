"""Cache the frozen part's features of augmented views of the photos on disk."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from edge.files import sync_folder
from edge.inference.preprocess import float_input
from train.augmentation.augment import Augmenter

CACHING_BATCH = 32

Take = Callable[[np.ndarray, int], np.ndarray]
"""(photos int [B], pass) -> what is known of them in that pass, float32 [B, ...]."""

LEAST_BATCHES, SMALLEST_BATCH = 10, 16
"""Batches of an epoch, at least, and the photos of each: the schedule and the averaging of the
weights need their steps, however few photos there are."""


class Batches(keras.utils.PyDataset):
    """The batches of one epoch: inputs float32 [B, ...], targets float32 [B, classes], weights [B].

    Very few photos are passed over several times, each time in other views, so that an epoch has
    `LEAST_BATCHES`. Which photos meet in which batch depends on the seed and the epoch only.
    """

    def __init__(
        self,
        take: Take,
        rows: np.ndarray,
        *,
        targets: np.ndarray,
        weights: np.ndarray,
        batch: int,
        seed: int,
        epoch: int,
        mixup: float = 0.0,
        teach: Take | None = None,
    ) -> None:
        """`take` gives float32 [B, ...] of photos in an epoch.

        Args:
            take: (photos int [B], pass) -> float32 [B, ...].
            rows: int [n], the photos of this training.
            targets: float32 [all photos, classes].
            weights: float32 [all photos], of the loss.
            batch: photos a step.
            seed: of the order and of what is mixed.
            epoch: counted from 0.
            mixup: alpha; 0 mixes none.
            teach: the embeddings that a teacher gives of the same views, float32 [B, features]; the
                targets and the weights are then pairs, of the classes and of the embeddings.
        """
        super().__init__(workers=1, use_multiprocessing=False)
        self._take, self._targets, self._weights = take, targets, weights
        self._batch, self._seed, self._epoch, self._mixup = batch, seed, epoch, mixup
        self._teach = teach
        self._of_a_pass = -(-len(rows) // batch)
        passes = passes_of_an_epoch(len(rows), batch)
        self._passes = [epoch * passes + number for number in range(passes)]
        self._orders = [
            np.random.default_rng((seed, number)).permutation(rows) for number in self._passes
        ]

    def __len__(self) -> int:
        return self._of_a_pass * len(self._passes)

    def __getitem__(self, index: int) -> tuple:
        # Sorted within the batch: neighboring reads are kinder to a cache larger than the memory.
        turn, place = divmod(index, self._of_a_pass)
        order, number = self._orders[turn], self._passes[turn]
        chosen = np.sort(order[place * self._batch : (place + 1) * self._batch])
        inputs, targets = self._take(chosen, number), self._targets[chosen]
        classes = targets.shape[1]
        if self._teach:
            targets = np.hstack([targets, self._teach(chosen, number)])
        if self._mixup:
            rng = np.random.default_rng((self._seed, self._epoch, index))
            inputs, targets = mixed(inputs, targets, self._mixup, rng)
        weights = self._weights[chosen]
        if not self._teach:
            return inputs, targets, weights
        pair = targets[:, :classes], targets[:, classes:]
        return inputs, pair, (weights, np.ones_like(weights))


def batch_size(photos: int, most: int) -> int:
    """How many photos a step takes: `most`, or less where there are few (`LEAST_BATCHES`)."""
    return min(most, max(SMALLEST_BATCH, photos // LEAST_BATCHES))


def passes_of_an_epoch(photos: int, batch: int) -> int:
    """How often an epoch passes over the photos."""
    return -(-LEAST_BATCHES // -(-photos // batch))


def mixed(
    inputs: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror half of the features, then mix each photo's with another's, and their targets too.

    The larger share stays with the photo. A mirrored feature map stands for a mirrored photo.
    Otherwise the network memorizes the few cached views. Source: Verma et al., "Manifold mixup:
    better representations by interpolating hidden states", ICML 2019.

    Args:
        inputs: float32 [B, h, w, c].
        targets: float32 [B, classes].
        alpha: of the Beta distribution of the share.
        rng: draws mirrors, partners and shares.
    """
    count = len(inputs)
    mirrored = rng.random(count) < 0.5
    inputs[mirrored] = inputs[mirrored][:, :, ::-1]
    share = rng.beta(alpha, alpha, count).astype(np.float32)
    share = np.maximum(share, 1 - share)
    partner = rng.permutation(count)
    wide = share[:, np.newaxis, np.newaxis, np.newaxis]
    inputs = wide * inputs + (1 - wide) * inputs[partner]
    targets = share[:, np.newaxis] * targets + (1 - share[:, np.newaxis]) * targets[partner]
    return inputs, targets


def from_cache(caches: Sequence[np.ndarray], rows: np.ndarray) -> Take:
    """For `Batches`: features of the photos `rows` from one cache per view.

    In each pass every photo shows another of its views than in the pass before, and all views are
    shown by some photo: passes of one view each would pull the weights to and fro.
    """
    places = np.full(rows.max() + 1, -1)
    places[rows] = np.arange(len(rows))

    def take(chosen: np.ndarray, epoch: int) -> np.ndarray:
        views = (epoch + chosen) % len(caches)
        features = np.empty((len(chosen), *caches[0].shape[1:]), np.float32)
        for view in np.unique(views):
            shown = views == view
            features[shown] = _rows(caches[view], places[chosen[shown]])
        return features

    return take


def _rows(cache: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Some rows of a cache, float32. A file is mapped for this call only: what was read of it would
    count as memory of the process, gigabytes in the end.
    """
    if isinstance(cache, np.memmap) and cache.filename is not None:
        cache = np.load(cache.filename, mmap_mode="r")
    return cache[places].astype(np.float32)


def from_photos(augmenter: Augmenter) -> Take:
    """For `Batches`: newly augmented photos (`RGB - 117`), for a network without a frozen part."""
    return lambda chosen, epoch: float_input(views_of(augmenter, chosen, epoch + 1))


def features_of(frozen: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """For `cache_features`: uint8 RGB [n, S, S, 3] -> what the frozen part makes of them."""
    return lambda pixels: np.asarray(frozen.predict_on_batch(float_input(pixels)))


def cache_features(
    compute: Callable[[np.ndarray], np.ndarray],
    augmenter: Augmenter,
    *,
    rows: np.ndarray,
    view: int,
    path: Path,
    on_step: Callable[[int], None],
    rank: int = 0,
) -> np.ndarray:
    """Compute the features of one view of the photos `rows`, unless `path` holds them already.

    The features are kept as float16 in the file `path` (half the disk; the features of ResNet50's
    stages are far inside its range) and read from there batch by batch. It is written under another
    name first, so that a killed run never leaves half of one.

    Args:
        compute: uint8 RGB [n, S, S, 3] -> float [n, ...]: the frozen part, or a teacher.
        augmenter: makes the views.
        rows: int [n], the photos.
        view: which view of them.
        path: the file.
        on_step: gets the number of pictures just done.
        rank: tells apart the workers that may write the same file.

    Returns float16 [rows, ...].

    Raises:
        OSError: the file cannot be written; nothing is left behind.
    """
    if path.exists():
        on_step(len(rows))
        return np.load(path, mmap_mode="r")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{rank}.partial")
    first = views_of(augmenter, rows[:1], view)
    shape = (len(rows), *compute(first).shape[1:])
    try:
        # Written, not mapped: a full disk is then an error to report, not a dead process.
        with partial.open("wb") as file:
            described = {"descr": "<f2", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(file, described)
            for start in range(0, len(rows), CACHING_BATCH):
                chosen = rows[start : start + CACHING_BATCH]
                features = compute(views_of(augmenter, chosen, view))
                file.write(features.astype("<f2").tobytes())
                on_step(len(chosen))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
    return np.load(path, mmap_mode="r")


def views_of(augmenter: Augmenter, photos: np.ndarray, view: int) -> np.ndarray:
    """One view of each of the photos: uint8 RGB [photos, S, S, 3]."""
    return np.stack([augmenter(int(photo), view) for photo in photos])
