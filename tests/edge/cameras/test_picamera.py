"""The picamera2 adapter: its settings here, its names against the real package (slow)."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge.cameras import picamera
from edge.cameras.device import DeviceSettings
from edge.cameras.picamera import SWAPPED, PicameraDevice, fixed_controls, locked_controls
from edge.errors import BadInput

FAKE_PICAMERA = Path(__file__).with_name("fake_picamera")
SETTINGS = DeviceSettings("picamera2", 320, 240, 50)


@pytest.fixture
def good(tmp_path, monkeypatch):
    (tmp_path / "mode").write_text("good")
    monkeypatch.setenv("FAKE_PICAMERA", str(tmp_path / "mode"))
    monkeypatch.syspath_prepend(FAKE_PICAMERA)
    yield
    sys.modules.pop("picamera2", None)


def settings(**changes) -> DeviceSettings:
    return DeviceSettings(**{**vars(SETTINGS), **changes})


@pytest.mark.parametrize("pixel_format", [None, *SWAPPED])
def test_pixels_are_rgb_whatever_the_format(good, pixel_format):
    device = PicameraDevice(settings(format=pixel_format))
    pixels, _ = device.read()
    assert pixels.shape == (240, 320, 3) and pixels.dtype == np.uint8
    assert pixels[..., 0].min() == 200 and pixels[..., 2].max() < 80
    device.close()


def test_exposure_and_colors_are_fixed_or_locked_as_configured(good, monkeypatch):
    fixed = fixed_controls(settings(exposure_us=2000, gain=3.0, white_balance=(1.4, 1.9)))
    assert fixed == {
        "ExposureTime": 2000,
        "AnalogueGain": 3.0,
        "AeEnable": False,
        "AwbEnable": False,
        "ColourGains": (1.4, 1.9),
    }
    assert fixed_controls(SETTINGS) == {}
    monkeypatch.setattr(picamera, "SETTLE_S", 0.1)
    device = PicameraDevice(settings(lock=True))
    for _ in range(10):
        device.read()
    found = {"ExposureTime": 4000, "AnalogueGain": 2.0, "ColourGains": (1.5, 1.7)}
    assert {
        "AeEnable": False,
        "AwbEnable": False,
        **found,
    }.items() <= device._camera.controls.items()
    assert locked_controls({}) == {"AeEnable": False, "AwbEnable": False}


def test_a_camera_without_controls_is_read_as_it_is_and_what_it_lacks_is_reported(good, tmp_path):
    (tmp_path / "mode").write_text("plain")
    device = PicameraDevice(SETTINGS)
    assert device.read()[0].shape == (240, 320, 3) and device._camera.controls == {}
    device.close()
    with pytest.raises(BadInput, match="has no AeEnable nor AwbEnable"):
        PicameraDevice(settings(lock=True))
    with pytest.raises(BadInput, match="has no ExposureTime: leave"):
        PicameraDevice(settings(exposure_us=2000))


@pytest.mark.parametrize(("given", "red"), [("RGB888", 0), ("YUYV", None)])
def test_the_format_that_the_camera_gives_counts(good, monkeypatch, given, red):
    PicameraDevice(SETTINGS).close()  # so that the fake one is loaded
    fake_picamera = sys.modules["picamera2"].Picamera2
    configure = fake_picamera.configure

    def nearest(self, config):
        configure(self, config)
        self._format = given

    monkeypatch.setattr(fake_picamera, "configure", nearest)
    if red is None:
        with pytest.raises(BadInput, match="gives YUYV for BGR888"):
            PicameraDevice(SETTINGS)
    else:
        assert PicameraDevice(SETTINGS).read()[0][..., red].min() == 200


def test_a_camera_that_goes_while_a_picture_is_taken_over_gives_none(good, monkeypatch):
    device = PicameraDevice(SETTINGS)

    def gone(self):
        raise RuntimeError("Failed to queue request: No such device")

    monkeypatch.setattr(sys.modules["picamera2"].CompletedRequest, "release", gone)
    assert device.read() is None


@pytest.mark.parametrize("changes", [{"format": "YUV420"}, {"source": "picamera2:front"}])
def test_what_the_camera_cannot_do_is_reported(good, changes):
    with pytest.raises(BadInput, match="picamera2 or picamera2:NUMBER"):
        PicameraDevice(settings(**changes))


def test_without_picamera2_the_user_learns_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(BadInput, match="apt install python3-picamera2"):
        PicameraDevice(SETTINGS)


@pytest.fixture(scope="module")
def real_sources(tmp_path_factory):
    """The source files of the real package, name -> syntax tree."""
    folder = tmp_path_factory.mktemp("picamera2")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    try:
        done = subprocess.run(
            [*command, str(folder), "picamera2"], capture_output=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        pytest.skip("picamera2 cannot be downloaded here")
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip("picamera2 cannot be downloaded here")
    with zipfile.ZipFile(wheels[0]) as wheel:
        return {
            Path(name).name: ast.parse(wheel.read(name))
            for name in wheel.namelist()
            if name.startswith("picamera2/") and name.count("/") == 1 and name.endswith(".py")
        }


def methods(tree: ast.Module, name: str) -> dict[str, list[str]]:
    """Method -> its parameters without self, of a class; of overloads the last one counts."""
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    functions = [node for node in found.body if isinstance(node, ast.FunctionDef)]
    return {function.name: [a.arg for a in function.args.args[1:]] for function in functions}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "name"), [("picamera2.py", "Picamera2"), ("request.py", "CompletedRequest")]
)
def test_the_real_package_has_the_stand_ins_methods_and_parameters(real_sources, file, name):
    real = methods(real_sources[file], name)
    fake_picamera = methods(ast.parse((FAKE_PICAMERA / "picamera2.py").read_text()), name)
    for method, parameters in fake_picamera.items():
        if not method.startswith("_") and method != "create_video_configuration":
            assert parameters == real[method], method
    if name == "Picamera2":
        assert fake_picamera["__init__"] == real["__init__"]
        assert {"main", "controls"} <= set(real["create_video_configuration"])


@pytest.mark.slow
def test_the_real_package_names_the_formats_the_way_round_that_is_assumed(real_sources):
    """Its own table for Pillow says which order the bytes of each format are in."""
    tables = [
        node
        for node in ast.walk(real_sources["request.py"])
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "mode_lookup"
    ]
    order = ast.literal_eval(tables[0].value)
    assert {name: order[name] == "BGR" for name in SWAPPED} == SWAPPED


@pytest.mark.slow
def test_a_bounded_wait_of_the_real_package_is_in_seconds_and_ends_in_a_timeout(real_sources):
    """dispatch_functions hands `wait` on to a Future's result, which raises TimeoutError."""
    source = ast.unparse(real_sources["picamera2.py"]) + ast.unparse(real_sources["job.py"])
    assert "def capture_request(self, wait=None" in source
    assert "self.dispatch_functions(functions, wait, signal_function)" in source
    assert "get_result(timeout=timeout)" in source
    assert "self._future.result(timeout=timeout)" in source
