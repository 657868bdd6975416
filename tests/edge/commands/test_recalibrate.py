"""`ewaste-edge recalibrate`, with a bundle that takes itself for far less sure than it is."""

import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from edge.bundle.bundle import load_bundle
from edge.labels import UNKNOWN
from edge.learned.recalibration import LEAST_ITEMS
from edge.learned.store import current_generation, current_number
from edge.records.review import DOUBTFUL_SAMPLE, SAMPLE
from edge.records.store import RECORDS_NAME, Store
from edge.synthetic.items import draw_item
from tests.support.bundles import reseal
from tests.support.records import RECORD

EACH = 30
SEEN = 16
"""The tiny model knows so many drawn items of a class."""


def ewaste(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "edge.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def crop(label: str, seed: int, gray: int) -> bytes:
    item = Image.fromarray(draw_item(label, seed, 96))
    picture = Image.alpha_composite(Image.new("RGBA", item.size, (gray, gray, gray)), item)
    content = io.BytesIO()
    picture.convert("RGB").save(content, "JPEG")
    return content.getvalue()


@pytest.fixture
def site(tiny_bundle, tmp_path) -> tuple[Path, Path]:
    """The configuration of a line whose drawn items are reviewed, and its state folder."""
    bundle, state, rows = tmp_path / "bundle", tmp_path / "state", []
    shutil.copytree(tiny_bundle, bundle)
    reseal(bundle, temperature=6.0, threshold=0.7)
    for number in range(EACH):
        for label in load_bundle(bundle).labels:
            jpeg = crop(label, number % SEEN, gray=170 + number)
            item = replace(RECORD, item_id=f"{label} {number}", reviewed=label, crop=jpeg)
            if number % 2:
                rows.append(replace(item, label=label, review=SAMPLE))
            else:
                rows.append(replace(item, label=UNKNOWN, review=DOUBTFUL_SAMPLE))
    state.mkdir()
    with Store(state / RECORDS_NAME) as store:
        store.append(rows)
    config = tmp_path / "line.toml"
    config.write_text(f'state = "{state}"\nclassifier.bundle = "{bundle}"\n')
    return config, state


@pytest.mark.slow
def test_a_site_is_recalibrated_once_and_signed(site):
    config, state = site
    tried = ewaste("recalibrate", "--config", config, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert "sorted by hand" in tried.stdout and current_number(state / "learned") is None
    done = ewaste("recalibrate", "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["after"]["by_hand"] < figures["before"]["by_hand"]
    assert figures["after"]["right"] > figures["before"]["right"]
    learned = current_generation(state / "learned")
    assert learned.number == figures["generation"] == 1
    calibration = learned.manifest.calibration
    assert calibration.model_dump(mode="json") == figures["calibration"]
    # With 30 of 99 batteries the temperature is no lower than the bundle's.
    assert calibration.temperature == 6.0 and calibration.items == 4 * EACH
    assert [each["hazard"] for each in figures["kept"]].count(True) == 1
    again = ewaste("recalibrate", "--config", config)
    assert again.returncode == 3 and "what is in use stays" in again.stderr
    assert current_number(state / "learned") == 1


def test_too_few_items_or_none_at_all_are_bad_input(site, tmp_path):
    config, state = site
    late = ewaste("recalibrate", "--config", config, "--from", "2026-11-29")
    assert late.returncode == 2 and "no item was drawn for review" in late.stderr
    with Store(state / RECORDS_NAME) as store:
        kept = [record for record in store.all() if record.label != UNKNOWN]
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    with Store(fewer / RECORDS_NAME) as store:
        store.append(kept)
    few = ewaste("recalibrate", "--config", config, "--state", fewer)
    assert few.returncode == 2
    assert f"{LEAST_ITEMS - len(kept)} of {LEAST_ITEMS} are missing" in few.stderr
    nothing = ewaste("recalibrate", "--state", tmp_path / "nothing")
    assert nothing.returncode == 2 and "no records yet" in nothing.stderr
    assert not (fewer / "learned").exists()
