"""The frozen part's output for several varied copies of every photo, computed once, on disk."""

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from edge.preprocess import float_input
from train.augment import augment
from train.dataset import Split

BATCH = 32


class ShuffledBatches(keras.utils.PyDataset):
    """Batches (inputs float32 [B, ...], classes int64 [B]), each sample once an epoch.

    The order depends on the seed and the epoch only.
    """

    def __init__(
        self,
        classes: np.ndarray,
        batch: int,
        seed: int,
        take: Callable[[np.ndarray, int], np.ndarray],
    ) -> None:
        """`take` gives the inputs of the chosen samples, int [B], in an epoch, counted from 0."""
        super().__init__(workers=1, use_multiprocessing=False)
        self._classes, self._batch, self._seed, self._take = classes, batch, seed, take
        self._epoch = 0
        self._order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        rng = np.random.default_rng((self._seed, self._epoch))
        return rng.permutation(len(self._classes))

    def __len__(self) -> int:
        return -(-len(self._classes) // self._batch)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        # Sorted within the batch: neighbouring reads are kinder to a cache larger than the memory.
        chosen = np.sort(self._order[index * self._batch : (index + 1) * self._batch])
        return self._take(chosen, self._epoch), self._classes[chosen]

    def on_epoch_end(self) -> None:
        """Shuffle anew."""
        self._epoch += 1
        self._order = self._shuffled()


def cached_batches(
    features: np.ndarray, classes: np.ndarray, batch: int, seed: int
) -> ShuffledBatches:
    """Batches out of a cache on disk, float [samples, h, w, c]."""
    return ShuffledBatches(
        classes, batch, seed, lambda chosen, epoch: features[chosen].astype(np.float32)
    )


def photo_batches(split: Split, batch: int, seed: int) -> ShuffledBatches:
    """Batches of freshly varied photos (`RGB - 117`), for a network without a frozen part."""

    def take(chosen: np.ndarray, epoch: int) -> np.ndarray:
        pixels = [
            augment(split.pixels[index], np.random.default_rng((seed, epoch, int(index))))
            for index in chosen
        ]
        return float_input(np.stack(pixels))

    return ShuffledBatches(split.classes, batch, seed, take)


def varied_batches(
    split: Split, copies: int, seed: int, batch: int = BATCH
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (pixels uint8 [B, S, S, 3], classes) of `copies` varied copies of every photo.

    With `copies` 0 the photos come once, unchanged. Copy k of photo n depends on the seed, k and n
    alone.
    """
    for copy in range(max(1, copies)):
        for start in range(0, len(split.classes), batch):
            chosen = range(start, min(start + batch, len(split.classes)))
            pixels = [
                augment(split.pixels[index], np.random.default_rng((seed, copy, index)))
                if copies
                else split.pixels[index]
                for index in chosen
            ]
            yield np.stack(pixels), split.classes[start : start + batch]


def cache_features(
    frozen: keras.Model,
    split: Split,
    copies: int,
    seed: int,
    path: Path,
    advanced: Callable[[int], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Run the frozen part over varied copies of the photos (0: once, unchanged).

    The features are kept as float16 in the file `path` (half the disk; the features of ResNet50's
    stages are far inside its range) and read from there batch by batch. `advanced` gets the number
    of pictures just done.

    Returns features float16 [photos * max(1, copies), h, w, c] and classes int64.
    """
    total = len(split.classes) * max(1, copies)
    shape = (total, *frozen.output_shape[1:])
    features = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    classes = np.empty(total, dtype=np.int64)
    done = 0
    for pixels, of_batch in varied_batches(split, copies, seed):
        count = len(of_batch)
        features[done : done + count] = frozen.predict_on_batch(float_input(pixels))
        classes[done : done + count] = of_batch
        done += count
        advanced(count)
    features.flush()
    return features, classes
