import numpy as np

from edge.cameras.film import FilmDevice, read_film
from edge.config import BeltConfig, CameraConfig, ClassifierConfig, Config
from edge.simulator.filming import render_film
from edge.simulator.scenario import Scenario, read_scenario
from edge.simulator.scene import TEXTURE_MM
from edge.simulator.simulate import PhotoFolders, simulate


def test_a_scenario_that_jogs_back_counts_each_item_once(tiny_bundle):
    scenario = read_scenario("jog-back").model_copy(update={"items": 8})
    config = Config(classifier=ClassifierConfig(bundle=tiny_bundle))
    result = simulate(config, scenario, seed=3)
    assert (result.score.items, result.score.counted, result.score.miscounted) == (8, 8, 0)
    assert result.score.deadlines_missed == 0
    assert result.tally.items == len(result.records) == 8
    assert result.inferences >= 8
    assert sum(each.fed for each in result.score.bins.values()) == 8
    assert sum(each.got for each in result.score.bins.values()) == 8


def test_debris_and_photos_lie_on_the_belt_too(tiny_bundle, card_photos):
    scenario = Scenario.model_validate({"items": 6, "load": {"debris": 0.5, "photos": 1.0}})
    config = Config(classifier=ClassifierConfig(bundle=tiny_bundle))
    folder = card_photos[0].path.parents[1]
    score = simulate(config, scenario, seed=5, pictures=PhotoFolders(folder)).score
    assert (score.counted, score.miscounted) == (6, 0)


def test_a_film_begins_again_without_a_seam_and_is_shown_in_time(tmp_path):
    config = Config(
        camera=CameraConfig(width=320, height=180, fps=20), belt=BeltConfig(mm_per_px=2.5)
    )
    scenario = Scenario.model_validate(
        {
            "items": 9,
            "belt": [{"seconds": 1, "speed_mm_s": 2000}],
            "camera": {"fps": 20, "noise": 0, "exposure_ms": 0},
        }
    )
    film = render_film(tmp_path, config, scenario, textures=2, seed=1, pictures=PhotoFolders())
    assert film == read_film(tmp_path)
    assert film.loop_mm == 2 * TEXTURE_MM and 8 <= len(film.labels) <= 23
    device = FilmDevice(f"film://{tmp_path}")
    (first, began_at), (_, next_at) = device.read(), device.read()
    assert abs(next_at - began_at - 0.05) < 1e-6
    frames = np.load(tmp_path / "frames.npy")
    assert len(frames) == 40 and np.array_equal(first, frames[0])

    def jump(before, after):
        """Gray levels by which a picture differs from the one before, moved on by 40 px."""
        moved = np.roll(before, 40, axis=1)[:, 40:].astype(int)
        return np.abs(moved - after[:, 40:]).mean()

    within = [jump(frames[place], frames[place + 1]) for place in range(len(frames) - 1)]
    assert jump(frames[-1], frames[0]) <= max(within)
