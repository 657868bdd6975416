import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.sizes import TYPICAL_SIZES, SizeDistribution, fitted, of_range
from edge.decision.decide import DecisionRules, decide
from edge.decision.size import LEAST_WEIGHT, size_weights, with_size
from edge.decision.voting import Voting, verdict_if_sure
from edge.inference.classifier import Prediction
from edge.labels import MANUAL, UNKNOWN

LABELS = tuple(TYPICAL_SIZES)
RULES = DecisionRules(
    labels=LABELS,
    bins={label: "hazardous" if label == "Battery" else f"bin of {label}" for label in LABELS},
    thresholds=dict.fromkeys(LABELS, 0.5),
    hazard_thresholds={"Battery": 0.15},
    sizes=TYPICAL_SIZES,
)
hostile_mm = st.one_of(st.none(), st.floats())
distributions = st.builds(
    SizeDistribution, median_mm=st.floats(1, 20_000), spread=st.floats(0.05, 2)
)


def shares(rng_seed: int, classes: int = len(LABELS)) -> np.ndarray:
    return np.random.default_rng(rng_seed).dirichlet(np.full(classes, 0.3)).astype(np.float32)


def seen(**probabilities: float) -> Prediction:
    rest = (1 - sum(probabilities.values())) / (len(LABELS) - len(probabilities))
    vector = np.array([probabilities.get(label, rest) for label in LABELS], np.float32)
    return Prediction(np.log(vector + 1e-9), vector, np.zeros(4, np.float32))


@given(hostile_mm, st.dictionaries(st.sampled_from(LABELS), distributions))
def test_weights_are_numbers_from_the_floor_to_one_whatever_the_size(longer_mm, sizes):
    weights = size_weights(longer_mm, LABELS, sizes)
    floor = max(LEAST_WEIGHT, 1 / (len(LABELS) - 1))
    assert np.isfinite(weights).all()
    assert (weights >= floor).all() and (weights <= 1).all()
    if longer_mm is None or not math.isfinite(longer_mm) or longer_mm <= 0:
        assert (weights == 1).all()


@given(distributions, st.floats(1e-3, 1e6), st.floats(1, 100))
def test_what_is_farther_from_the_median_never_weighs_more(size, longer_mm, factor):
    outwards = factor if longer_mm >= size.median_mm else 1 / factor
    sizes = {"Television": size}
    near, far = (
        size_weights(each, LABELS, sizes)[LABELS.index("Television")]
        for each in (longer_mm, longer_mm * outwards)
    )
    assert far <= near + 1e-12


@given(st.integers(2, 60), st.integers(0, 59), hostile_mm)
def test_from_a_flat_answer_no_class_gets_more_than_half(classes, fitting, longer_mm):
    labels = [str(number) for number in range(classes)]
    odd = SizeDistribution(median_mm=1.0, spread=0.05)
    sizes = dict.fromkeys(labels, odd)
    sizes[labels[fitting % classes]] = SizeDistribution(median_mm=500.0, spread=0.1)
    for each in (longer_mm, 500.0):
        weighed = with_size(np.full(classes, 1 / classes), size_weights(each, labels, sizes))
        assert weighed.max() <= 0.5 + 1e-9


@given(st.integers(0, 1000), hostile_mm)
def test_weighed_probabilities_are_probabilities_and_their_odds_are_bounded(seed, longer_mm):
    before = shares(seed)
    after = with_size(before, size_weights(longer_mm, LABELS, TYPICAL_SIZES))
    assert after.dtype == before.dtype and np.isfinite(after).all() and (after >= 0).all()
    assert after.sum() == pytest.approx(before.sum(), abs=1e-5)
    best = int(before.argmax())
    for index in range(len(LABELS)):
        if before[index] > 1e-6:
            odds = (before[best] / before[index]) / max(after[best] / after[index], 1e-9)
            assert odds <= (1 + 1e-3) / LEAST_WEIGHT


def test_without_a_size_or_distributions_no_bit_changes():
    before = shares(3)
    assert with_size(before, size_weights(None, LABELS, TYPICAL_SIZES)) is before
    assert with_size(before, size_weights(640.0, LABELS, {})) is before
    nan = np.full(len(LABELS), np.nan, np.float32)
    assert with_size(nan, size_weights(640.0, LABELS, TYPICAL_SIZES)) is nan


def test_a_television_is_not_150_mm_long_and_a_mobile_not_640():
    torn = [seen(Mobile=0.55, Television=0.40)]
    by_looks = decide(torn, RULES)
    assert by_looks.label == "Mobile"
    large, small = decide(torn, RULES, 640.0), decide(torn, RULES, 150.0)
    assert (large.label, large.bin) == ("Television", "bin of Television")
    assert "640 mm" in large.detail and "Mobile by its looks" in large.detail
    assert small.label == "Mobile" and small.confidence > by_looks.confidence


def test_the_size_cannot_decide_alone():
    assert decide([seen(Mobile=0.98)], RULES, 640.0).label == "Mobile"
    flat = decide([seen(Mobile=0.1)], RULES, 640.0)
    assert (flat.label, flat.bin) == (UNKNOWN, MANUAL)


@given(st.integers(0, 2000), hostile_mm, st.sampled_from([0.02, 0.15, 0.9]))
def test_no_size_takes_a_suspected_hazard_into_another_bin(seed, longer_mm, threshold):
    rules = replace(RULES, hazard_thresholds={"Battery": threshold})
    vector = shares(seed)
    prediction = Prediction(np.log(vector + 1e-9), vector, np.zeros(4, np.float32))
    caught = {"hazardous", MANUAL}
    by_views = decide([prediction], rules)
    battery = vector[LABELS.index("Battery")]
    if battery >= threshold or int(vector.argmax()) == LABELS.index("Battery"):
        assert by_views.bin in caught
        assert decide([prediction], rules, longer_mm).bin in caught
        voting = Voting(views=3, spacing_mm=100, error=0.05)
        early = verdict_if_sure([prediction], rules, voting, longer_mm)
        assert early is None or early.bin in caught


def test_a_size_brings_a_vote_to_an_end_sooner():
    voting = Voting(views=3, spacing_mm=100, error=0.05)
    views = [seen(Television=0.93, Mobile=0.065)]
    assert verdict_if_sure(views, RULES, voting) is None
    early = verdict_if_sure(views, RULES, voting, 640.0)
    assert early is not None and early.label == "Television"


def test_a_distribution_is_fitted_to_the_logarithms():
    rng = np.random.default_rng(0)
    sides = (140 * np.exp(0.12 * rng.normal(size=5000))).tolist()
    size = fitted(sides)
    assert size.median_mm == pytest.approx(140, rel=0.01)
    assert size.spread == pytest.approx(0.12, rel=0.05)
    assert fitted([100.0, 100.0]).spread == 0.05, "few equal items do not make a class narrow"


@given(st.lists(st.floats(1, 20_000), min_size=2, max_size=50))
def test_whatever_is_measured_a_distribution_is_valid(sides):
    size = fitted(sides)
    assert 1 <= size.median_mm <= 20_000 and 0.05 <= size.spread <= 2


def test_a_range_holds_95_of_100_items():
    size = of_range(110, 165)
    assert size.deviation(110) == pytest.approx(-2)
    assert size.deviation(165) == pytest.approx(2)
    assert size.high_mm == pytest.approx(165)
