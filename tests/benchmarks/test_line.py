"""What load the line bears, in virtual time."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.line import LineRow, ModeledInference, find_limit
from edge.clock import VirtualClock

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests/data/tiny-bundle"
ROW = LineRow("limit", 250, 80, 1280, 6, 60, 10, 0, 1, 1.5, 0.1, 0, 0)


class Named:
    def predict(self, view: np.ndarray) -> str:
        return f"{view.sum()}"


def test_a_modeled_inference_answers_after_its_time():
    clock = VirtualClock()
    model = ModeledInference(Named(), clock, 0.05)
    model.start(np.ones(3))
    assert model.answer() is None
    clock.sleep(0.06)
    assert model.answer() == ("3.0", 50)
    with pytest.raises(ValueError, match="nothing"):
        model.answer()
    model.start(np.zeros(1))
    assert model.wait() == ("0.0", 50) and model.count == 2


def test_the_limit_lies_between_what_was_borne_and_what_was_not():
    good, bad = find_limit(lambda mm_s: replace(ROW, speed_mm_s=mm_s, missed=int(mm_s > 1700)))
    assert good.speed_mm_s <= 1700 < bad.speed_mm_s
    assert bad.speed_mm_s - good.speed_mm_s <= 1000 / 2**4
    good, bad = find_limit(lambda mm_s: replace(ROW, speed_mm_s=mm_s))
    assert bad is None and good.speed_mm_s == 16_000
    good, bad = find_limit(lambda mm_s: replace(ROW, speed_mm_s=mm_s, missed=2))
    assert good.missed == bad.missed == 2


@pytest.mark.slow
def test_a_model_that_is_too_slow_is_seen():
    own = ("--bundle", str(TINY), "--items", "5", "--inference-ms", "40", "--no-limit", "--json")
    command = [sys.executable, "benchmarks/line.py", *own]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    first, *others = found["rows"]
    assert first["missed"] == 0 and 0 < first["busy"] < 1
    slowest = others[-1]
    assert slowest["changed"] == "inference" and slowest["inference_ms"] == 64 * 40
    assert slowest["missed"] > 0 and slowest["busy"] > first["busy"]
    assert {row["changed"] for row in others} == {"speed", "spacing", "resolution", "inference"}
    assert 0 < found["empty_core"] < 1
