"""A simulated site is recalibrated, and judged on other items."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from benchmarks.site_views import SITES, Camera, drawn_sprites, shuffled_rounds

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests/data/tiny-bundle"


def site(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/site.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_every_item_comes_once_before_any_comes_again():
    rounds = shuffled_rounds(drawn_sprites(0, 1)[:5], 0)
    first, second = ([next(rounds).label for _ in range(5)] for _ in range(2))
    assert sorted(first) == sorted(second) and len(set(first)) == 5


def test_a_site_shows_the_same_items_as_its_camera_and_light_make_them():
    sprites = drawn_sprites(3, 1)

    def views(name: str) -> list[np.ndarray]:
        camera, rng = Camera(SITES[name], 3), np.random.default_rng(3)
        found = [np.frombuffer(camera.view(sprite, rng), np.uint8) for sprite in sprites]
        return [cv2.imdecode(each, cv2.IMREAD_COLOR) for each in found]

    home, again, dim, coarse = (views(name) for name in ("home", "home", "dim", "coarse"))
    assert all(np.array_equal(one, other) for one, other in zip(home, again, strict=True))
    assert np.mean([each.mean() for each in dim]) < np.mean([each.mean() for each in home])
    assert sum(each.size for each in coarse) < sum(each.size for each in home) / 3


def test_items_are_judged_before_and_after_reviews(drawn_data):
    photos = ("--photos", drawn_data / "train", "--judged", drawn_data / "test")
    sizes = ("--site", "home", "--items", 20, "--reviews", 30, "--reviews", 150)
    done = site("--bundle", TINY, *photos, *sizes, "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["reviews"] for row in rows] == [0, 30, 150]
    assert [row["verdict"] for row in rows[:2]] == ["in use", "refused"]  # 30 are too few
    for row in rows:
        outcome = row["outcome"]
        assert (
            outcome["items"] == 20 == sum(outcome[name] for name in ("right", "wrong", "by_hand"))
        )
        assert outcome["hazards"]["Battery"]["items"] > 0
        assert (row["temperature"] != rows[0]["temperature"]) == (row["verdict"] == "recalibrated")
    assert rows[1]["outcome"] == rows[0]["outcome"]
    fewer = site(
        "--bundle", TINY, *photos, "--site", "home", "--items", 20, "--reviews", 5, "--json"
    )
    assert (
        json.loads(fewer.stdout)["rows"][0] == rows[0]
    )  # whatever the reviews, the same is judged


def test_classes_that_the_bundle_lacks_and_half_of_the_photos_are_bad_input(drawn_data):
    lacking = site("--bundle", TINY)
    assert lacking.returncode == 2 and "Microwave" in lacking.stderr
    half = site("--photos", drawn_data / "train")
    assert half.returncode == 2 and "--judged" in half.stderr
    assert "no such site" in site("--site", "moon").stderr
