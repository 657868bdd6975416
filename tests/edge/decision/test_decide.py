from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.manifest import DEFAULT_HAZARD_THRESHOLD, DecisionParameters
from edge.decision.decide import NOT_A_NUMBER, DecisionRules, decide, rules_for, vote
from edge.inference.classifier import Prediction, softmax
from edge.inference.ood import OodDetector, OodRule
from edge.labels import MANUAL, UNKNOWN

LABELS = ("Battery", "Mobile", "PCB")
RULES = DecisionRules(
    labels=LABELS,
    bins={"Battery": "hazardous", "PCB": "boards"},
    thresholds={"Battery": 0.5, "Mobile": 0.6, "PCB": 0.6},
    hazard_thresholds={"Battery": 0.15},
)


def seen(*probabilities: float) -> Prediction:
    shares = np.array(probabilities, np.float32)
    return Prediction(np.log(shares + 1e-9), shares, np.zeros(4, np.float32))


def test_the_views_vote_with_their_probabilities():
    verdict = decide([seen(0.05, 0.05, 0.9), seen(0.0, 0.3, 0.7)], RULES)
    assert (verdict.label, verdict.bin) == ("PCB", "boards")
    assert verdict.confidence == pytest.approx(0.8)
    assert "2 views" in verdict.detail


def test_unsure_means_unknown_and_manual():
    verdict = decide([seen(0.05, 0.4, 0.55)], RULES)
    assert (verdict.label, verdict.bin) == (UNKNOWN, MANUAL)
    assert "PCB 55%" in verdict.detail and "60%" in verdict.detail


def test_a_suspected_battery_goes_to_no_other_bin():
    verdict = decide([seen(0.2, 0.0, 0.8)], RULES)
    assert (verdict.label, verdict.bin) == ("PCB", MANUAL)
    assert "Battery 20%" in verdict.detail


def test_a_battery_goes_to_its_own_bin():
    assert decide([seen(0.9, 0.05, 0.05)], RULES).bin == "hazardous"


def test_a_label_without_a_bin_and_an_item_never_seen_go_to_manual():
    assert decide([seen(0.0, 0.95, 0.05)], RULES).bin == MANUAL
    nothing = decide([], RULES)
    assert (nothing.label, nothing.bin, nothing.confidence) == (UNKNOWN, MANUAL, 0.0)


def detector(threshold: float) -> OodDetector:
    """Knows only what has an embedding along the first axis."""
    references = np.eye(1, 4, dtype=np.float32)
    rule = OodRule(score="neighbors", threshold=threshold)
    return OodDetector(rule, {"projection": np.eye(4), "references": references})


def looking(embedding: list[float], *probabilities: float) -> Prediction:
    return replace(seen(*probabilities), embedding=np.array(embedding, np.float32))


def test_what_is_like_nothing_known_is_unknown_however_sure_the_label():
    rules = replace(RULES, ood_detector=detector(0.8))
    known = decide([looking([1, 0.1, 0, 0], 0, 0, 1)], rules)
    assert (known.label, known.bin) == ("PCB", "boards")
    strange = decide([looking([0.1, 1, 0, 0], 0, 0, 1)], rules)
    assert (strange.label, strange.bin) == (UNKNOWN, MANUAL)
    assert "out of distribution" in strange.detail and "PCB 100%" in strange.detail


def test_a_suspected_battery_is_reported_even_when_it_is_like_nothing_known():
    verdict = decide(
        [looking([0, 1, 0, 0], 0.3, 0, 0.7)], replace(RULES, ood_detector=detector(0.8))
    )
    assert (verdict.label, verdict.bin) == (UNKNOWN, MANUAL)
    assert "may be Battery 30" in verdict.detail and "out of distribution" in verdict.detail


def test_a_label_that_shares_the_hazards_bin_may_go_there():
    bins = {**RULES.bins, "Mobile": "hazardous"}
    assert decide([seen(0.3, 0.7, 0.0)], replace(RULES, bins=bins)).bin == "hazardous"


def test_each_label_has_its_own_threshold():
    rules = replace(RULES, thresholds=RULES.thresholds | {"PCB": 0.9})
    assert decide([seen(0.0, 0.2, 0.8)], rules).label == UNKNOWN
    assert decide([seen(0.0, 0.8, 0.2)], rules).label == "Mobile"


def test_what_was_not_calibrated_gets_the_defaults():
    parameters = DecisionParameters(
        labels=LABELS,
        hazards=("Battery", "PCB"),
        threshold=0.4,
        thresholds={"PCB": 0.7},
        hazard_thresholds={"PCB": 0.01},
    )
    rules = rules_for(parameters, {}, None)
    assert rules.thresholds == {"Battery": 0.4, "Mobile": 0.4, "PCB": 0.7}
    assert rules.hazard_thresholds == {"Battery": DEFAULT_HAZARD_THRESHOLD, "PCB": 0.01}


