import json
import re
import shutil

import cv2
import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from train.audit import main

app = typer.Typer()
app.command()(main)


def audit(data, out, *options):
    return CliRunner().invoke(app, ["--data", str(data), "--out", str(out), *options])


@pytest.fixture
def corrupted(own_data):
    """A dataset with one of each: an exact leak, a near leak, a label conflict, a torn photo."""
    shutil.copy(own_data / "train" / "PCB" / "0000.jpg", own_data / "test" / "PCB" / "copy.jpg")
    picture = Image.open(own_data / "train" / "Mouse" / "0001.jpg")
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.save(own_data / "val" / "Mouse" / "mirrored.jpg", quality=60)
    shutil.copy(own_data / "val" / "PCB" / "0002.jpg", own_data / "val" / "Battery" / "board.jpg")
    (own_data / "train" / "Battery" / "0000.jpg").write_bytes(b"")
    return own_data


def test_each_kind_of_trouble_is_counted_and_named(corrupted, tmp_path):
    result = audit(corrupted, tmp_path / "audit", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report == json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert report["photos"] == 3 * (8 + 3 + 3) + 3 - 1
    assert [line for line in report["unreadable"] if "Battery/0000.jpg" in line]
    assert report["classes"]["train"] == {"Battery": 7, "Mouse": 8, "PCB": 8}
    assert report["sizes"] == {"40x40": 44} and report["modes"] == {"RGB": 44}
    assert report["duplicates"] == {
        "groups": 3,
        "photos": 6,
        "exact": 2,
        "near": 1,
        "within_split": 1,
        "across_splits": 2,
        "label_conflicts": 1,
    }
    conflict, exact, near = report["groups"]
    assert conflict["conflict"] and not conflict["leak"]
    assert {photo["label"] for photo in conflict["photos"]} == {"Battery", "PCB"}
    assert exact["exact"] and exact["leak"]
    assert not near["exact"] and near["leak"]
    assert {photo["path"] for photo in near["photos"]} == {
        str(corrupted / "train" / "Mouse" / "0001.jpg"),
        str(corrupted / "val" / "Mouse" / "mirrored.jpg"),
    }


def test_the_page_shows_the_pictures_and_needs_nothing_else(corrupted, tmp_path):
    hostile = corrupted / "test" / "PCB" / "<b>&.jpg"
    shutil.copy(corrupted / "test" / "PCB" / "0000.jpg", hostile)
    assert audit(corrupted, tmp_path).exit_code == 0
    page = (tmp_path / "audit.html").read_text()
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) == 3 * 8 + 6 + 2
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "http" not in page.replace(str(corrupted), "")
    assert "&lt;b&gt;&amp;.jpg" in page and "<b>&.jpg" not in page
    assert "exact duplicates across test and train" in page


def test_strict_fails_on_leaks_and_passes_clean_photos(corrupted, own_data, tmp_path):
    result = audit(corrupted, tmp_path, "--strict")
    assert result.exit_code == 3
    assert "2 groups of duplicates across splits and 1 label conflicts" in result.stderr
    assert (tmp_path / "audit.html").is_file()


def test_strict_passes_copies_within_a_split(three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    shutil.copy(data / "train" / "PCB" / "0000.jpg", data / "train" / "PCB" / "copy.jpg")
    result = audit(data, tmp_path / "audit", "--strict")
    assert result.exit_code == 0, result.stderr
    assert "1 groups of duplicates (1 exact, 0 near)" in result.stdout


def test_nothing_to_audit_is_one_line(tmp_path):
    result = audit(tmp_path / "nowhere", tmp_path / "audit")
    assert result.exit_code == 2 and "nowhere: no such folder" in result.stderr
    (tmp_path / "data" / "PCB").mkdir(parents=True)
    (tmp_path / "data" / "PCB" / "torn.jpg").write_bytes(b"torn")
    result = audit(tmp_path / "data", tmp_path / "audit")
    assert result.exit_code == 2 and "none of the photos could be read" in result.stderr
    assert not (tmp_path / "audit").exists()


def test_a_report_that_cannot_be_written_is_one_line(three_classes, tmp_path):
    (tmp_path / "file").write_text("")
    result = audit(three_classes, tmp_path / "file" / "audit")
    assert result.exit_code == 1 and "cannot be written" in result.stderr


def test_brightness_and_sharpness_are_measured(tmp_path):
    for number, gray in enumerate((0, 128, 250)):
        folder = tmp_path / "data" / "PCB"
        folder.mkdir(parents=True, exist_ok=True)
        picture = np.full((60, 60, 3), gray, np.uint8)
        if number == 2:
            picture[::2] = 0
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    report = json.loads(audit(tmp_path / "data", tmp_path / "out", "--json").stdout)
    assert report["brightness"]["least"] == 0 and report["brightness"]["most"] == 128
    assert report["blur"]["least"] == 0 and report["blur"]["most"] > 100
    assert report["classes"] == {"all": {"PCB": 3}}
