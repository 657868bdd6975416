"""The calibration of the device and of the workstation is one, and finds what libraries find."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from edge.calibration.answers import Answers, LabeledAnswers
from edge.calibration.costs import Costs
from edge.calibration.fit import fit_parameters
from edge.calibration.logistic import fit_logistic
from edge.calibration.temperature import fit_temperature
from edge.inference.classifier import softmax
from tests.support.answers import drawn_answers
from train.evaluation.calibrate import fit

LABELS = ("Battery", "Mouse", "PCB")


def with_embeddings(views: LabeledAnswers, seed: int) -> LabeledAnswers:
    noise = np.random.default_rng(seed).normal(0, 1, (len(views.classes), 5))
    embeddings = np.hstack([views.answers.logits, noise]).astype(np.float32)
    logits = views.answers.logits.astype(np.float32)
    return LabeledAnswers(Answers(logits, embeddings), views.classes)


@pytest.mark.parametrize("seed", range(3))
def test_both_entry_points_give_the_same_bits(seed):
    seen = {"photographed": with_embeddings(drawn_answers(seed, 400, 1.7, spread=6), seed)}
    noise = np.random.default_rng(seed).normal(0, 1, (50, 8))
    trained = fit(
        labels=LABELS,
        hazards=("Battery",),
        views=seen,
        references=with_embeddings(drawn_answers(9, 300), 9),
        ood_samples={"noise": Answers(noise[:, :3], noise)},
        costs=Costs(),
    )
    on_device = fit_parameters(
        labels=LABELS,
        hazards=("Battery",),
        views=seen,
        detector=trained.detector,
        costs=Costs(),
    )
    assert on_device.model_dump_json() == trained.parameters.model_dump_json()
    assert trained.detector.rule == on_device.unknown


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_is_that_of_scipy(seed):
    views = drawn_answers(seed, 300, 0.3 + seed)
    logits, classes = views.answers.logits, views.classes

    def loss(logarithm: float) -> float:
        likely = softmax(logits, np.exp(logarithm))[np.arange(len(classes)), classes]
        return -float(np.log(np.maximum(likely, 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    assert fit_temperature(logits, classes) == pytest.approx(float(np.exp(found.x)), rel=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_regression_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    feature = rng.uniform(-13.8, 13.8, 400)
    truth = rng.random(400) < 1 / (1 + np.exp(-(seed + 0.1) * (feature + 3)))
    theirs = LogisticRegression(C=1e3, tol=1e-10, max_iter=10_000).fit(feature[:, None], truth)
    ours = fit_logistic(feature, truth, 1e3)
    assert ours == pytest.approx((theirs.coef_[0, 0], theirs.intercept_[0]), rel=1e-4)
