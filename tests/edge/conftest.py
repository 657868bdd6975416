import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from edge import bundle_watch
from tests.support.followed_line import UNSURE, Plant
from tests.support.page import write_page
from tests.support.servers import MOSQUITTO, Broker

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def tiny_bundle() -> Path:
    """The checked-in bundle (tests/data/make_tiny_bundle.py). Copy it before changing it."""
    return DATA / "tiny-bundle"


@pytest.fixture(scope="session")
def tiny_fp32() -> Path:
    """The same model, unquantized."""
    return DATA / "tiny-fp32.tflite"


@pytest.fixture
def factory(monkeypatch):
    """Simulated pins, all of them free."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    monkeypatch.setattr(Device, "pin_factory", MockFactory())
    yield Device.pin_factory
    Device.pin_factory.reset()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def fake_page(tmp_path, monkeypatch):
    """A folder in which `python -m edge.panel` is a small page."""
    write_page(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def broker(tmp_path):
    """A broker with TLS and passwords; where it is missing, the test skips."""
    if MOSQUITTO is None or shutil.which("openssl") is None:
        pytest.skip("mosquitto and openssl are not installed (apt install mosquitto)")
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    if broker.alive:
        broker.kill()


@pytest.fixture
def plant_of(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Plant]]:
    """Makes a plant. Its watch looks when the test says so."""
    monkeypatch.setattr(bundle_watch, "POLL_SECONDS", 1e6)
    plants: list[Plant] = []

    def make(**update: object) -> Plant:
        plants.append(Plant(tiny_bundle, tmp_path, **update))
        return plants[-1]

    yield make
    for plant in plants:
        plant.watch.close()
        plant.records.close()


@pytest.fixture
def plant(plant_of: Callable[..., Plant]) -> Plant:
    """A plant whose first bundle has sorted 200 items and was unsure of 20."""
    made_plant = plant_of()
    for _ in range(10):
        made_plant.sort(18)
        made_plant.sort(2, **UNSURE)
    return made_plant
