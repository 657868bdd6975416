"""Comparing engines, and the judgement on it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from convert.parity import FP32, INT8, KERAS, LabelledInput, Pair, Parity, compare, judge
from edge.errors import BadInput
from edge.manifest import ParityGate

TRUTHS = (0, 0, 1, 1)


def images() -> list[LabelledInput]:
    """Four images of one pixel, whose value tells which it is."""
    return [
        LabelledInput(f"data/test/{index}.jpg", truth, np.full((1, 1, 3), index, np.uint8))
        for index, truth in enumerate(TRUTHS)
    ]


def engine(*first_class: float):
    """An engine of two classes that gives image i the probability first_class[i] of class 0."""

    def ask(pixels: np.ndarray) -> np.ndarray:
        first = np.array(first_class)[pixels[:, 0, 0, 0]]
        return np.stack([first, 1 - first], axis=1).astype(np.float32)

    return ask


def compared(int8, fp32=(0.9, 0.8, 0.2, 0.1), keras=(0.9, 0.8, 0.2, 0.1)) -> Parity:
    engines = {KERAS: engine(*keras), FP32: engine(*fp32), INT8: engine(*int8)}
    return compare(engines, images(), "test", batch=3)


def test_what_changed_is_counted_and_named() -> None:
    parity = compared(int8=(0.9, 0.4, 0.2, 0.2))
    pair = parity.pairs["int8-keras"]
    assert parity.images == 4
    assert (parity.accuracy[KERAS].value, parity.accuracy[INT8].value) == (1.0, 0.75)
    assert parity.accuracy_drop == 0.25
    assert parity.accuracy[INT8].low == pytest.approx(0.3006, abs=1e-4)
    assert (pair.agreement, pair.changed) == (0.75, ("data/test/1.jpg",))
    assert pair.max_probability_difference == pytest.approx(0.4)
    assert pair.mean_probability_difference == pytest.approx(0.125)
    assert parity.pairs["fp32-keras"].agreement == 1.0
    assert parity.pairs["int8-fp32"].changed == ("data/test/1.jpg",)
    assert parity.datasets["data"].images == 4
    assert parity.datasets["data"].agreement == pair.agreement
    assert json.loads(json.dumps(parity.report()))["pairs"]["int8-keras"]["agreement"] == 0.75


def test_the_same_answers_pass() -> None:
    parity = compared(int8=(0.91, 0.79, 0.2, 0.1))
    assert judge(parity, ParityGate()) == []
    verdict = parity.verdict(True, ParityGate())
    assert (verdict.passed, verdict.images, verdict.agreement) == (True, 4, 1.0)
    assert verdict.max_probability_difference == pytest.approx(0.01, abs=1e-6)


def test_each_criterion_fails_by_itself() -> None:
    good = compared(int8=(0.9, 0.8, 0.2, 0.1))
    exact = good.pairs["fp32-keras"]

    def with_pair(name: str, pair: Pair) -> Parity:
        return replace(good, pairs={**good.pairs, name: pair})

    disagreeing = with_pair("int8-keras", replace(good.pairs["int8-keras"], agreement=0.98))
    worse = replace(good, accuracy_drop=0.0051)
    other_answers = with_pair("fp32-keras", replace(exact, agreement=0.999))
    other_figures = with_pair("fp32-keras", replace(exact, max_probability_difference=2e-3))
    expected = {
        "int8 agrees with Keras on 98.00%, at least 98.50% needed": disagreeing,
        "int8 costs 0.51 points of accuracy, at most 0.50 allowed": worse,
        "fp32 TFLite agrees with Keras on 99.90%, at least 100.00% needed": other_answers,
        "a probability of fp32 TFLite is 0.002 off Keras, at most 0.001 allowed": other_figures,
    }
    assert {line: judge(parity, ParityGate()) for line, parity in expected.items()} == {
        line: [line] for line in expected
    }


def test_the_limits_themselves_pass() -> None:
    parity = compared(int8=(0.9, 0.8, 0.2, 0.1))
    exact = replace(parity.pairs["fp32-keras"], max_probability_difference=1e-3)
    near = replace(parity.pairs["int8-keras"], agreement=197 / 200)
    limit = replace(
        parity,
        accuracy_drop=1 / 200,
        pairs={**parity.pairs, "fp32-keras": exact, "int8-keras": near},
    )
    assert judge(limit, ParityGate()) == []


def test_a_model_that_answers_nan_fails() -> None:
    parity = compared(int8=(0.9, 0.8, 0.2, 0.1), fp32=(float("nan"),) * 4)
    assert any("fp32" in line and "off Keras" in line for line in judge(parity, ParityGate()))


def test_more_accuracy_is_no_drop() -> None:
    parity = compared(int8=(0.9, 0.8, 0.2, 0.1), keras=(0.9, 0.4, 0.2, 0.1))
    assert parity.accuracy_drop == -0.25
    assert not any("points" in line for line in judge(parity, ParityGate()))


def test_nothing_to_compare_on_is_bad_input() -> None:
    with pytest.raises(BadInput, match="none of the photos"):
        compare({}, [], "test")
