"""The odometer on rendered scenes whose true positions are known."""

import numpy as np
import pytest

from edge.belt.geometry import Geometry
from edge.cameras.camera import Frame
from edge.encoders.visual_odometer import Odometer
from edge.simulator.layout import place_items
from edge.simulator.motion import BeltMotion, Stretch
from edge.simulator.pieces import drawn_pieces
from edge.simulator.scene import Scene

VIEW = Geometry(640, 360, 1.25)
JOGGING = [
    Stretch(1.0, 250),
    Stretch(0.6, 0),
    Stretch(0.6, -300),
    Stretch(1.0, 600),
    Stretch(0.8, 15),
    Stretch(0.2, 0),
    Stretch(9.0, 1000),
]


@pytest.fixture(scope="module")
def scenes():
    items = place_items(drawn_pieces(1, VIEW), 40, 1, VIEW, start_mm=-100)
    return {"empty": Scene([], VIEW, 3), "items": Scene(items, VIEW, 3)}


def seen(scene, profile, seconds, fps, corrupt=lambda pixels, frame: pixels):
    """The odometer's positions and the true ones after each frame; what corrupts may drop
    frames.
    """
    belt, odometer = BeltMotion(profile, repeated=False), Odometer(VIEW, nominal_mm_s=250)
    found, true = [], []
    for number in range(round(seconds * fps)):
        at = number / fps
        pixels = corrupt(scene.render(belt.position_mm(at)), number)
        if pixels is None:
            continue
        odometer.see(Frame(pixels, at, number))
        found.append(odometer.position_mm(at))
        true.append(round(belt.position_mm(at) / VIEW.mm_per_px) * VIEW.mm_per_px)
    return odometer, np.array(found), np.array(true)


@pytest.mark.parametrize("scene", ["empty", "items"])
@pytest.mark.parametrize("fps", [10, 30])
def test_it_follows_stops_creep_and_jogs_back(scenes, scene, fps):
    odometer, found, true = seen(scenes[scene], JOGGING, 5.0, fps)
    assert np.abs(found - true).max() < 3 and odometer.sure


def test_noise_flicker_and_dust_on_the_lens_do_not_move_it(scenes):
    rng = np.random.default_rng(0)
    dust = rng.integers(-60, 60, (VIEW.height_px, VIEW.width_px)) * (rng.random() < 0.02)

    def corrupt(pixels, number):
        bands = 0.15 * np.sin(np.arange(VIEW.height_px) / 40 + 2.1 * number)[:, np.newaxis]
        noise = rng.normal(0, 4, pixels.shape[:2])
        corrupted = pixels * (1 + bands)[..., np.newaxis] + (dust + noise)[..., np.newaxis]
        return np.clip(corrupted, 0, 255).astype(np.uint8)

    odometer, found, true = seen(scenes["empty"], JOGGING, 5.0, 15, corrupt)
    assert np.abs(found - true).max() < 3 and odometer.sure


def test_a_belt_that_stands_has_one_position(scenes):
    rng = np.random.default_rng(0)

    def noisy(pixels, number):
        return np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)

    odometer, found, _ = seen(scenes["items"], [Stretch(1, 0)], 4.0, 15, noisy)
    assert set(found[1:]) == {0.0} and odometer.position_mm(10.0) == 0.0


def test_without_texture_it_says_so_and_goes_on_by_the_last_speed(scenes):
    def gray(pixels, number):
        return np.full_like(pixels, 90) if 30 <= number < 75 else pixels

    trusted = []
    belt, odometer = BeltMotion([Stretch(1, 200)], repeated=False), Odometer(VIEW, 250)
    for number in range(100):
        at = number / 30
        pixels = scenes["items"].render(belt.position_mm(at))
        odometer.see(Frame(gray(pixels, number), at, number))
        trusted.append(odometer.health().trusted)
    assert all(trusted[:36]) and not any(trusted[45:75]) and all(trusted[80:])
    assert odometer.position_mm(at) == pytest.approx(belt.position_mm(at), abs=15)


def test_a_nominal_speed_stands_in_until_it_has_seen_any():
    odometer = Odometer(VIEW, 250)
    gray = np.full((VIEW.height_px, VIEW.width_px, 3), 80, np.uint8)
    for number in range(60):
        odometer.see(Frame(gray, number / 30, number))
    assert odometer.position_mm(59 / 30) == pytest.approx(250 * 59 / 30)
    health = odometer.health()
    assert not health.trusted and "cannot see" in health.message and "250" in health.message


def test_dropped_frames_are_bridged_by_what_is_still_in_view(scenes):
    def dropped(pixels, number):
        return None if 20 <= number < 50 or number % 5 in (1, 2) else pixels

    odometer, found, true = seen(scenes["items"], [Stretch(1, 250)], 4.0, 30, dropped)
    assert np.abs(found - true).max() < 3 and odometer.sure


def test_a_belt_that_stopped_while_frames_were_missing_did_not_move(scenes):
    def dropped(pixels, number):
        return None if 30 <= number < 120 else pixels

    profile = [Stretch(1.2, 250), Stretch(1, 0)]
    odometer, found, true = seen(scenes["items"], profile, 5.0, 30, dropped)
    assert abs(found[-1] - true[-1]) < 2 and odometer.health().trusted


def test_between_and_after_frames_the_belt_goes_on(scenes):
    odometer, _, _ = seen(scenes["empty"], [Stretch(1, 300)], 1.0, 10)
    assert odometer.position_mm(0.65) == pytest.approx(195, abs=2)
    assert odometer.position_mm(1.0) == pytest.approx(300, abs=3)
    assert odometer.position_mm(60.0) < 600, "not for ever"
