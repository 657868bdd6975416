"""Figures against values worked out by hand."""

import math

import numpy as np
import pytest

from edge.calibration.ood_limit import threshold_keeping
from edge.calibration.reliability import (
    calibration_error,
    calibration_error_by_chance,
    reliability,
)
from edge.inference.ood import energy
from train.augmentation.corruptions import CORRUPTIONS, corrupt
from train.evaluation.metrics import (
    plot_confusion,
)
from train.evaluation.ood_detectors import auroc, max_softmax, rejection


def test_calibration_error_of_four_answers():
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.62, 0.38], [0.35, 0.65]])
    parts = reliability(np.array([0, 1, 0, 1]), probabilities, bins=15)
    assert [part["images"] for part in parts] == [2, 2]
    low, high = parts
    assert (low["low"], low["high"]) == (9 / 15, 10 / 15)
    assert (low["confidence"], low["accuracy"]) == (pytest.approx(0.635), 1.0)
    assert (high["confidence"], high["accuracy"]) == (pytest.approx(0.95), 0.5)
    assert calibration_error(parts) == pytest.approx((2 * 0.365 + 2 * 0.45) / 4)


def test_a_confidence_on_an_edge_belongs_to_the_part_below_it():
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0]])
    parts = reliability(np.array([0, 0]), probabilities, bins=10)
    assert [(part["low"], part["high"]) for part in parts] == [(0.4, 0.5), (0.9, 1.0)]
    assert calibration_error(parts) == pytest.approx(0.25)


def test_confidence_that_is_exactly_right_shows_an_error_that_falls_with_the_photos():
    rng = np.random.default_rng(3)
    sure = np.eye(3)[rng.integers(3, size=50)]
    assert calibration_error_by_chance(sure, draws=20) == (0.0, 0.0)
    few, many = (
        calibration_error_by_chance(rng.dirichlet((5, 1, 1), count), draws=200)
        for count in (100, 10_000)
    )
    assert few[0] < few[1] and many[0] < many[1] < few[0]
    assert few[0] / many[0] == pytest.approx(10, rel=0.5)  # as the square root of their number


def test_a_model_that_is_too_sure_of_itself_is_past_chance():
    probabilities = np.repeat([[0.95, 0.05]], 200, axis=0)
    classes = np.repeat([0, 1], [160, 40])
    mean, high = calibration_error_by_chance(probabilities)
    assert mean < high < calibration_error(reliability(classes, probabilities))


def test_auroc_counts_pairs_and_half_of_the_ties():
    known, unknown = np.array([3.0, 2.0, 1.0]), np.array([2.0, 0.0])
    # pairs: 3>2, 3>0, 2=2, 2>0, 1<2, 1>0
    assert auroc(known, unknown) == pytest.approx(4.5 / 6)


def test_the_threshold_keeps_at_least_the_share_and_no_more_than_it_must():
    known = np.arange(1, 21, dtype=float)
    assert threshold_keeping(known, 0.95) == 2
    assert threshold_keeping(known[:10], 0.95) == 1
    figures = rejection(known, np.array([0.5, 1.5, 2.0, 30.0]))
    assert figures["threshold"] == 2 and figures["accepted_at_95"] == 0.5


def test_scores_of_logits():
    logits = np.array([[2.0, 0.0], [1000.0, 1000.0]])
    np.testing.assert_allclose(max_softmax(logits, 2.0), [math.e / (math.e + 1), 0.5], rtol=1e-6)
    expected = [2 * math.log(math.e + 1), 1000 + 2 * math.log(2)]
    np.testing.assert_allclose(energy(logits, 2.0), expected)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_corruption_grows_with_its_severity_and_repeats_itself(kind):
    ramp = np.linspace(40, 215, 224).astype(np.uint8)
    pixels = np.stack([np.add.outer(ramp // 2, ramp // 2)] * 3, axis=-1)
    pixels[60:150, 60:150] = (200, 40, 40)
    differences = []
    for severity in range(1, 6):
        corrupted = corrupt(pixels, kind, severity, seed=3)
        assert corrupted.shape == pixels.shape and corrupted.dtype == np.uint8
        np.testing.assert_array_equal(corrupted, corrupt(pixels, kind, severity, seed=3))
        differences.append(np.abs(corrupted.astype(int) - pixels).mean())
    # The rectangle lies elsewhere at each severity, so it may hide more or less of a difference.
    assert 0 < differences[0] < differences[2] < differences[4]


def test_dollar_signs_in_a_label_are_no_formula(tmp_path):
    figures = {"confusion": [[1, 0], [1, 2]], "images": 4, "accuracy": 0.75}
    plot_confusion(figures, ("CD/DVD $^$", "$x"), tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 1000
