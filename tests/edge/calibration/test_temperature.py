import numpy as np
import pytest

from edge.calibration.temperature import calibrated_loss, fit_temperature
from edge.inference.classifier import softmax
from tests.support.answers import drawn_answers


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    views = drawn_answers(0, 6000, temperature)
    found = fit_temperature(views.answers.logits, views.classes)
    assert found == pytest.approx(temperature, rel=0.06)


def test_loss_does_not_depend_on_how_sure_a_model_is():
    views = drawn_answers(0, 600)
    logits, classes = views.answers.logits, views.classes
    loss = calibrated_loss(logits, classes)
    assert calibrated_loss(3 * logits, classes) == pytest.approx(loss, abs=1e-5)
    at = softmax(logits, fit_temperature(logits, classes))[np.arange(len(classes)), classes]
    assert loss == pytest.approx(-np.log(at).mean())
