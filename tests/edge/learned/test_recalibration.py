from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.manifest import DecisionParameters
from edge.calibration.answers import Answers, LabeledAnswers
from edge.calibration.costs import Costs
from edge.calibration.decisions import verdicts
from edge.calibration.fit import fit_parameters
from edge.decision.decide import rules_for
from edge.inference.classifier import softmax
from edge.inference.ood import OodDetector, OodRule
from edge.labels import MANUAL
from edge.learned.recalibration import (
    LEAST_ITEMS,
    LEAST_OF_HAZARD,
    InUse,
    SiteItems,
    fit_site,
    missing_items,
    recalibrate,
    translated,
)
from edge.learned.site import SiteCalibration
from tests.support.answers import drawn_answers

LABELS = ("Battery", "Mouse", "PCB")
DETECTOR = OodDetector(OodRule(score="energy", threshold=3.0), {"temperature": np.float32(1.0)})
BUNDLE = DecisionParameters(
    labels=LABELS,
    hazards=("Battery",),
    temperature=1.0,
    threshold=0.8,
    hazard_thresholds={"Battery": 0.02},
    unknown=DETECTOR.rule,
)
IN_USE = InUse(BUNDLE, BUNDLE, DETECTOR)


def no_others(known: LabeledAnswers) -> SiteItems:
    return SiteItems(known, known.answers.chosen(np.zeros(0, int)))


def sorted_by(answers: Answers, parameters: DecisionParameters):
    detector = replace(DETECTOR, rule=parameters.unknown)
    return verdicts(answers, parameters.temperature, rules_for(parameters, {}, detector))


def test_with_enough_items_it_is_the_calibration_of_the_workstation():
    known = drawn_answers(0, 600, sharpness=0.4, spread=9)
    assert (known.classes == 0).sum() >= LEAST_OF_HAZARD
    found, kept = fit_site(known, IN_USE, Costs())
    views = {"photographed": known}
    expected = fit_parameters(
        labels=LABELS, hazards=("Battery",), views=views, detector=DETECTOR, costs=Costs()
    )
    assert kept == () and found.model_dump_json() == expected.model_dump_json()


def test_a_site_where_the_model_is_less_sure_needs_fewer_hands_afterwards():
    known = drawn_answers(1, 400, sharpness=0.4, spread=9)
    found = recalibrate(no_others(known), IN_USE)
    assert found.problem == ""
    assert found.parameters.temperature == pytest.approx(0.4, rel=0.15)
    assert found.after.by_hand < found.before.by_hand
    assert found.after.cost(found.costs) < found.before.cost(found.costs)
    assert found.after.calibration_error < found.before.calibration_error
    assert found.after.hazards["Battery"].leaked <= found.before.hazards["Battery"].leaked


def test_what_is_missing_is_named_and_stays_as_in_the_bundle():
    few = drawn_answers(2, 60, spread=9)
    assert missing_items(no_others(few)) == LEAST_ITEMS - 60
    found, kept = fit_site(few, IN_USE, Costs())
    of_class = {each.name: each.items for each in kept if not each.is_hazard}
    assert of_class and all(items < 20 for items in of_class.values())
    assert all(found.thresholds[label] >= BUNDLE.threshold - 0.1 for label in of_class)
    assert [each.name for each in kept if each.is_hazard] == ["Battery"]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 30), st.floats(0.1, 5), st.integers(10, 200))
def test_with_few_hazards_none_gets_to_a_wrong_bin_that_did_not_before(seed, sharpness, count):
    known = drawn_answers(seed, count, sharpness, spread=9)
    found, kept = fit_site(known, IN_USE, Costs())
    assert any(each.is_hazard for each in kept)
    answers = drawn_answers(seed + 100, 300, sharpness, spread=9).answers
    called_else = answers.logits.argmax(axis=1) != 0
    sorted_before, sorted_after = (
        np.array([verdict.bin != MANUAL for verdict in sorted_by(answers, parameters)])
        for parameters in (BUNDLE, found)
    )
    assert not (sorted_after & ~sorted_before & called_else).any()


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 20), st.floats(0.05, 20), st.floats(1e-4, 0.9))
def test_a_threshold_at_another_temperature_keeps_what_reached_it_or_what_did_not(
    seed, before, after, level
):
    logits = np.random.default_rng(seed).normal(0, 5, (200, 6)).astype(np.float32)
    bundle = DecisionParameters(labels=tuple("abcdef"), hazards=("a",), temperature=before)
    reached = softmax(logits, before)[:, 0] >= level
    stated = softmax(logits, after)[:, 0].astype(float)
    assert (stated[reached] >= translated(level, bundle, after)).all()
    # Probabilities of 32 bits are 1 a little early.
    high = translated(level, bundle, after, upwards=True)
    assert (stated[~reached] <= high).all() or high > 1 - 1e-6


def test_a_result_that_is_worse_says_why():
    known = drawn_answers(3, 400, spread=9)
    fitted, _ = fit_site(known, IN_USE, Costs())
    again = recalibrate(no_others(known), replace(IN_USE, current=fitted))
    assert "would cost as much as" in again.problem
    found = recalibrate(no_others(drawn_answers(1, 400, sharpness=0.4, spread=9)), IN_USE)
    hazard = found.after.hazards["Battery"]
    leaking = replace(found.after, hazards={"Battery": replace(hazard, leaked=hazard.items)})
    assert "would reach a wrong bin" in replace(found, after=leaking).problem
    missing = replace(found.after, hazards={"Battery": replace(hazard, found=0, leaked=0)})
    assert "would be found" in replace(found, after=missing).problem


def test_things_of_no_known_class_cost_what_they_cause():
    known = drawn_answers(4, 300, spread=9)
    alike = SiteItems(known, known.answers.chosen(np.arange(40)))
    found = recalibrate(alike, IN_USE)
    assert found.before.others == found.after.others == 40
    assert found.after.others_sorted > 20
    unlike = SiteItems(known, Answers(np.zeros((40, 3)), np.zeros((40, 4))))
    assert recalibrate(unlike, IN_USE).after.others_sorted == 0


def test_the_parameters_of_a_site_take_the_place_of_the_bundles():
    site = SiteCalibration(
        temperature=2.0,
        thresholds={"Mouse": 0.4, "taught": 0.3},
        hazard_thresholds={"Battery": 0.01},
        unknown_threshold=1.5,
        items=100,
        since=0.0,
        until=1.0,
        before={},
        after={},
    )
    applied = site.applied_to(BUNDLE)
    assert DecisionParameters.model_validate_json(applied.model_dump_json()) == applied
    assert applied.temperature == 2.0 and applied.unknown.threshold == 1.5
    assert applied.threshold_of == {"Battery": 0.8, "Mouse": 0.4, "PCB": 0.8}
    assert applied.hazard_threshold_of == {"Battery": 0.01}
    assert site.model_copy(update={"unknown_threshold": None}).applied_to(BUNDLE).unknown == (
        BUNDLE.unknown
    )
