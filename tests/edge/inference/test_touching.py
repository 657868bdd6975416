"""The rule that tells several items from one: what it adds up, and files that are none of ours."""

import io

import numpy as np
import pytest

from edge.errors import BadInput
from edge.inference.ood import OodDetector, OodRule, pack_detector
from edge.inference.touching import CENTER, DIRECTION, WEIGHTS, TouchingRule, unpack_touching

RULE = TouchingRule(
    center=np.array([0.0, 0.0, 1.0], np.float32),
    direction=np.array([2.0, 0.0, 0.0], np.float32),
    by_embedding=1.0,
    by_outline=0.5,
    intercept=-1.0,
    certain=3.0,
)
DETECTOR = OodDetector(OodRule(score="energy", threshold=0), {"temperature": np.float32(1)})


def packed(**changes: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.savez(content, **{**RULE.arrays, **changes})
    return content.getvalue()


def test_views_and_outline_add_up():
    along, across = np.array([[3.0, 0.0, 1.0]]), np.array([[0.0, 3.0, 1.0]])
    assert RULE.score(along, 0.0) == pytest.approx(1.0)
    assert RULE.score(across, 0.0) == pytest.approx(-1.0)
    assert RULE.score(across, 4.0) == pytest.approx(1.0)
    assert RULE.score(np.concatenate([along, across]), 0.0) == pytest.approx(0.0)
    assert RULE.shows_several(along, 0.0) and not RULE.shows_several(across, 0.0)
    assert RULE.shows_several(np.full((1, 3), np.nan), 0.0), "what is no number goes to a person"


def test_it_lies_beside_a_detector_in_one_file():
    content = pack_detector(DETECTOR, RULE.arrays)
    read = unpack_touching(content)
    assert read is not None
    assert {name: array.tolist() for name, array in read.arrays.items()} == {
        name: array.tolist() for name, array in RULE.arrays.items()
    }
    assert unpack_touching(pack_detector(DETECTOR)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {CENTER: np.zeros(4)},
        {CENTER: np.zeros((3, 1)), DIRECTION: np.zeros((3, 1))},
        {CENTER: np.zeros(0), DIRECTION: np.zeros(0)},
        {DIRECTION: np.array([np.nan, 0, 0])},
        {WEIGHTS: np.array([1.0, 1.0, 0.0])},
        {WEIGHTS: np.array([-1.0, 1.0, 0.0, 0.0])},
        {WEIGHTS: np.array([1.0, 1.0, np.inf, 0.0])},
        {WEIGHTS: np.array([1.0, 1.0, 1e9, 0.0])},
    ],
)
def test_a_malformed_rule_is_refused(changes):
    with pytest.raises(BadInput, match="not a rule for touching items"):
        unpack_touching(packed(**changes))


def test_a_part_of_a_rule_is_refused():
    content = io.BytesIO()
    np.savez(content, **{CENTER: RULE.center})
    for each in (content.getvalue(), b"PK\x03\x04 and no more"):
        with pytest.raises(BadInput, match="not a rule"):
            unpack_touching(each)
