"""Two commits are compared by the runs of the same rounds."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare import compare, exact_interval, figures_of

ROOT = Path(__file__).parents[2]


def test_figures_are_named_by_what_is_around_them():
    row = {"engine": "litert", "threads": 2, "stage": "whole", "median_ms": 1.5, "ok": True}
    found = dict(figures_of({"rows": [row], "start": {"seconds": 2, "bad": float("nan")}}))
    named = "rows litert, whole, 2 threads"
    assert found == {f"{named} threads": 2, f"{named} median_ms": 1.5, "start seconds": 2}


def test_a_ratio_is_of_one_round_and_its_interval_is_exact():
    times = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])
    before = [{"a ms": each, "b ms": each, "c": 1} for each in times]
    after = [{"a ms": 2 * each, "b ms": each, "c": 1} for each in times]
    slower, same = compare(before, after, "ms$")
    assert (slower.ratio, slower.low, slower.high, slower.differs) == (2, 2, 2, True)
    assert same.ratio == 1 and not same.differs


@pytest.mark.parametrize("count", [2, 5, 6, 9, 20])
def test_an_interval_of_the_median_covers_it_as_often_as_it_says(count):
    generator = np.random.default_rng(count)
    found = [exact_interval(generator.lognormal(size=count)) for _ in range(2000)]
    covered = np.mean([each.low <= 1 <= each.high for each in found])
    assert covered >= min(0.95, 1 - 2 ** (1 - count)) - 0.02


def test_a_commit_or_benchmark_that_is_none_is_bad_input():
    for wrong in (("no-such-commit", "HEAD"), ("HEAD", "HEAD", "--benchmark", "../x")):
        command = [sys.executable, "benchmarks/compare.py", *wrong]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_same_commit_is_compared_with_itself(tiny_bundle):
    own = ("--bundle", tiny_bundle, "--runs", 10, "--threads", 1, "--starts", 0)
    options = [f"--option={each}" for each in own]
    command = [sys.executable, "benchmarks/compare.py", "HEAD", "HEAD", "--rounds", "2", "--json"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {row["figure"].rpartition(" ")[2] for row in found["rows"]} == {"median_ms", "cpu_ms"}
    assert all(row["low"] <= row["ratio"] <= row["high"] for row in found["rows"])
    listed = subprocess.run(
        ["git", "worktree", "list"], capture_output=True, text=True, cwd=ROOT
    ).stdout
    assert "ewaste-compare-" not in listed
