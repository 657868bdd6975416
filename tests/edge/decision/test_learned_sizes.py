import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.config import read_config
from edge.decision.learned_sizes import learned_sizes, reviewed_labels, reviewed_sides
from edge.records.export import export_review
from edge.records.store import RECORDS_NAME, Store
from edge.verdict import Reason
from tests.support.records import RECORD

ROOT = Path(__file__).parents[3]


def televisions(count: int, **changes):
    lengths = 640 * np.exp(0.15 * np.random.default_rng(1).normal(size=count))
    return [
        replace(RECORD, item_id=f"tv-{number}", longer_mm=float(length), **changes)
        for number, length in enumerate(lengths)
    ]


def test_only_measured_items_that_a_person_has_reviewed_count():
    good = televisions(3, reviewed="Television")
    records = [
        *good,
        replace(good[0], reviewed=""),
        replace(good[0], longer_mm=math.nan),
        replace(good[0], longer_mm=math.inf),
        replace(good[0], longer_mm=-5.0),
        replace(good[0], longer_mm=0.0),
        replace(good[0], reason=Reason.TOUCHING),
    ]
    sides = reviewed_sides(records, {})
    assert sides == {"Television": [each.longer_mm for each in good]}
    assert learned_sizes(sides, 4) == {}
    assert set(learned_sizes(sides, 3)) == {"Television"}


def test_the_command_prints_what_a_configuration_takes(tmp_path):
    waiting = televisions(40, label="Mobile", review="unsure")
    with Store(tmp_path / RECORDS_NAME) as store:
        store.append([*waiting, replace(RECORD, longer_mm=80.0, reviewed="Battery")])
    review = tmp_path / "review"
    with Store(tmp_path / RECORDS_NAME, read_only=True) as store:
        export_review(store.to_review(), review, print)
    (review / "Mobile").rename(review / "Television")  # a person puts it right
    for picture in review.glob("*/*.jpg"):
        picture.write_bytes(b"any")
    labels = reviewed_labels(review)
    assert set(labels.values()) == {"Television", "Battery"} and len(labels) == 41

    def sizes(*options):
        command = [sys.executable, "-m", "edge.cli", "sizes", "--state", tmp_path, *options]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    done = sizes("--reviewed", review)
    assert done.returncode == 0 and "Battery: 1 of 30 items" in done.stderr
    (tmp_path / "line.toml").write_text(done.stdout)
    (size,) = read_config(tmp_path / "line.toml").sizes.values()
    assert size.median_mm == pytest.approx(640, rel=0.1)
    assert size.spread == pytest.approx(0.15, rel=0.4)
    few = sizes()
    assert few.returncode == 2 and few.stderr.splitlines()[-1].startswith("error: ")
