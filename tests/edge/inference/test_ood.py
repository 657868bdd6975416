import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.errors import BadInput
from edge.inference.ood import (
    OodDetector,
    OodRule,
    collapse,
    energy,
    generalized_entropy,
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
    "entropy": {"temperature": np.float32(0.7)},
    "collapse": {"center": RNG.normal(size=32), "kernel": RNG.normal(size=(32, 3))},
    "discriminant": {"center": RNG.normal(size=32), "direction": RNG.normal(size=32)},
}
ARRAYS["neighbors+discriminant"] = {
    f"{part}.{name}": array
    for part in ("neighbors", "discriminant")
    for name, array in ARRAYS[part].items()
} | {"scaling": np.array([[0.1, 0.2], [0.5, 1.5]])}


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


def test_entropy_is_that_of_the_paper():
    likely = np.array([[0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3]])
    scores = generalized_entropy(np.log(likely), 1.0)
    assert scores == pytest.approx(-((likely * (1 - likely)) ** 0.1).sum(axis=1))
    assert scores[0] > scores[1]


def test_collapse_is_the_projection_on_the_weights_of_the_class():
    kernel = np.array([[2.0, 0.0], [0.0, 3.0]])
    embeddings = np.array([[5.0, 1.0], [1.0, 9.0], [4.0, 4.0]])
    logits = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    scores = collapse(logits, embeddings, np.ones(2), kernel)
    assert scores == pytest.approx([2, 3, 3 / np.sqrt(2)])


def test_a_sum_adds_both_scores_in_their_deviations():
    scores, (logits, embeddings) = {}, (RNG.normal(size=(20, 3)), RNG.normal(size=(20, 32)))
    for score in ("neighbors", "discriminant", "neighbors+discriminant"):
        detector = OodDetector(OodRule(score=score, threshold=0), ARRAYS[score])
        scores[score] = detector.score(logits, embeddings)
    expected = (scores["neighbors"] - 0.1) / 0.5 + (scores["discriminant"] - 0.2) / 1.5
    assert scores["neighbors+discriminant"] == pytest.approx(expected)


@pytest.mark.parametrize("score", ["", "other", "energy+", "energy+energy+energy", "energy+other"])
def test_a_score_that_does_not_exist_is_refused(score):
    with pytest.raises(ValidationError):
        OodRule(score=score, threshold=0)


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


def test_known_items_and_negatives_come_with_any_score():
    rng, rule = np.random.default_rng(0), OodRule(score="energy", threshold=0.3)
    shapes = {"projection": (32, 4), "references": (7, 4), "negatives": (5, 4)}
    beside = {f"known.{name}": rng.normal(size=shape) for name, shape in shapes.items()}
    read = unpack_detector(
        pack_detector(OodDetector(rule, {**ARRAYS["energy"], **beside})), rule, classes=3
    )
    for name, array in beside.items():
        np.testing.assert_allclose(read.arrays[name], array, atol=1e-2)
    beside["known.negatives"] = rng.normal(size=(5, 3))
    with pytest.raises(BadInput, match="do not fit"):
        unpack_detector(
            pack_detector(OodDetector(rule, {**ARRAYS["energy"], **beside})), rule, classes=3
        )


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
        if set(ARRAYS[other]) != set(ARRAYS[score]):
            with pytest.raises(BadInput, match=re.escape(f"detector by {other}")):
                unpack_detector(packed, OodRule(score=other, threshold=0), classes=3)
    if score in ("mahalanobis", "collapse"):
        with pytest.raises(BadInput, match="4 classes"):
            unpack_detector(packed, OodRule(score=score, threshold=0), classes=4)


@given(
    st.binary(max_size=100) | st.binary(max_size=60).map(lambda content: b"PK\x03\x04" + content)
)
def test_no_data_whatever_end_in_a_traceback(content):
    with pytest.raises(BadInput):
        unpack_detector(content, OodRule(score="neighbors", threshold=0), classes=3)
