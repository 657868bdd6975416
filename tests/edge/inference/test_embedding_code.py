import numpy as np
import pytest

from edge.inference.embedding_code import CODE_SIZE, embedding_code


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def numbers(code: bytes) -> np.ndarray:
    return np.frombuffer(code, np.int8).astype(float)


def test_a_code_keeps_the_angle_between_embeddings_and_not_their_length():
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(300):
        first = rng.exponential(size=2048)
        second = first + rng.uniform(0, 2) * rng.exponential(size=2048)
        codes = [numbers(embedding_code(each)) for each in (first, second)]
        errors.append(cosine(*codes) - cosine(first, second))
        assert embedding_code(first) == embedding_code(first * 7), "its length says nothing"
    assert abs(np.mean(errors)) < 0.01 and np.std(errors) < 0.05


def test_a_code_is_the_same_on_every_machine():
    code = embedding_code(np.arange(2048, dtype=np.float32))
    assert len(code) == CODE_SIZE and code.hex()[:16] == "d24d53f5c350b7fb"


@pytest.mark.parametrize("wrong", [0.0, np.nan, np.inf])
@pytest.mark.filterwarnings("error")
def test_what_has_no_direction_has_no_code(wrong):
    assert embedding_code(np.full(2048, wrong)) == b""
    assert embedding_code(np.zeros(0)) == b""
