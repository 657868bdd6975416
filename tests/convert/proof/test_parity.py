"""The comparison of models, and the parity gate."""

import json
from dataclasses import replace

import numpy as np
import pytest

from convert.proof.parity import (
    FP32,
    KERAS,
    Accuracy,
    ComparisonImages,
    ModelOutputs,
    Pair,
    Parity,
    TrainingClaim,
    check_gate,
    compare,
    confidence,
    least_changed,
)
from edge.bundle.manifest import ClassParity, ParityGate
from edge.errors import BadInput, Refused

IMAGES = ComparisonImages(
    labels=("Battery", "Mouse"),
    names=tuple(f"data/test/{index}.jpg" for index in range(4)),
    splits=("val", "test", "val", "test"),
    classes=np.array([0, 0, 1, 1]),
    pixels=np.zeros((4, 1, 1, 3), np.uint8),
    datasets=("data",) * 4,
)
NEAR = (0.9, 0.8, 0.2, 0.1)


def outputs(*first_class: float) -> ModelOutputs:
    """Of two classes, giving image i the probability first_class[i] of class 0."""
    first = np.array(first_class)
    probabilities = np.stack([first, 1 - first], axis=1).astype(np.float32)
    return ModelOutputs(probabilities, probabilities, np.zeros((len(first), 1)))


def compared(int8=NEAR, fp32=NEAR, keras=NEAR) -> Parity:
    return compare(
        IMAGES,
        "int8",
        keras=outputs(*keras),
        fp32=outputs(*fp32),
        quantized=outputs(*int8),
        score=confidence(0.7),
    )


def test_what_changed_is_counted_and_named() -> None:
    parity = compared(int8=(0.9, 0.4, 0.2, 0.2))
    pair = parity.pairs["int8-keras"]
    assert parity.quantized is pair and (parity.images, parity.split) == (4, "val+test")
    assert (parity.accuracy[KERAS].value, parity.accuracy["int8"].value) == (1.0, 0.75)
    assert parity.accuracy_drop == 0.25
    assert parity.accuracy_drop_interval[0] < 0.25 < parity.accuracy_drop_interval[1]
    assert parity.mcnemar_p == 1.0  # one changed image may be chance
    assert parity.accuracy["int8"].low == pytest.approx(0.3006, abs=1e-4)
    assert (pair.agreement, pair.changed) == (0.75, ("data/test/1.jpg",))
    assert pair.max_probability_difference == pytest.approx(0.4)
    assert pair.mean_probability_difference == pytest.approx(0.125)
    assert parity.pairs["fp32-keras"].agreement == 1.0
    assert parity.pairs["int8-fp32"].changed == ("data/test/1.jpg",)
    assert parity.datasets["data"].images == 4
    assert parity.datasets["data"].agreement == pair.agreement
    assert {label: each.lost for label, each in parity.classes.items()} == {
        "Battery": 1,
        "Mouse": 0,
    }
    assert json.loads(json.dumps(parity.report()))["pairs"]["int8-keras"]["agreement"] == 0.75


def test_drift_of_the_confidence() -> None:
    drift = compared(int8=(0.6, 0.8, 0.2, 0.1)).drift
    expected = (0.9 * np.log(0.9 / 0.6) + 0.1 * np.log(0.1 / 0.4)) / 4
    assert drift.kl == pytest.approx(expected, abs=1e-6)
    assert (drift.ece_float, drift.ece_quantized) == pytest.approx((0.15, 0.225), abs=1e-6)
    assert drift.unknown_mean == pytest.approx(-0.3 / 4, abs=1e-6)
    assert drift.unknown_max == pytest.approx(0.3, abs=1e-6)
    assert drift.unknown_crossed == 0.25  # from 0.9 to 0.6, over 0.7
    still = compared().drift
    assert (still.kl, still.unknown_max, still.unknown_crossed) == (0, 0, 0)


def test_equal_predictions_pass() -> None:
    parity = compared(int8=(0.91, 0.79, 0.2, 0.1))
    assert check_gate(parity, ParityGate()) == []
    verdict = parity.verdict(True, ParityGate())
    assert (verdict.passed, verdict.images, verdict.agreement) == (True, 4, 1.0)
    assert verdict.holds and verdict.classes["Mouse"].right_quantized == 2
    assert verdict.max_probability_difference == pytest.approx(0.01, abs=1e-6)


def test_each_criterion_fails_by_itself() -> None:
    good = replace(compared(), images=500)
    exact = good.pairs["fp32-keras"]

    def with_pair(name: str, pair: Pair) -> Parity:
        return replace(good, pairs={**good.pairs, name: pair})

    lost = ClassParity(images=60, right_float=59, right_quantized=57)
    expected = {
        "int8 agrees with Keras on 98.50%, at least 99.00% needed": with_pair(
            "int8-keras", replace(good.pairs["int8-keras"], agreement=0.985)
        ),
        "int8 costs 0.31 points of accuracy, at most 0.30 allowed": replace(
            good, accuracy_drop=0.0031
        ),
        "int8 gets 2 of 60 Mouse images wrong that Keras gets right, at most 1 allowed": replace(
            good, classes={**good.classes, "Mouse": lost}
        ),
        "the probabilities of int8 are 0.06 nats off Keras', at most 0.05 allowed": replace(
            good, drift=good.drift.model_copy(update={"kl": 0.06})
        ),
        "fp32 TFLite agrees with Keras on 99.90%, at least 100.00% needed": with_pair(
            "fp32-keras", replace(exact, agreement=0.999)
        ),
        "a probability of fp32 TFLite is 0.002 off Keras, at most 0.001 allowed": with_pair(
            "fp32-keras", replace(exact, max_probability_difference=2e-3)
        ),
    }
    assert {line: check_gate(parity, ParityGate()) for line, parity in expected.items()} == {
        line: [line] for line in expected
    }


