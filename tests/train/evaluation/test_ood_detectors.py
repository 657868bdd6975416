"""Fitted detectors carry what a device is taught beside."""

import numpy as np

from edge.calibration.answers import Answers
from edge.inference.ood import KNOWN, NEGATIVES, unit
from train.evaluation.ood_detectors import MOST_NEGATIVES, fit_detectors


def answers(seed: int, count: int) -> Answers:
    rng = np.random.default_rng(seed)
    return Answers(rng.normal(size=(count, 3)), rng.normal(size=(count, 24)))


def test_known_items_and_negatives_lie_beside_every_score():
    known, classes = answers(0, 60), np.arange(60) % 3
    negatives = answers(1, MOST_NEGATIVES + 10)
    fits = fit_detectors(known, classes, known=answers(2, 30), temperature=1.0, negatives=negatives)
    for detector in fits.values():
        projection = detector.arrays[KNOWN[0]]
        stored, others = detector.arrays[KNOWN[1]], detector.arrays[NEGATIVES]
        assert len(stored) == 60 and 0 < len(others) <= MOST_NEGATIVES
        np.testing.assert_allclose(stored, unit(known.embeddings) @ projection, atol=0.01)
        np.testing.assert_allclose(others[0], unit(negatives.embeddings)[0] @ projection, atol=0.01)
    without = fit_detectors(known, classes, known=answers(2, 30), temperature=1.0)
    assert all(NEGATIVES not in detector.arrays for detector in without.values())
