import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decision.decide import decide
from edge.decision.sensing import (
    SensorAnswer,
    SensorFinding,
    SensorRule,
    finding_in,
    hidden_hazards,
    sensor_weights,
    written,
)
from edge.decision.size import LEAST_WEIGHT
from edge.labels import MANUAL
from edge.verdict import Reason
from tests.support.sensed import BATTERY_INSIDE, LABELS, rules, seen

BATTERY = SensorRule("xray", "Battery", found=0.91, false_alarms=0.06)
MOUSE = SensorRule("metal", "Mouse", found=0.9, false_alarms=0.1)
FOUND, CLEAR = SensorAnswer("xray", SensorFinding.FOUND), SensorAnswer("xray", SensorFinding.CLEAR)
answers = st.lists(
    st.builds(
        SensorAnswer,
        st.sampled_from(["xray", "metal", "scale"]),
        st.sampled_from(SensorFinding),
        st.floats(0, 1),
    ),
    max_size=4,
)
predictions = st.lists(st.floats(0.001, 1), min_size=4, max_size=4).map(
    lambda weights: seen(**dict(zip(LABELS, np.array(weights) / sum(weights), strict=True)))
)


def test_the_likelihood_ratio_is_that_of_the_published_rates():
    assert math.exp(BATTERY.log_ratio(FOUND)) == pytest.approx(0.91 / 0.06)
    assert math.exp(BATTERY.log_ratio(CLEAR)) == pytest.approx(0.09 / 0.94)
    assert BATTERY.log_ratio(replace(FOUND, certainty=0.0)) == 0
    half = replace(FOUND, certainty=0.5)
    assert math.exp(BATTERY.log_ratio(half)) == pytest.approx(math.sqrt(0.91 / 0.06))


@given(answers)
def test_no_class_weighs_less_than_the_floor_whatever_the_sensors_say(given_answers):
    weights = sensor_weights(given_answers, [BATTERY, MOUSE], LABELS)
    floor = max(LEAST_WEIGHT, 1 / (len(LABELS) - 1))
    assert (weights >= floor).all() and weights.max() == 1


@settings(max_examples=300, deadline=None)
@given(predictions, answers)
def test_no_answer_clears_what_the_views_suspect(prediction, given_answers):
    """Nor lets a flat vote become a label: a sensor never decides alone."""
    line = rules(BATTERY, MOUSE, BATTERY_INSIDE)
    before = decide([prediction], line)
    after = decide([prediction], line, None, given_answers)
    if before.reason is Reason.HAZARD_SUSPECTED:
        assert after.bin in (MANUAL, "bin of Battery")
    if float(prediction.probabilities[0]) >= line.hazard_thresholds["Battery"]:
        assert after.bin in (MANUAL, "bin of Battery")
    flat = decide([seen()], line, None, given_answers)
    assert flat.bin == MANUAL and flat.confidence <= 0.5 + 1e-6


@settings(max_examples=300, deadline=None)
@given(predictions, st.floats(0, 1), st.sampled_from(SensorFinding))
def test_only_a_clean_answer_opens_a_gate_that_no_answer_leaves_closed(prediction, sure, finding):
    line = rules(replace(BATTERY_INSIDE, guards=frozenset({"Mobile", "Player"})), BATTERY)
    without = decide([prediction], line, None, [SensorAnswer("xray", SensorFinding.NONE)])
    given_one = decide([prediction], line, None, [SensorAnswer("xray", finding, sure)])
    if without.bin == MANUAL and given_one.bin != MANUAL:
        assert finding in (SensorFinding.FOUND, SensorFinding.CLEAR)


def test_a_battery_that_the_xray_sees_makes_an_unsure_item_one():
    line = rules(BATTERY)
    unsure = seen(Battery=0.45, Mouse=0.55)
    assert decide([unsure], line, None, []).bin == MANUAL
    verdict = decide([unsure], line, None, [FOUND])
    assert (verdict.label, verdict.bin) == ("Battery", "bin of Battery")
    assert verdict.detail == "Battery 71% by other sensors, Mouse by its looks over 1 view"
    late = replace(FOUND, finding=SensorFinding.SUSPECT)
    assert decide([unsure], line, None, [late]).bin == MANUAL


@pytest.mark.parametrize(
    ("finding", "reason", "bin_name"),
    [
        (SensorFinding.FOUND, Reason.HAZARD_SUSPECTED, "hazardous"),
        (SensorFinding.SUSPECT, Reason.HAZARD_SUSPECTED, "hazardous"),
        (SensorFinding.CLEAR, Reason.SORTED, "bin of Player"),
        (SensorFinding.NONE, Reason.HAZARD_SUSPECTED, "hazardous"),
    ],
)
def test_what_may_hold_a_battery_goes_where_it_is_configured(finding, reason, bin_name):
    line = rules(replace(BATTERY_INSIDE, bin="hazardous", guards=frozenset()))
    verdict = decide([seen(Player=0.97)], line, None, [SensorAnswer("xray", finding, value=0.83)])
    assert (verdict.reason, verdict.bin, verdict.label) == (reason, bin_name, "Player")
    if finding is SensorFinding.FOUND:
        assert verdict.detail == "Player 97%, but may be battery inside 91% (xray: found 0.83)"
    with_both = decide(
        [seen(Player=0.8, Battery=0.12)], line, None, [SensorAnswer("xray", finding)]
    )
    assert with_both.bin == MANUAL, "a hazard in view goes before"


def test_without_an_answer_an_item_holds_it_as_often_as_others_do():
    rare = replace(BATTERY_INSIDE, share=0.1, guards=frozenset())
    assert hidden_hazards([], [rare], "Mobile", {"Mobile": 0.97}) == []
    (likely,) = hidden_hazards([], [replace(rare, share=0.4)], "Mobile", {"Mobile": 0.97})
    assert likely.text == "battery inside 40% (no sensor)" and not likely.found
    (found,) = hidden_hazards([FOUND], [rare], "Mobile", {"Mobile": 0.97})
    assert found.text.startswith("battery inside 53%")
    assert hidden_hazards([FOUND], [rare], "Mouse", {"Mouse": 0.97, "Mobile": 0.03}) == []


@given(answers)
def test_a_record_gives_back_what_was_found(given_answers):
    text = written(given_answers)
    for each in {answer.sensor: answer for answer in reversed(given_answers)}.values():
        assert finding_in(text, each.sensor) is each.finding
    assert finding_in(text, "other") is None
    assert finding_in("xray=all; =; =found", "xray") is None
