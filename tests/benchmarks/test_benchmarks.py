"""The benchmark scripts as a user types them, on a tiny bundle: they measure, and agree."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundle import load_bundle

ROOT = Path(__file__).parents[2]


def benchmark(script: str, *arguments: object) -> dict:
    command = [sys.executable, f"benchmarks/{script}.py", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_latency_times_each_stage_against_the_inference(tiny_bundle):
    rows = benchmark("latency", "--bundle", tiny_bundle, "--threads", 1, "--runs", 20)["rows"]
    assert [row["stage"] for row in rows] == ["preprocess 1280x720", "inference"]
    for row in rows:
        assert 0 < row["median_ms"] <= row["p95_ms"] <= row["p99_ms"]
    preprocess, inference = rows
    assert inference["ratio"] == 1
    share = preprocess["median_ms"] / inference["median_ms"]
    assert preprocess["ratio"] == pytest.approx(share, rel=0.05)


def test_accuracy_without_tensorflow_is_what_the_conversion_measured(tiny_bundle, drawn_data):
    figures = benchmark("accuracy", "--bundle", tiny_bundle, "--photos", drawn_data / "test")
    assert figures["accuracy"] == load_bundle(tiny_bundle).manifest.parity.accuracy_quantised
    assert figures["images"] == sum(each["images"] for each in figures["per_class"].values())


def test_runtimes_are_held_to_the_first(tiny_bundle, drawn_data):
    again = ("--runtime", f"ai_edge_litert={sys.executable}", "--images", 8)
    photos = ("--photos", drawn_data / "test")
    rows = benchmark("runtimes", "--bundle", tiny_bundle, *photos, *again)["rows"]
    assert [(row["images"], row["same"], row["largest_difference"]) for row in rows] == [
        (8, 8, 0)
    ] * 2


def test_photos_of_another_class_are_bad_input(tiny_bundle, tmp_path, drawn_data):
    (tmp_path / "Toaster").symlink_to(drawn_data / "test" / "PCB")
    command = [sys.executable, "benchmarks/accuracy.py", "--bundle", str(tiny_bundle)]
    done = subprocess.run(
        [*command, "--photos", str(tmp_path)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2
    assert "Toaster" in done.stderr and "Traceback" not in done.stderr
