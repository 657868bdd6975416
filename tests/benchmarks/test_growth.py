"""What records cost as they grow."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.growth import GrowthRow, growth_of, growths_of

ROOT = Path(__file__).parents[2]


def rows(stage: str, *cpu_ms: float) -> list[GrowthRow]:
    return [
        GrowthRow(stage, 10**power, each, each, each / cpu_ms[0], 0)
        for power, each in enumerate(cpu_ms, 3)
    ]


@pytest.mark.parametrize(
    ("cpu_ms", "growth", "second_at"),
    [
        ((1, 1, 1), "flat", None),
        ((1, 10, 100), "with the records", 1_000_000),
        ((1, 3, 9), "slower than the records", 1.9e9),
    ],
)
def test_a_cost_is_flat_or_grows(cpu_ms, growth, second_at):
    found = growth_of(rows("a", *cpu_ms))
    assert (found.growth, found.second_at) == (growth, second_at)


def test_what_breaks_first_stands_first():
    every = [*rows("flat", 5, 5, 5), *rows("late", 1, 10, 100), *rows("soon", 2, 20, 200)]
    assert [each.stage for each in growths_of(every)] == ["soon", "late", "flat"]


def test_small_files_are_measured_in_turns():
    sizes = ("--records", "200", "--records", "2000", "--rounds", "2", "--json")
    command = [sys.executable, "benchmarks/growth.py", *sizes]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    costs = {(row["stage"], row["records"]): row["cpu_ms"] for row in found["rows"]}
    assert {count for _, count in costs} == {200, 2000}
    assert costs["figures of all", 2000] > costs["figures of all", 200] > 0
    assert {each["stage"] for each in found["growth"]} == {stage for stage, _ in costs}


def test_one_size_shows_no_growth_and_is_bad_input():
    command = [sys.executable, "benchmarks/growth.py", "--records", "500"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "--records" in done.stderr
