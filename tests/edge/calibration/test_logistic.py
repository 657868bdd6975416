import subprocess
import sys

import numpy as np
import pytest

from edge.calibration.logistic import fit_logistic


def test_what_was_put_in_is_found():
    rng = np.random.default_rng(0)
    feature = rng.normal(-4, 3, 200_000)
    truth = rng.random(200_000) < 1 / (1 + np.exp(-(0.7 * feature + 1.2)))
    slope, intercept = fit_logistic(feature, truth, 1e3)
    assert (slope, intercept) == pytest.approx((0.7, 1.2), abs=0.03)


def test_classes_that_a_threshold_parts_have_a_steep_but_finite_slope():
    feature = np.linspace(-14, 14, 200)
    slope, intercept = fit_logistic(feature, feature > 3, 1e3)
    assert 5 < slope < 1000 and intercept == pytest.approx(-3 * slope, rel=0.05)


def test_the_room_needs_neither_scipy_nor_scikit_learn():
    code = (
        "import sys, edge.calibration.fit, edge.calibration.decisions;"
        "import edge.calibration.reliability;"
        "print(sorted({'scipy', 'sklearn', 'pandas', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[]\n", done.stderr
