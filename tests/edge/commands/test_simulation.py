import json

import numpy as np
from PIL import Image

from tests.support.command import ewaste


def test_simulate_prints_one_json_object_with_the_stable_keys(tiny_bundle):
    done = ewaste("simulate", "--items", 5, "--seed", 2, "--bundle", tiny_bundle, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    stable = "items counted right wrong unknown missed duplicates touching routed_right"
    assert {*stable.split(), "hazard_leaks", "deadlines_missed"} <= set(figures)
    assert figures["items"] == figures["counted"] == 5


def test_simulate_names_and_skips_a_corrupt_photo(tiny_bundle, tmp_path):
    (tmp_path / "PCB").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "PCB" / "good.png")
    (tmp_path / "PCB" / "bad.jpg").write_bytes(b"no picture")
    done = ewaste("simulate", "--items", 3, "--photos", tmp_path, "--bundle", tiny_bundle, "--json")
    assert done.returncode == 0, done.stderr
    assert "bad.jpg" in done.stderr
    assert json.loads(done.stdout)["counted"] == 3
