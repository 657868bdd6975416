import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.classifier import Prediction
from edge.decision import MANUAL, UNKNOWN, DecisionRules, decide, vote

LABELS = ("Battery", "Mobile", "PCB")
RULES = DecisionRules(
    labels=LABELS,
    bins={"Battery": "hazardous", "PCB": "boards"},
    threshold=0.6,
    hazards=frozenset({"Battery"}),
    hazard_suspicion=0.15,
)


def seen(*probabilities: float) -> Prediction:
    shares = np.array(probabilities, np.float32)
    return Prediction(np.log(shares + 1e-9), shares, np.zeros(4, np.float32))


def test_the_views_vote_with_their_probabilities():
    verdict = decide([seen(0.05, 0.05, 0.9), seen(0.0, 0.3, 0.7)], RULES)
    assert (verdict.label, verdict.bin) == ("PCB", "boards")
    assert verdict.confidence == pytest.approx(0.8)
    assert "2 views" in verdict.reason


def test_unsure_means_unknown_and_manual():
    verdict = decide([seen(0.05, 0.4, 0.55)], RULES)
    assert (verdict.label, verdict.bin) == (UNKNOWN, MANUAL)
    assert "PCB 55%" in verdict.reason and "60%" in verdict.reason


def test_a_suspected_battery_goes_to_no_other_bin():
    verdict = decide([seen(0.2, 0.0, 0.8)], RULES)
    assert (verdict.label, verdict.bin) == ("PCB", MANUAL)
    assert "Battery 20%" in verdict.reason


def test_a_battery_goes_to_its_own_bin():
    assert decide([seen(0.9, 0.05, 0.05)], RULES).bin == "hazardous"


def test_a_label_without_a_bin_and_an_item_never_seen_go_to_manual():
    assert decide([seen(0.0, 0.95, 0.05)], RULES).bin == MANUAL
    nothing = decide([], RULES)
    assert (nothing.label, nothing.bin, nothing.confidence) == (UNKNOWN, MANUAL, 0.0)


shares = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(
    lambda weights: [weight / sum(weights) for weight in weights]
)


@given(st.lists(shares, min_size=1, max_size=6))
def test_whatever_the_views_say_no_likely_battery_reaches_another_bin(views):
    predictions = [seen(*view) for view in views]
    verdict = decide(predictions, RULES)
    mean = vote(predictions)
    assert 0 <= verdict.confidence <= 1 and verdict.reason
    if verdict.bin == "boards":
        assert mean[0] < RULES.hazard_suspicion and verdict.label == "PCB"
    if verdict.label != UNKNOWN:
        assert mean[LABELS.index(verdict.label)] >= RULES.threshold
