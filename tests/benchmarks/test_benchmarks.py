"""The benchmark scripts on a tiny bundle, through their command lines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundle.bundle import load_bundle

ROOT = Path(__file__).parents[2]


def benchmark(script: str, *arguments: object) -> dict:
    command = [sys.executable, f"benchmarks/{script}.py", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_latency_times_each_stage_against_the_bare_inference(tiny_bundle):
    own = ("--bundle", tiny_bundle, "--threads", 1, "--runs", 20, "--starts", 1)
    apart = ("--runtime", f"ai_edge_litert={sys.executable}", "--frame", "320x240")
    found = benchmark("latency", *own, *apart)
    rows = {row["stage"]: row for row in found["rows"] if "own Python" not in row["engine"]}
    of_frame = ("decode", "detect", "crop", "resize", "preprocess", "our classifier", "whole")
    assert {f"{stage} 320x240" for stage in of_frame} < set(rows)
    assert rows["inference"]["ratio"] == rows["inference"]["cpu_ratio"] == 1
    for row in found["rows"]:
        assert 0 < row["median_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["median_low_ms"] <= row["median_ms"] <= row["median_high_ms"]
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["samples"] + row["left_out"] == 20 and row["samples"] >= 5
    assert rows["whole 320x240"]["cpu_ms"] > rows["our classifier 320x240"]["cpu_ms"]
    (apart_row,) = (row for row in found["rows"] if "own Python" in row["engine"])
    assert apart_row["stage"] == "inference" and apart_row["variant"] == "int8"
    start = found["start"]
    assert start["seconds_low"] <= start["seconds"] <= start["seconds_high"]
    assert start["peak_mb"] > 30 and start["import_ms"] > 10
    assert {"machine", "versions", "commit", "load"} <= set(found["facts"])


@pytest.mark.parametrize(
    "wrong", [("--frame", "9x9"), ("--frame", "axb"), ("--runtime", "toaster=python")]
)
def test_a_frame_or_runtime_that_is_none_is_bad_input(wrong):
    command = [sys.executable, "benchmarks/latency.py", *wrong]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert wrong[1] in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_cost_of_a_map_is_a_ratio_to_a_model_without() -> None:
    rows = benchmark("activation_map", "--size", 32, "--classes", 3, "--rounds", 10)["rows"]
    assert [row["name"] for row in rows] == [
        "without a map",
        "with a map, not read",
        "with a map, read",
    ]
    assert rows[0]["ratio"] == rows[0]["low"] == rows[0]["high"] == 1
    assert all(0 < row["low"] <= row["ratio"] <= row["high"] for row in rows)


@pytest.mark.slow
def test_the_model_has_a_share_of_the_fastest_convolution(tiny_bundle) -> None:
    rows = benchmark("roofline", "--bundle", tiny_bundle, "--threads", 1, "--rounds", 10)["rows"]
    assert [row["kind"] for row in rows] == ["int8"] * 4 + ["fp32"] * 3
    assert [row["multiplications"] for row in rows[:3]] == [943.7, 943.7, 419.4]
    for kind in ("int8", "fp32"):
        shares = [row["share"] for row in rows if row["kind"] == kind]
        assert 1 in shares
    for row in rows:
        assert 0 < row["low"] <= row["share"] <= row["high"]
        spent_s = row["median_ms"] / 1000
        assert row["rate"] == pytest.approx(row["multiplications"] / spent_s / 1000, rel=0.1)


def test_accuracy_equals_that_of_the_conversion(tiny_bundle, drawn_data):
    figures = benchmark("accuracy", "--bundle", tiny_bundle, "--photos", drawn_data / "test")
    assert figures["accuracy"] == load_bundle(tiny_bundle).manifest.parity.accuracy_quantized
    assert figures["images"] == sum(each["images"] for each in figures["per_class"].values())
    (row,) = figures["variants"]
    assert row["low"] <= row["accuracy"] <= row["high"] and row["agreement"] is None
    assert figures["ece"] >= 0 and figures["ece_by_chance"] <= figures["ece_by_chance_95"]


def test_a_drop_against_a_baseline_is_refused(tmp_path):
    """On the bundle of the tests, which nobody trained well: only the comparison counts."""
    kept, script = tmp_path / "baseline.json", "benchmarks/accuracy.py"
    own = ["--bundle", "tests/data/tiny-bundle", "--drawn", "3", "--json"]

    def run(*more: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, script, *own, *map(str, more)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    first = run("--keep", kept, "--model", "tests/data/tiny-fp32.tflite")
    assert first.returncode == 0, first.stderr
    own_row, float_row = json.loads(first.stdout)["variants"]
    assert float_row["variant"] == "tiny-fp32" and float_row["agreement"] == 1
    assert own_row["agreement_low"] <= own_row["agreement"] <= own_row["agreement_high"]
    assert run("--baseline", kept).returncode == 0
    before = json.loads(kept.read_text())
    kept.write_text(json.dumps({**before, "accuracy_low": 1.5}))
    worse = run("--baseline", kept)
    assert worse.returncode == 3 and "accuracy" in worse.stderr
    kept.write_text(json.dumps({**before, "pictures": "others"}))
    assert run("--baseline", kept).returncode == 2
    kept.write_text("[]")
    assert run("--baseline", kept).returncode == 2 and run("--keep", kept).returncode == 2
    assert kept.read_text() == "[]"


def test_groups_of_look_alikes_save_keys_and_are_counted(tiny_bundle, drawn_data):
    photos = ("--photos", drawn_data / "test", "--drawn", 2)
    rows = benchmark("lookalikes", "--bundle", tiny_bundle, *photos)["rows"]
    assert [row["name"] for row in rows[::2]] == ["photos", "drawn", "pieces"]
    for row in rows:
        assert row["unlike"] <= row["grouped"] <= row["items"] and row["keys"] <= row["items"]
        assert row["items"] - row["keys"] < max(1, row["grouped"])
    assert [row["items"] for row in rows[2::2]] == [20, 20]


def test_runtimes_are_compared_with_the_first(tiny_bundle, drawn_data):
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


def test_the_plant_runs_the_named_scenarios(tiny_bundle, tmp_path):
    config = tmp_path / "line.toml"
    config.write_text(f"[classifier]\nbundle = '{tiny_bundle}'\n")
    figures = benchmark("plant", "even", "jog-back", "--items", 5, "--fps", 30, "--config", config)
    assert [row["scenario"] for row in figures["scenarios"]] == ["even", "jog-back"]
    assert figures["total"]["items"] == 10 and figures["total"]["miscounted"] == 0
    assert sum(each["fed"] for each in figures["bins"].values()) == 10


@pytest.mark.slow
def test_the_line_keeps_up_with_a_film_of_a_fast_belt():
    figures = benchmark("realtime", "--minutes", 0.3)
    assert figures["items"] == pytest.approx(figures["items_expected"], rel=0.05)
    assert figures["line_cores"] > figures["camera_process_cores"] > 0


@pytest.mark.slow
@pytest.mark.soak
def test_hours_of_belt_leak_no_handles_or_threads():
    notes = benchmark("endurance", "--hours", 0.15, "--megabytes", 10)["notes"]
    assert notes[-1]["items"] > 50
    middle = len(notes) // 2
    for what in ("files", "threads"):  # a file may be open for a moment, but none stays so
        counts = [note[what] for note in notes]
        assert max(counts[middle:]) <= max(counts[2:middle])
    assert all(note["disk_mb"] < 10 * 1.5 for note in notes)


def test_voting_runs_the_same_belt_in_each_way(tiny_bundle):
    rows = benchmark("voting", "--bundle", tiny_bundle, "--items", 5, "--fixed", 2)["rows"]
    assert [row["vote"] for row in rows] == ["fixed 2", "sequential, at most 3"]
    assert rows[0]["inferences"] == 2
    assert 1 <= rows[1]["inferences"] <= 3
    assert all(row["items"] == 5 and row["wrong"] + row["unknown"] <= 5 for row in rows)


def test_belt_measures_a_frame_without_inference(tiny_bundle):
    rows = benchmark("belt", "--bundle", tiny_bundle, "--items", 4, "--frames", 30)["rows"]
    empty, busy = rows
    assert (empty["items"], busy["items"]) == (0, 4)
    assert empty["frame_ms"] > 0 and 0 < empty["core"] < 1
    beside = busy["per_item_ms"] / (busy["inference_ms"] * busy["inferences"])
    assert busy["ratio"] == pytest.approx(beside, rel=0.5)


@pytest.mark.slow
def test_the_line_and_its_peers_work_on_the_same_films(tiny_bundle, tmp_path):
    belt = tmp_path / "belt.toml"
    belt.write_text(f"[load]\nlabels = {list(load_bundle(tiny_bundle).labels)}\n")
    films = ("--scenario", belt, "--items", 3, "--rounds", 2)
    films += ("--counted", "stop-and-go", "--count-items", 3)
    figures = benchmark("peers", "--bundle", tiny_bundle, *films)
    line, *peers = figures["classifying"]
    assert line["ratio"] == line["low"] == line["high"] == 1
    assert {"tflite-pillow", "edge-impulse"} <= {row["name"] for row in peers}
    for row in figures["classifying"]:
        assert row["items"] == 3 and row["cpu_s"] > 0
        assert row["right"] == round(row["share"] * 3)
        if row["ratio"] is not None:
            assert 0 <= row["low"] <= row["ratio"] <= row["high"]
    counts = {row["name"]: row for row in figures["counting"]}
    assert {"the line", "the line, no encoder", "mog2-centroid"} <= set(counts)
    assert counts["the line"]["miscounted"] == 0
    for row in counts.values():
        assert row["miscounted"] == row["missed"] + row["twice"] + row["nothing"]
    assert "--keras" in {each["name"]: each for each in figures["missing"]}["keras"]["remedy"]


def test_the_page_has_what_benchmarks_wrote(tmp_path):
    rows = [{"name": "<b>", "ratio": 1.0, "low": 0.9, "high": 1.1}, {"name": "c", "ratio": 2}]
    (tmp_path / "peers.json").write_text(json.dumps({"rows": rows, "items": 3}))
    command = [sys.executable, "benchmarks/report.py", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert page.count("data:image/svg+xml") == 1
    assert all(fact in page for fact in ("machine", "versions", "commit", "load"))
    (tmp_path / "more.json").write_text("[NaN")
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "more.json" in done.stderr


def test_a_peer_that_nobody_knows_is_bad_input():
    command = [sys.executable, "benchmarks/peers.py", "--peer", "toaster=python"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "toaster" in done.stderr and "Traceback" not in done.stderr


def test_touching_lays_pairs_that_are_recognized(tmp_path):
    rows = benchmark("touching", "--count", 8, "--seed", 3)["rows"]
    assert [row["lie"] for row in rows] == ["single", "touching", "overlapping"]
    single, touching, _ = rows
    assert single["recognized"] <= 0.25 and touching["recognized"] >= 0.75
    assert all(row["missed"] == 0 for row in rows)
