import numpy as np

from train.learning.fit import NEGATIVE, UNLABELED, KnownAccuracy, sample_weights, targets_of


def test_a_known_photo_has_its_class_and_any_other_all_alike():
    targets = targets_of(np.array([1, NEGATIVE, UNLABELED]), 4, 0.2)
    np.testing.assert_allclose(targets[0], [0.05, 0.85, 0.05, 0.05])
    np.testing.assert_allclose(targets[1:], 0.25)


def test_an_unlabeled_photo_has_no_weight_and_rare_classes_more():
    classes = np.array([0, 0, 0, 0, 1, NEGATIVE, UNLABELED])
    weights = sample_weights(classes, np.arange(7), 0.5)
    assert weights[5] == 0.5 and weights[6] == 0
    assert weights[4] == 4 * weights[0]
    np.testing.assert_allclose(weights[:5].mean(), 1)


def test_the_accuracy_is_that_of_known_photos():
    metric = KnownAccuracy()
    truth = targets_of(np.array([0, 1, NEGATIVE]), 2, 0.1)
    metric.update_state(truth, np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]], np.float32))
    assert float(metric.result()) == 0.5