shares = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(
    lambda weights: [weight / sum(weights) for weight in weights]
)
embeddings = st.lists(st.floats(-10, 10, width=32), min_size=4, max_size=4)
level = st.floats(0, 1)


@given(
    views=st.lists(st.tuples(embeddings, shares), min_size=1, max_size=6),
    bins=st.dictionaries(st.sampled_from(LABELS), st.sampled_from("ab")),
    thresholds=st.tuples(level, level, level),
    hazard_thresholds=st.dictionaries(st.sampled_from(LABELS), level),
    likeness=st.none() | st.floats(-2, 2),
)
def test_whatever_the_views_say_no_suspected_hazard_reaches_a_bin_that_is_not_its_own(
    views, bins, thresholds, hazard_thresholds, likeness
):
    rules = DecisionRules(
        LABELS,
        bins,
        dict(zip(LABELS, thresholds, strict=True)),
        hazard_thresholds,
        None if likeness is None else detector(likeness),
    )
    predictions = [looking(embedding, *view) for embedding, view in views]
    verdict = decide(predictions, rules)
    mean = dict(zip(LABELS, vote(predictions), strict=True))
    assert 0 <= verdict.confidence <= 1 and verdict.detail
    assert verdict.bin in {MANUAL, *bins.values()}
    if verdict.label == UNKNOWN:
        assert verdict.bin == MANUAL
    else:
        assert mean[verdict.label] == max(mean.values()) >= rules.thresholds[verdict.label]
    if verdict.bin != MANUAL:
        assert verdict.bin == bins[verdict.label]
        for hazard, suspected in hazard_thresholds.items():
            if mean[hazard] >= suspected:
                assert verdict.bin == bins.get(hazard) or verdict.label == hazard


NOT_FINITE = st.sampled_from([np.nan, np.inf, -np.inf])


@given(
    views=st.integers(1, 4),
    where=st.sampled_from(["logits", "probabilities", "embedding"]),
    values=st.lists(NOT_FINITE, min_size=1, max_size=3),
    data=st.data(),
    threshold=st.sampled_from([0.0, 0.5, 1.0]),
    hazard_thresholds=st.sampled_from([0.0, 0.15, 1.0]),
    likeness=st.sampled_from([None, -1e12, 0.5]),
)
def test_what_is_no_number_is_unknown_wherever_it_stands(
    *, views, where, values, data, threshold, hazard_thresholds, likeness
):
    """NaN passes no threshold, not even 0, and takes no item to a bin."""
    predictions = [looking([1, 0, 0, 0], 0.01, 0.01, 0.98) for _ in range(views)]
    corrupted = data.draw(st.integers(0, views - 1))
    array = getattr(predictions[corrupted], where).copy()
    for value in values:
        array[data.draw(st.integers(0, len(array) - 1))] = value
    predictions[corrupted] = replace(predictions[corrupted], **{where: array})
    rules = replace(
        RULES,
        thresholds=dict.fromkeys(LABELS, threshold),
        hazard_thresholds={"Battery": hazard_thresholds},
        ood_detector=None if likeness is None else detector(likeness),
        bins={"Battery": "hazardous", "PCB": "boards", "Mobile": "boards"},
    )
    verdict = decide(predictions, rules)
    assert (verdict.label, verdict.bin) == (UNKNOWN, MANUAL)
    assert verdict.confidence == 0.0 and verdict.detail == NOT_A_NUMBER and verdict.disputed


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("threshold", [-1e12, -np.inf, 0.0])
def test_a_likeness_that_is_no_number_is_like_nothing_known(score, threshold):
    class Broken(OodDetector):
        def score(self, logits, embeddings):
            return np.full(len(logits), score)

    rule = OodRule(score="energy", threshold=0).model_copy(update={"threshold": threshold})
    verdict = decide([seen(0.0, 0.0, 1.0)], replace(RULES, ood_detector=Broken(rule, {})))
    assert (verdict.label, verdict.bin) == (UNKNOWN, MANUAL)
    assert "not a number" in verdict.detail


@pytest.mark.filterwarnings("error")
def test_a_vanishing_temperature_sends_nothing_to_a_bin():
    logits = np.array([5.0, -3.0, 1.0], np.float32)
    shares = softmax(logits, 5e-324)
    verdict = decide([Prediction(logits, shares, np.zeros(4, np.float32))], RULES)
    assert (verdict.label, verdict.bin) == (UNKNOWN, MANUAL)
    for wrong in (5e-324, 1e-3, 0, 101, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="temperature"):
            DecisionParameters(labels=LABELS, hazards=("Battery",), temperature=wrong)
