"""Where the model looked: the overlay of a tried picture, and the tab that shows it."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge.bundle.bundle import Bundle
from edge.config import Config, decision_rules
from edge.inference.activation import Region, Spread
from edge.panel import fragments
from edge.panel.overlay import LONGEST, draw_overlays
from edge.panel.trial import Likeness, Trial
from tests.support.bright import bright_bundle, bright_square
from tests.support.served import Panel, keep_picture, open_tab, post

SCREENS = {"wide": (1280, 800), "low": (1024, 600), "phone": (390, 844)}


def trial_of(bundle: Bundle) -> Trial:
    return Trial(bundle.path, lambda opened: decision_rules(Config(), opened))


def png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bright_bundle(tmp_path_factory.mktemp("bright") / "bright")


def test_a_trial_shows_where_the_model_looked(bright: Bundle) -> None:
    picture = bright_square(300, 200, 205, 15, 80)
    answer = trial_of(bright)(png(picture))
    assert answer.overlays is not None
    assert list(answer.overlays) == sorted(
        answer.probabilities, key=answer.probabilities.__getitem__, reverse=True
    )
    battery = answer.overlays["Battery"]
    assert (battery.place.spread, battery.place.region) == (Spread.MOSTLY, Region.LOWER_LEFT)
    assert answer.overlays["PCB"].place.spread is Spread.NOWHERE
    overlay = Image.open(io.BytesIO(battery.png))
    assert (overlay.mode, overlay.size) == ("RGBA", (85, LONGEST))
    alpha = np.asarray(overlay)[..., 3]
    y, x = np.array(np.unravel_index(alpha.argmax(), alpha.shape)) * 300 / LONGEST
    assert 205 <= y <= 285 and 15 <= x <= 95
    assert 0 == alpha.min() < alpha.max() < 255, "the picture stays visible"
    assert answer.likeness is not None and answer.likeness.name == "energy"


def test_a_picture_that_lies_on_its_side_is_shown_upright(bright: Bundle) -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    picture = Image.fromarray(bright_square(200, 300, 15, 15, 80))
    picture.save(stream, "JPEG", exif=exif)
    overlays = trial_of(bright)(stream.getvalue()).overlays
    assert overlays is not None
    assert Image.open(io.BytesIO(overlays["Battery"].png)).size == (85, LONGEST)
    assert overlays["Battery"].place.region is Region.UPPER_RIGHT


def test_a_bundle_that_declares_no_map_has_none(tiny_bundle: Path, tmp_path: Path) -> None:
    undeclared = bright_bundle(tmp_path / "undeclared", with_map=False)
    assert trial_of(undeclared)(png(bright_square(60, 40, 5, 5, 20))).overlays is None


def test_a_map_of_no_numbers_is_not_drawn() -> None:
    broken = np.ones((5, 5, 2), np.float32)
    broken[0, 0, 0] = np.nan
    assert draw_overlays(broken, {"Battery": 0.9, "Mouse": 0.1}, 30, 40) == {}
    assert "not a number" in fragments.looked({})
    assert "has no activation map" in fragments.looked(None)


def test_overlays_are_few_and_small() -> None:
    many = {f"class {number}": number / 1000 for number in range(1000)}
    noise = np.random.default_rng(0).normal(size=(64, 64, 1000)).astype(np.float32)
    drawn = draw_overlays(noise, many, 3000, 4000)
    assert list(drawn) == [f"class {number}" for number in range(999, 994, -1)]
    assert all(len(each.png) < 100_000 for each in drawn.values())
    assert len(fragments.classes(many, drawn)) < 700_000


def test_words_and_bars_are_escaped_and_bounded() -> None:
    evil = '"><script>alert(1)</script>'
    overlays = draw_overlays(np.ones((5, 5, 2), np.float32), {evil: 0.9, "Mouse": 0.1}, 30, 40)
    shown = fragments.classes({evil: 0.9, "Mouse": 0.1}, overlays)
    assert "<script>" not in shown and "spread over the picture" in shown
    middle = Likeness("energy", -8.0, -8.0)
    assert fragments.likeness_percent(middle) == 50
    for score, percent in ((1e9, 100), (-1e9, 0), (-4.0, 75), (-12.0, 25)):
        assert fragments.likeness_percent(Likeness("energy", score, -8.0)) == percent
    assert fragments.likeness_percent(Likeness("discriminant", 0.25, 0.0)) == 75


@pytest.fixture(scope="module")
def panel(bright: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Any:
    served = Panel(tmp_path_factory.mktemp("state"), bright.path)
    yield served
    served.close()


@pytest.mark.slow
def test_the_tab_shows_the_map_of_each_class(panel: Panel, browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "square.png"
    path.write_bytes(png(bright_square(300, 200, 205, 105, 80)))
    for name, (width, height) in SCREENS.items():
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(60_000)
        page.goto(panel.url)
        open_tab(page, "Try a picture")
        page.wait_for_selector("#picture .drop")
        page.set_input_files("#picture .drop input[type=file]", str(path))
        page.wait_for_selector("#picture .map:not([hidden])")
        words = "Battery: mostly in the lower right"
        assert page.get_attribute("#picture .map", "alt") == words
        assert page.inner_text("#looked [data-where]") == words
        assert page.inner_text("#verdict").startswith("Battery")
        assert "energy score" in page.inner_text("#verdict")
        page.wait_for_function("document.querySelector('#picture .map').naturalWidth > 0")
        assert aligned(page), "the overlay lies on the picture"
        keep_picture(page, f"looked-{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        touched = "#classes .look, #looked [data-toggle], #picture .camera"
        boxes = [each.bounding_box() for each in page.locator(touched).all()]
        assert len(boxes) == 5 and all(box["height"] >= 48 for box in boxes)
        page.close()


def aligned(page: Any) -> bool:
    """Whether picture and overlay are drawn at the same place, both fitted into their boxes."""
    return page.evaluate(
        """() => {
            const drawn = [...document.querySelectorAll("#picture .drop img")].map((image) => {
                const box = image.getBoundingClientRect();
                const scale = Math.min(
                    box.width / image.naturalWidth, box.height / image.naturalHeight);
                const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
                return [box.x + (box.width - w) / 2, box.y + (box.height - h) / 2, w, h];
            });
            return drawn[0].every((value, place) => Math.abs(value - drawn[1][place]) < 2);
        }"""
    )


@pytest.mark.slow
def test_classes_and_map_are_chosen_by_keys(panel: Panel, browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "square.png"
    path.write_bytes(png(bright_square(200, 300, 15, 15, 80)))
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(panel.url)
    open_tab(page, "Try a picture")
    page.wait_for_selector("#picture .drop")
    page.set_input_files("#picture .camera input[type=file]", str(path))
    page.wait_for_selector("#picture .map:not([hidden])")
    page.focus("#looked [data-toggle]")
    page.keyboard.press("Space")
    page.wait_for_selector("#picture .map", state="hidden")
    assert page.get_attribute("#looked [data-toggle]", "aria-pressed") == "false"
    page.focus("#classes li:nth-child(2) .look")
    page.keyboard.press("Enter")
    page.wait_for_selector("#picture .map:not([hidden])")
    second = page.inner_text("#classes li:nth-child(2) span")
    assert page.get_attribute("#picture .map", "alt").startswith(f"{second}: ")
    assert page.get_attribute("#classes li:nth-child(2) .look", "aria-pressed") == "true"
    assert page.get_attribute("#looked [data-toggle]", "aria-pressed") == "true"
    page.click("#picture .clear")
    page.wait_for_selector("#picture .map", state="hidden")
    assert page.locator("#classes .look").count() == 0
    camera = page.locator("#picture .camera input")
    assert camera.get_attribute("capture") == "environment"
    page.close()


@pytest.mark.slow
def test_an_old_bundle_says_why_it_shows_no_map(
    tiny_bundle: Path, browser: Any, tmp_path: Path
) -> None:
    path = tmp_path / "square.png"
    path.write_bytes(png(bright_square(200, 300, 15, 15, 80)))
    old = Panel(tmp_path / "state", tiny_bundle)
    try:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(old.url)
        open_tab(page, "Try a picture")
        page.wait_for_selector("#picture .drop")
        page.set_input_files("#picture .drop input[type=file]", str(path))
        page.wait_for_selector("#classes li")
        page.wait_for_selector("#looked >> text=this bundle has no activation map")
        assert page.locator("#classes .look, #looked button").count() == 0
        assert not page.is_visible("#picture .map")
        page.close()
        status, answer = post(f"{old.url}try", path.read_bytes(), "application/octet-stream")
        assert status == 200 and b"looked" in answer
    finally:
        old.close()
