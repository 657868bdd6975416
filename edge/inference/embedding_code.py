"""A short code of an embedding, by which look-alikes are found among the records.

The codes of one bundle compare with each other. Those of two bundles do not.
"""

from functools import lru_cache

import numpy as np

CODE_SIZE = 64
"""Numbers of a code, one byte each."""
_SEED = 20261130


def embedding_code(embedding: np.ndarray) -> bytes:
    """Return the code of an embedding; empty: it has no direction.

    A projection on random signs keeps the angle between two embeddings, with a standard deviation
    of its cosine of about 1 / 8 for what is unlike and less for what is alike. Source: Achlioptas,
    Database-friendly random projections, PODS 2001.

    Args:
        embedding: float [features].
    """
    with np.errstate(invalid="ignore", over="ignore"):
        placed = embedding.astype(np.float32) @ _signs(len(embedding))
        largest = float(np.abs(placed).max(initial=0.0))
    if not 0 < largest < np.inf:  # NaN too
        return b""
    return np.rint(placed * (127 / largest)).astype(np.int8).tobytes()


@lru_cache(maxsize=2)
def _signs(features: int) -> np.ndarray:
    """Return float32 [features, CODE_SIZE] of -1 and 1, always the same."""
    # RandomState gives the same numbers in every version of NumPy.
    drawn = np.random.RandomState(_SEED).bytes(features * CODE_SIZE // 8)
    bits = np.unpackbits(np.frombuffer(drawn, np.uint8)).reshape(features, CODE_SIZE)
    return bits.astype(np.float32) * 2 - 1
