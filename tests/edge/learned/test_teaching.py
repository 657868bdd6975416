"""Teaching a class from pictures beside a real tiny bundle, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle.bundle import load_bundle, open_classifier
from edge.config import Config, decision_rules, proved_bundle
from edge.decision.decide import decide
from edge.errors import BadInput, Refused
from edge.learned.crops import crop_of_photo
from edge.learned.store import current_generation
from edge.learned.teaching import Base, NewClass, teach
from edge.loading import Loaded, loaded
from edge.synthetic.items import draw_on_background
from tests.support.striped import draw_striped, write_striped

ROOT = Path(__file__).parents[3]


class Board:
    """A device with the tiny bundle, and the command that teaches it."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        self.folder = folder
        classifier = {"bundle": bundle, "threads": 1}
        self.config = Config.model_validate({"state": folder / "state", "classifier": classifier})
        self.file = folder / "line.toml"
        self.file.write_text(
            f'state = "{folder / "state"}"\n[classifier]\nbundle = "{bundle}"\nthreads = 1\n'
        )

    def type(self, *arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "edge.cli", *map(str, arguments), "--config", self.file]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=ROOT)

    @property
    def line(self) -> Loaded:
        """What a line that starts now decides by."""
        return loaded(self.config, proved_bundle(self.config))


@pytest.fixture
def board(tiny_bundle: Path, tmp_path: Path) -> Board:
    return Board(tiny_bundle, tmp_path)


def seen_as(line: Loaded, view: np.ndarray) -> str:
    return decide([line.decider.classifier.predict(view)], line.decider.rules).label


def test_a_taught_class_is_sorted_gone_back_from_and_exported(board: Board) -> None:
    pictures = write_striped(board.folder / "ribbons")
    done = board.type("teach", "Ribbon", "--from", pictures, "--bin", "boards", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["generation"] == 1 and figures["recall"] >= 0.75
    line = board.line
    assert line.generation is not None and line.decider.bundle == figures["digest"]
    assert line.decider.rules.labels[-1] == "Ribbon"
    new = [seen_as(line, draw_striped(seed)) for seed in range(100, 140)]
    assert new.count("Ribbon") >= 30
    assert line.decider.rules.bins["Ribbon"] == "boards"
    assert "tensorflow" not in sys.modules
    listed = json.loads(board.type("learned", "list", "--json").stdout)
    assert listed[0]["in_use"] and listed[0]["classes"][0]["label"] == "Ribbon"
    out = board.folder / "dataset"
    assert board.type("learned", "export", out).returncode == 0
    crops = figures["crops"]
    assert len(list((out / "Ribbon").glob("*.jpg"))) == crops and (out / "learned.json").is_file()
    again = board.type("teach", "ribbon", "--from", pictures)
    assert again.returncode == 3 and "Ribbon" in again.stderr
    assert board.type("learned", "remove", "Ribbon").returncode == 0
    assert board.line.decider.bundle == board.line.bundle.digest, "nothing is learned any more"
    assert board.type("learned", "rollback").returncode == 0
    assert board.line.decider.bundle == figures["digest"]
    assert board.type("learned", "rollback").returncode == 0
    assert current_generation(board.config.learned) is None


def taught(board: Board, pictures: Path, label: str = "Ribbon") -> None:
    bundle = load_bundle(board.config.bundle)
    classifier = open_classifier(bundle, 1)
    crops = [crop_of_photo(path) for path in sorted(pictures.iterdir())]

    def rules_of(learned, adapter):
        return decision_rules(board.config, bundle, learned, adapter)

    teach(NewClass(label, None, False, crops), Base(bundle, classifier, None, rules_of), (), 1e9)


REFUSED = {
    "too few": "5 crops",
    "one picture": "show only 1 different pictures",
    "a known name": "there is a class Battery already",
    "no label": "must not be empty",
}


@pytest.mark.parametrize("poison", REFUSED)
def test_what_does_not_teach_is_refused_by_name(board: Board, poison: str) -> None:
    pictures = write_striped(board.folder / "crops", 5 if poison == "too few" else 20)
    if poison == "one picture":
        files = sorted(pictures.iterdir())
        for each in files[1:]:
            each.write_bytes(files[0].read_bytes())
    label = {"a known name": "batteries", "no label": " "}.get(poison, "Ribbon")
    with pytest.raises((Refused, BadInput), match=REFUSED[poison]):
        taught(board, pictures, label)


def test_crops_of_a_known_class_are_refused(board: Board) -> None:
    pictures = board.folder / "crops"
    pictures.mkdir()
    for seed in range(20):
        drawn = cv2.cvtColor(draw_on_background("Washing Machine", seed), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(pictures / f"{seed:03}.png"), drawn)
    with pytest.raises(Refused):
        taught(board, pictures)


@pytest.mark.parametrize("hostile", ["empty", "not a picture", "nothing", "no folder"])
def test_hostile_folders_are_one_line(board: Board, hostile: str) -> None:
    folder = board.folder / "crops"
    if hostile != "no folder":
        folder.mkdir()
    if hostile == "empty":
        (folder / "a.jpg").write_bytes(b"")
    if hostile == "not a picture":
        (folder / "a.jpg").write_bytes(b"\xff\xd8\xff" + b"x" * 1000)
    done = board.type("teach", "Ribbon", "--from", folder)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("error:")
