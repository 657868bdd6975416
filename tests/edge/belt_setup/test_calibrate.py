"""The command as an operator types it, on folders of frames."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import cli
from edge.config import read_config
from edge.logs import install_handler
from tests.support.sheet_camera import Look, picture

CAMERA = Look(
    width=960,
    height=540,
    focal_px=960,
    tilt_y=4,
    tilt_x=-3,
    k1=-0.1,
    blur_px=0.7,
    noise=2,
    smear_px=3,
    shadow=0.2,
)
START_MM, FPS, SPEED, GATE_MM = -330.0, 10, 400.0, 700.0
GATE_LINE_MM = START_MM + 266
"""Where the gate line of the sheet is at the start."""
LINE = """\
# The line in hall 2.
[camera]
source = "{folder}"   # a recording
width = 960
height = 540
fps = 10

[belt]
speed_mm_s = 380   # as the label on the motor has it
mm_per_px = 0.8  # by a ruler
encoder = "{encoder}"
"""


def save(path: Path, frame: np.ndarray) -> None:
    assert cv2.imwrite(str(path), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """The belt carries a sheet out of the view, until its line is at a gate."""
    folder = tmp_path_factory.mktemp("film")
    steps = np.arange(0, GATE_MM - GATE_LINE_MM, SPEED / FPS)
    for number, step in enumerate([*steps, GATE_MM - GATE_LINE_MM]):
        frame = picture(CAMERA, sheet_mm=(START_MM, -110), belt_mm=step, seed=number, angle=1)
        save(folder / f"{number:03d}.png", frame)
    return folder


@pytest.fixture
def typed(monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ewaste-edge", "calibrate", *map(str, arguments)])
        install_handler()
        code = cli._run_command()
        cli.out.for_people = True
        out, err = capsys.readouterr()
        assert "Traceback" not in err and "a fault of the program" not in err
        return code, out, err

    return run


@pytest.mark.parametrize("encoder", ["camera", "time"])
def test_a_film_of_the_sheet_sets_scale_speed_and_gate(film, tmp_path, typed, encoder):
    path, text = tmp_path / "line.toml", LINE.format(folder=film, encoder=encoder)
    path.write_text(text)
    code, out, err = typed("belt", "--config", path, "--gate", "boards")
    assert code == 0, err
    assert f"{path}: written; as it was: {path}.bak" in out and "direction     right" in out
    assert (tmp_path / "line.toml.bak").read_text() == text
    after = path.read_text()
    config = read_config(path)
    assert config.belt.mm_per_px == pytest.approx(CAMERA.mm_per_px, rel=0.005)
    assert config.belt.speed_mm_s == pytest.approx(SPEED, rel=0.01)
    distances = {gate.bin: gate.distance_mm for gate in config.gates}
    # By time the last step counts whole, although the belt went on for a part of it only.
    short = SPEED / FPS - (GATE_MM - GATE_LINE_MM) % (SPEED / FPS) if encoder == "time" else 0
    assert distances.pop("boards") == pytest.approx(GATE_MM + short, abs=5)
    assert distances == {"hazardous": 700, "small": 1100, "screens": 1300, "appliances": 1500}
    restored = after[: after.index("\n[[gates]]")].replace(f"{config.belt.mm_per_px} ", "0.8 ")
    assert restored.replace(f"{config.belt.speed_mm_s} ", "380 ").strip() == text.strip()


def test_a_dry_run_prints_json_and_writes_nothing(film, tmp_path, typed):
    path = tmp_path / "line.toml"
    path.write_text(LINE.format(folder=film, encoder="camera"))
    before = path.read_bytes()
    options = ("--dry-run", "--json", "--gate", "boards", "--moved", "100.5")
    code, out, err = typed("belt", "--config", path, *options)
    assert code == 0, err
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    found = json.loads(out)
    assert found["ok"] and found["direction"] == "right" and found["direction_measured"]
    assert found["grades"]["focus"]["grade"] == "good"
    gate = found["gate"]
    assert gate["distance_mm"] == pytest.approx(gate["offset_mm"] + 100.5)
    assert gate["by"] == "entered"
    # The line was in a whole number of steps from where it began.
    steps = (gate["offset_mm"] - GATE_LINE_MM) / (SPEED / FPS)
    assert abs(steps - round(steps)) * SPEED / FPS < 5
    assert found["changes"]["gates.1.distance_mm"] == pytest.approx(gate["distance_mm"], abs=0.06)


def still(folder: Path, frame: np.ndarray) -> tuple[object, ...]:
    """The options for a picture, and a file to write to."""
    save(folder / "still.png", frame)
    config = folder / "line.toml"
    config.write_text("[camera]\nwidth = 960\nheight = 540\n")
    return "belt", "--config", config, "--camera", folder / "still.png"


@pytest.mark.parametrize(
    ("turn", "flaw", "words"),
    [
        (lambda frame: frame[:, ::-1].copy(), "mirrored", "switch the flip of the camera off"),
        (lambda frame: np.full_like(frame, 90), "no_sheet", "no marker sheet in the pictures"),
        (lambda frame: frame[::-1, ::-1].copy(), None, "turn the picture by 180 degrees"),
    ],
)
def test_what_a_line_cannot_work_with_is_refused(tmp_path, typed, turn, flaw, words):
    options = still(tmp_path, turn(picture(replace(CAMERA, smear_px=0))))
    before = (tmp_path / "line.toml").read_bytes()
    code, out, err = typed(*options, "--json")
    assert code == 3 and words in err
    found = json.loads(out)
    assert found.get("flaw") == flaw and found["ok"] is False
    assert (tmp_path / "line.toml").read_bytes() == before


def test_a_still_sets_the_scale_alone_and_creates_a_file(tmp_path, typed):
    options = still(tmp_path, picture(replace(CAMERA, smear_px=0)))
    code, out, err = typed(*options, "--out", tmp_path / "other.toml")
    assert code == 0, err
    assert "speed         not measured" in out and "in one place only" in err
    after = (tmp_path / "other.toml").read_text()
    assert after.startswith("[camera]\nwidth = 960\nheight = 540\n\n[belt]\nmm_per_px = 0.8")
    assert after.count("\n") == 6 and not (tmp_path / "line.toml.bak").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("belt",), "nowhere to write to"),
        (("belt", "--dry-run"), "no camera is configured"),
        (("belt", "--dry-run", "--camera", "none.mp4"), "no such video file"),
        (("belt", "--dry-run", "--camera", "0", "--gate", "manual"), "choose one of hazardous"),
        (("belt", "--dry-run", "--camera", "0", "--moved", "3"), "give --gate too"),
        (("belt", "--dry-run", "--camera", "0", "--ruler", "nan"), "Invalid value for '--ruler'"),
        (("belt", "--config", "line.json", "--camera", "0"), "only TOML is changed"),
        (("sheet", "--out", "sheet.docx"), ".pdf or .png"),
        (("sheet", "--out", "sheet.pdf", "--paper", "a5"), "choose one of a4, letter, a3"),
        (("sheet", "--out", "none/sheet.pdf"), "cannot be written"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, typed, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.json").write_text("{}")
    code, _, err = typed(*options)
    assert code == 2 and words in err
    assert len([line for line in err.splitlines() if line.startswith("error: ")]) == 1


def test_a_sheet_is_written(tmp_path, typed):
    for name in ("sheet.pdf", "sheet.png"):
        code, out, _ = typed("sheet", "--out", tmp_path / name, "--paper", "letter")
        assert code == 0 and "measure its line" in out
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF-1.")
