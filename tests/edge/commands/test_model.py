import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from edge.synthetic.items import draw_item
from tests.support.command import COMMAND, ROOT, complaint, ewaste


@pytest.fixture
def pictures(tmp_path):
    """One picture of each kind that a camera or a scanner makes, and two that are none."""
    item = Image.fromarray(draw_item("PCB", 1, 96))
    background = Image.new("RGBA", item.size, (190, 190, 190))
    picture = Image.alpha_composite(background, item).convert("RGB")
    for name, mode in (("gray", "L"), ("cmyk", "CMYK"), ("color", "RGB")):
        picture.convert(mode).save(tmp_path / f"{name}.jpg")
    item.save(tmp_path / "clear.png")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "color.jpg").read_bytes()[:200])
    return tmp_path


def test_classify_answers_for_every_readable_picture_and_names_the_others(tiny_bundle, pictures):
    files = sorted(pictures.iterdir())
    done = ewaste("classify", *files, "--bundle", tiny_bundle, "--json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert {Path(name).name for name in answers} == {
        "clear.png",
        "cmyk.jpg",
        "color.jpg",
        "gray.jpg",
    }
    for answer in answers.values():
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert "empty.jpg" in done.stderr and "torn.jpg" in done.stderr
    assert done.stderr.endswith("2 of 6 pictures could not be read\n")


def test_classify_goes_on_when_nobody_hears_what_it_skips(tiny_bundle, pictures):
    command = [*COMMAND, "classify", pictures / "empty.jpg", pictures / "gray.jpg", "--json"]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command += ["--bundle", tiny_bundle]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, cwd=ROOT)
    assert done.returncode == 0 and len(json.loads(done.stdout)) == 1


def test_classify_with_nothing_readable_is_bad_input(tiny_bundle, pictures):
    done = ewaste("classify", pictures / "empty.jpg", "--bundle", tiny_bundle)
    assert done.returncode == 2
    assert "none of the images could be read" in complaint(done)
