import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.inference.embedding_code import CODE_SIZE
from edge.records.grouping import group_around, most_diverse, units

DEGREES = np.pi / 180


def at(*degrees: float) -> np.ndarray:
    """Vectors of length 1 at these angles."""
    angles = np.array(degrees) * DEGREES
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_a_group_is_tight_and_the_most_alike_come_first():
    least = float(np.cos(25 * DEGREES))
    placed = at(0, 20, 5, 90, -20, 24)
    assert group_around(placed, least, most=6) == [0, 2, 1, 5], "-20 is like the first, not like 20"
    assert group_around(placed, least, most=3) == [0, 2, 1]
    assert group_around(at(0), least) == [0] == group_around(at(0, 180), least)


def test_the_few_for_training_are_the_first_and_those_most_unlike():
    placed = at(0, 1, 2, 30, 31, 60)
    assert most_diverse(placed, 3) == [0, 5, 3]
    assert most_diverse(placed[:2], 3) == [0, 1] and most_diverse(placed[:1], 3) == [0]


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=30))
def test_any_bytes_are_grouped(codes):
    placed = units(codes)
    group = group_around(placed, 0.9, most=16)
    assert group[0] == 0 and len(set(group)) == len(group) <= 16
    pairs = placed[group] @ placed[group].T
    assert len(group) == 1 or pairs.min() >= 0.9 - 1e-5
    chosen = most_diverse(placed[group], 3)
    assert len(set(chosen)) == min(3, len(group))


def test_what_is_no_code_is_like_nothing():
    code = bytes(range(CODE_SIZE))
    assert group_around(units([b"", b"", code])) == [0]
    assert group_around(units([code, b"short", bytes(CODE_SIZE), code])) == [0, 3]
