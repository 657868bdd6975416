import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.manifest import DEFAULT_HAZARD_THRESHOLD
from edge.calibration.answers import Answers, LabeledAnswers
from edge.calibration.costs import Costs
from edge.calibration.thresholds import (
    MAX_HAZARD_MISS_RATE,
    MAX_SUSPECTED_SHARE,
    QUANTIZATION_MARGIN,
    fit_hazard_threshold,
    fit_thresholds,
)
from edge.inference.classifier import softmax
from tests.support.answers import drawn_answers

LABELS = ("Battery", "Mouse", "PCB")
CHEAP = Costs(hazard=1.0)
"""What a hazard in a wrong bin costs no more than a look by hand."""


def leaks(views: LabeledAnswers, level: float) -> np.ndarray:
    """Whether each battery gets into another label's bin, if nothing else keeps it from there."""
    of_hazards = softmax(views.answers.logits)[views.classes == 0]
    return (of_hazards.argmax(axis=1) != 0) & (of_hazards[:, 0] < level)


def test_of_unseen_hazards_no_more_get_into_a_wrong_bin_than_was_asked_for():
    seen = {"photographed": drawn_answers(1, 3000, spread=12)}
    level = fit_hazard_threshold(0, seen, 1.0, CHEAP)
    unseen = drawn_answers(2, 6000, spread=12)
    assert leaks(unseen, level).mean() <= 2.5 * MAX_HAZARD_MISS_RATE
    assert leaks(unseen, 0.0).mean() == 0 < 0.03 < leaks(unseen, 1.1).mean()


def test_one_of_a_few_hazards_that_would_leak_is_caught_and_the_price_has_a_limit():
    views = drawn_answers(3, 120)
    probabilities = softmax(views.answers.logits)
    level = fit_hazard_threshold(0, {"photographed": views}, 1.0, CHEAP)
    others = probabilities[views.classes != 0, 0]
    capped = float(np.quantile(others, 1 - MAX_SUSPECTED_SHARE, method="higher"))
    would = (views.classes == 0) & (probabilities.argmax(axis=1) != 0)
    assert would.any()
    assert level == max(QUANTIZATION_MARGIN * float(probabilities[would, 0].min()), capped)
    assert (others > level).mean() <= MAX_SUSPECTED_SHARE


def test_a_hazard_that_goes_to_manual_anyway_raises_no_doubt_about_others():
    views = drawn_answers(5, 3000, spread=12)
    unsure = {"photographed": softmax(views.answers.logits).max(axis=1) >= 0.95}
    seen = {"photographed": views}
    careful = fit_hazard_threshold(0, seen, 1.0, CHEAP)
    assert fit_hazard_threshold(0, seen, 1.0, CHEAP, accepted=unsure) > careful


def test_a_dear_hazard_is_suspected_where_a_look_by_hand_costs_less():
    seen = {"photographed": drawn_answers(1, 8000, spread=12)}
    for price in (15, 20):
        level = fit_hazard_threshold(0, seen, 1.0, Costs(hazard=price))
        assert level <= 2 * QUANTIZATION_MARGIN / price
        assert level < fit_hazard_threshold(0, seen, 1.0, CHEAP)


def test_probabilities_that_are_all_too_large_are_no_reason_to_look():
    views = drawn_answers(6, 8000)
    stated = 0.9 * softmax(views.answers.logits) + np.array([0.1, 0, 0])
    inflated = LabeledAnswers(Answers(np.log(stated), views.answers.embeddings), views.classes)
    cost = Costs(hazard=8)
    plain = fit_hazard_threshold(0, {"photographed": views}, 1.0, cost)
    assert fit_hazard_threshold(0, {"photographed": inflated}, 1.0, cost) > plain + 0.05


def test_hazards_that_are_recognized_do_not_hide_those_that_are_not():
    rng = np.random.default_rng(0)
    stated = np.append(10 ** rng.uniform(-4, -1, 4000), np.full(30_000, 1e-6))
    chance = 1 / (1 + np.e * np.sqrt((1 - stated) / stated))  # 1 % at a stated 0.08 %
    classes = np.where(rng.random(len(stated)) < chance, 0, 1)
    recognized = 6000
    stated, classes = (
        np.append(stated, np.full(recognized, 0.999)),
        np.append(classes, np.zeros(recognized, int)),
    )
    logits = np.log(np.stack([stated, 0.99 * (1 - stated), 0.01 * (1 - stated)], axis=1))
    views = LabeledAnswers(Answers(logits, np.ones((len(logits), 4))), classes)
    level = fit_hazard_threshold(0, {"photographed": views}, 1.0, Costs(hazard=100))
    assert 0.0004 < level < 0.001


def test_a_hazard_that_val_lacks_gets_the_default():
    views = drawn_answers(4, 60)
    without = LabeledAnswers(views.answers, np.where(views.classes == 0, 1, views.classes))
    assert (
        fit_hazard_threshold(0, {"photographed": without}, 1.0, Costs()) == DEFAULT_HAZARD_THRESHOLD
    )


@given(st.integers(0, 50), st.floats(1.1, 50), st.floats(1, 500))
def test_thresholds_cost_no_more_than_sorting_all_or_none(seed, wrong, hazard):
    views = drawn_answers(seed, 60)
    costs = Costs(wrong, hazard)
    thresholds = fit_thresholds(LABELS, {"photographed": views}, 1.0, {}, costs)
    assert set(thresholds) == set(LABELS) and all(0 <= each <= 1 for each in thresholds.values())
    dearer = fit_thresholds(LABELS, {"photographed": views}, 1.0, {}, Costs(wrong * 20, hazard))
    kept = [
        sum(
            confidence >= chosen[LABELS[best]]
            for confidence, best in zip(
                softmax(views.answers.logits).max(axis=1),
                views.answers.logits.argmax(axis=1),
                strict=True,
            )
        )
        for chosen in (thresholds, dearer)
    ]
    assert kept[1] <= kept[0]


def test_a_dear_hazard_moves_its_own_threshold_not_the_labels():
    views = {"photographed": drawn_answers(8, 400)}
    dear = fit_thresholds(LABELS, views, 1.0, {"Battery": 0.2}, Costs(hazard=500))
    assert dear == fit_thresholds(LABELS, views, 1.0, {"Battery": 0.2}, CHEAP)


def test_without_items_of_a_label_its_threshold_is_chows():
    nothing = LabeledAnswers(Answers(np.zeros((0, 3)), np.zeros((0, 4))), np.zeros(0, int))
    thresholds = fit_thresholds(LABELS, {"photographed": nothing}, 1.0, {}, Costs(wrong=4))
    assert thresholds == dict.fromkeys(LABELS, 0.75)
