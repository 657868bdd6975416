import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import BadInput
from edge.inference.ood import (
    OodDetector,
    OodRule,
    energy,
    mahalanobis,
    neighbors,
    pack_detector,
    unpack_detector,
)

RNG = np.random.default_rng(0)
ARRAYS = {
    "energy": {"temperature": np.float32(1.5)},
    "mahalanobis": {"projection": RNG.normal(size=(32, 6)), "centers": RNG.normal(size=(3, 6))},
    "neighbors": {
        "projection": np.linalg.qr(RNG.normal(size=(32, 8)))[0],
        "references": RNG.normal(size=(40, 8)),
    },
}


def test_energy_is_that_of_the_paper():
    logits = np.array([[1.0, 2.0, 3.0]])
    assert energy(logits, 2.0) == pytest.approx(2 * np.log(np.exp(logits / 2).sum()))
    assert np.isfinite(energy(logits * 1e4, 1.0)).all()


def test_neighbors_counts_the_nearest_and_no_lengths():
    every = references = np.eye(12, 12)
    near = neighbors(np.array([[3.0, *[0] * 11], [1.0] * 12]), references, every)
    assert near == pytest.approx([1 / 5, 1 / np.sqrt(12)])
    assert neighbors(np.eye(1, 12), references[:1], None) == pytest.approx([1.0])


def test_neighbors_finds_nothing_similar_outside_the_known_directions():
    known, strange = np.eye(2, 12), np.eye(12)[11:]
    half = known[:1] + strange
    scores = neighbors(np.concatenate([known[:1], half, strange]), np.eye(1, 2), known.T)
    assert scores == pytest.approx([1, 1 / np.sqrt(2), 0])


def test_mahalanobis_is_the_distance_to_the_nearest_class():
    projection, centers = np.eye(2, 2), np.array([[1.0, 0.0], [0.0, 1.0]])
    assert mahalanobis(np.array([[5.0, 0.0], [-1.0, 0.0]]), projection, centers) == pytest.approx(
        [0.0, -2.0]
    )


@pytest.mark.parametrize("score", ARRAYS)
def test_a_detector_is_stored_in_a_few_bytes_and_scores_the_same(score):
    rule = OodRule(score=score, threshold=0.3)
    detector = OodDetector(rule, ARRAYS[score])
    packed = pack_detector(detector)
    assert packed == pack_detector(detector)
    read = unpack_detector(packed, rule, classes=3)
    logits, embeddings = RNG.normal(size=(50, 3)), RNG.normal(size=(50, 32))
    expected = detector.score(logits, embeddings)
    # Sixteen bits move a score by less than a hundredth of what items differ by.
    assert np.abs(read.score(logits, embeddings) - expected).max() < 0.01 * np.ptp(expected)


def test_the_references_of_an_earlier_bundle_are_read_too():
    references, scales = np.int8([[127, 0, 0], [0, 64, 64]]), np.float32([[1 / 127], [1 / 90.5]])
    packed = io.BytesIO()
    np.savez_compressed(packed, references=references, scales=scales)
    rule = OodRule(score="neighbors", threshold=0.3)
    detector = unpack_detector(packed.getvalue(), rule, classes=2)
    assert detector.score(np.zeros((1, 2)), np.float32([[2, 0, 0]])) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("score", ARRAYS)
def test_the_data_of_another_detector_are_refused(score):
    packed = pack_detector(OodDetector(OodRule(score=score, threshold=0), ARRAYS[score]))
    for other in ARRAYS:
        if other != score:
            with pytest.raises(BadInput, match=f"detector by {other}"):
                unpack_detector(packed, OodRule(score=other, threshold=0), classes=3)
    if score == "mahalanobis":
        with pytest.raises(BadInput, match="4 classes"):
            unpack_detector(packed, OodRule(score=score, threshold=0), classes=4)


@given(
    st.binary(max_size=100) | st.binary(max_size=60).map(lambda content: b"PK\x03\x04" + content)
)
def test_no_data_whatever_end_in_a_traceback(content):
    with pytest.raises(BadInput):
        unpack_detector(content, OodRule(score="neighbors", threshold=0), classes=3)
