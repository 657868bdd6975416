from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.decision.decide import DecisionRules, decide, vote
from edge.decision.voting import Voting, posterior, verdict_if_sure
from edge.inference.classifier import Prediction
from edge.labels import MANUAL, UNKNOWN

LABELS = ("Battery", "Mobile", "PCB")
RULES = DecisionRules(
    labels=LABELS,
    bins={"Battery": "hazardous", "Mobile": "small", "PCB": "boards"},
    thresholds={"Battery": 0.5, "Mobile": 0.6, "PCB": 0.6},
    hazard_thresholds={"Battery": 0.05},
)
VOTING = Voting(views=4, spacing_mm=100, error=0.05, hazard_error=0.01, correlation=0.5)


def sure(predictions, rules, voting) -> bool:
    verdict = verdict_if_sure(predictions, rules, voting)
    assert verdict is None or verdict == decide(predictions, rules)
    return verdict is not None


def seen(*probabilities: float) -> Prediction:
    shares = np.array(probabilities, np.float32)
    return Prediction(np.log(shares + 1e-9), shares, np.zeros(4, np.float32))


@st.composite
def answers(draw) -> Prediction:
    shares = np.array(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3))) ** 4 + 1e-6
    return seen(*(shares / shares.sum()))


votings = st.builds(
    Voting,
    views=st.integers(1, 6),
    spacing_mm=st.just(0.0),
    error=st.one_of(st.none(), st.floats(1e-6, 0.5)),
    hazard_error=st.floats(1e-6, 0.5),
    correlation=st.floats(0, 1),
)


def test_one_clear_view_is_enough_and_two_weaker_ones_are():
    assert sure([seen(0.001, 0.009, 0.99)], RULES, VOTING)
    weaker = seen(0.005, 0.095, 0.9)
    assert not sure([weaker], RULES, VOTING)
    assert sure([weaker] * 2, RULES, VOTING)
    # Views that all tell the same are worth no more than one.
    same = replace(VOTING, correlation=1.0)
    assert [sure([weaker] * n, RULES, same) for n in (1, 2, 3, 4)] == [False] * 3 + [True]


def test_the_posterior_of_independent_views_is_bayes_rule():
    views = [seen(0.2, 0.3, 0.5), seen(0.1, 0.2, 0.7)]
    product = np.array([0.02, 0.06, 0.35])
    assert posterior(views, 0.0) == pytest.approx(product / product.sum(), rel=1e-5)
    assert posterior(views[:1] * 5, 1.0) == pytest.approx([0.2, 0.3, 0.5], rel=1e-5)


def test_a_fixed_number_of_views_is_always_taken():
    fixed = replace(VOTING, error=None)
    clear = seen(0, 0, 1)
    assert [sure([clear] * n, RULES, fixed) for n in range(5)] == [False] * 4 + [True]


def test_a_battery_that_is_called_a_battery_needs_no_second_view():
    assert sure([seen(0.99, 0.005, 0.005)], RULES, VOTING)


@given(predictions=st.lists(answers(), max_size=6), voting=votings)
def test_a_vote_takes_at_least_one_view_and_at_most_all(predictions, voting):
    enough = sure(predictions, RULES, voting)
    if len(predictions) >= voting.views:
        assert enough
    elif not predictions or voting.error is None:
        assert not enough


@given(predictions=st.lists(answers(), min_size=1, max_size=6), voting=votings)
def test_an_early_verdict_is_never_a_doubtful_one(predictions, voting):
    if len(predictions) >= voting.views or not sure(predictions, RULES, voting):
        return
    verdict = decide(predictions, RULES)
    assert verdict.label != UNKNOWN and verdict.bin != MANUAL
    probabilities = vote(predictions)
    assert verdict.confidence >= RULES.thresholds[verdict.label]
    if verdict.label != "Battery":
        assert probabilities[0] < RULES.hazard_thresholds["Battery"]
        assert posterior(predictions, voting.correlation)[0] <= voting.hazard_error


@given(predictions=st.lists(answers(), min_size=1, max_size=5), voting=votings)
def test_who_asks_for_fewer_errors_never_gets_fewer_views(predictions, voting):
    if voting.error is None:
        return
    strict = replace(voting, error=voting.error / 10, hazard_error=voting.hazard_error / 10)
    if sure(predictions, RULES, strict):
        assert sure(predictions, RULES, voting)


def test_votes_are_wrong_no_more_often_than_asked_for():
    """Independent views drawn from the distributions that their probabilities come from."""
    rng = np.random.default_rng(0)
    independent = replace(VOTING, views=200, error=0.1, hazard_error=0.1, correlation=0.0)
    rules = replace(RULES, thresholds=dict.fromkeys(LABELS, 0.0), hazard_thresholds={})
    wrong, views = 0, []
    for item in range(600):
        truth, predictions = item % 3, []
        while not sure(predictions, rules, independent):
            measured = rng.normal(np.eye(3)[truth], 1.0)  # likelihood ~ exp(measured)
            shares = np.exp(measured - measured.max())
            predictions.append(seen(*(shares / shares.sum())))
        wrong += int(vote(predictions).argmax()) != truth
        views.append(len(predictions))
    assert wrong / 600 <= 0.1
    assert min(views) < np.mean(views) < 30


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", range(3))
def test_an_answer_that_is_no_number_never_ends_a_vote_early(value, where):
    predictions = [seen(0.0, 0.0, 1.0) for _ in range(VOTING.views)]
    predictions[0].probabilities[where] = value
    for views in range(1, VOTING.views):
        assert verdict_if_sure(predictions[:views], RULES, VOTING) is None
    verdict = verdict_if_sure(predictions, RULES, VOTING)
    assert (verdict.label, verdict.bin) == (UNKNOWN, MANUAL)