def test_the_limits_themselves_pass() -> None:
    parity = replace(compared(), images=500)
    exact = replace(parity.pairs["fp32-keras"], max_probability_difference=1e-3)
    near = replace(parity.pairs["int8-keras"], agreement=198 / 200)
    limit = replace(
        parity,
        accuracy_drop=0.003,
        pairs={**parity.pairs, "fp32-keras": exact, "int8-keras": near},
        classes={"Mouse": ClassParity(images=60, right_float=59, right_quantized=58)},
    )
    assert check_gate(limit, ParityGate()) == []


@pytest.mark.parametrize(
    ("images", "changed", "passes"),
    [
        (19, 1, False),
        (20, 1, True),
        (60, 1, True),
        (30, 2, False),
        (60, 2, True),
        (60, 3, False),
        (99, 2, True),
        (99, 3, False),
        (100, 1, True),
        (100, 2, False),
    ],
)
def test_a_few_images_are_judged_by_the_interval(images: int, changed: int, passes: bool) -> None:
    gate = ParityGate()
    assert gate.agrees_enough(1 - changed / images, images) == passes
    assert gate.costs_little(changed / images, images) == (changed == 1 and 20 <= images < 100)
    assert ParityGate(agreement=0.999).agrees_enough(1 - changed / images, images) == (
        changed == 1 and 20 <= images < 100
    ), "one may always differ"
    strict = ParityGate(few_images=0)
    assert strict.agrees_enough(1 - changed / images, images) == (images == 100 and changed == 1)
    assert not strict.costs_little(changed / images, images)


def test_a_verdict_that_its_own_figures_belie_does_not_hold() -> None:
    verdict = replace(compared(), images=500).verdict(True, ParityGate())
    lost = ClassParity(images=60, right_float=59, right_quantized=57)
    assert verdict.holds
    assert not verdict.model_copy(update={"classes": {"Mouse": lost}}).holds
    assert not verdict.model_copy(update={"agreement": 0.98}).holds


def test_an_accuracy_that_chance_explains_is_that_of_training() -> None:
    """The run's own test photos are compared answer by answer; others by the accuracy."""
    parity = compared()
    parity = replace(parity, accuracy={**parity.accuracy, KERAS: Accuracy(0.667, 0.541, 0.773)})
    assert check_gate(parity, ParityGate(), TrainingClaim(0.767)) == []
    assert check_gate(parity, ParityGate(), TrainingClaim(0.9, 30, 0, reached=0.9)) == []
    assert check_gate(parity, ParityGate(), TrainingClaim(0.9, 30, 1, reached=0.9 - 1 / 30)) == []
    (line,) = check_gate(parity, ParityGate(), TrainingClaim(0.9, 300, 0, reached=0.0))
    assert line.startswith("Keras gets 0.00% right, but 90.00% in its training run")
    (line,) = check_gate(parity, ParityGate(), TrainingClaim(0.9))
    assert line.startswith("Keras gets 66.70% right, but 90.00% in its training run")


def test_other_predictions_than_in_training_fail_even_if_as_many_are_correct() -> None:
    confusion = np.array([[2, 1], [1, 2]])
    classes, same = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 0, 1])
    assert least_changed(confusion, classes, same) == 0
    assert least_changed(confusion, classes, 1 - same) == 2
    assert least_changed(confusion, classes[:5], same[:5]) is None  # of other photos

    parity = compared()
    for allowed in (TrainingClaim(1.0), TrainingClaim(1.0, 60, 1), TrainingClaim(1.0, 500, 5)):
        assert check_gate(parity, ParityGate(), allowed) == []
    (line,) = check_gate(parity, ParityGate(), TrainingClaim(1.0, 500, 6))
    assert "another class than in its training run for 6 or more of 500 test photos" in line


@pytest.mark.parametrize("model", [KERAS, FP32, "int8"])
def test_a_model_that_predicts_nan_is_refused(model: str) -> None:
    with pytest.raises(Refused, match=f"{model} gives probabilities that are not finite"):
        compared(**{model: (float("nan"), 0.8, 0.2, 0.1)})


def test_more_accuracy_is_no_drop() -> None:
    parity = compared(keras=(0.9, 0.4, 0.2, 0.1))
    assert parity.accuracy_drop == -0.25
    assert not any("points" in line for line in check_gate(parity, ParityGate()))


def test_nothing_to_compare_on_is_bad_input() -> None:
    none = outputs()
    with pytest.raises(BadInput, match="none of the photos"):
        compare(
            IMAGES.take(np.array([], int)),
            "int8",
            keras=none,
            fp32=none,
            quantized=none,
            score=confidence(0.5),
        )
