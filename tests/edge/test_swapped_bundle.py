"""A bundle whose files are exchanged while it is read: what was signed is what runs, or nothing."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge import numbered_folders
from edge.bundle.bundle import Bundle, load_bundle
from edge.bundle.install import CURRENT, install
from edge.bundle.signature import make_key
from edge.config import Config, decision_rules, proved_bundle
from edge.decision.decide import DecisionRules
from edge.errors import EwasteError
from edge.inference.classifier import Classifier
from edge.panel.trial import Trial
from tests.support.bundles import reseal, sign_bundle

PIXELS = np.full((48, 48, 3), 90, np.uint8)

_opened: list[Callable[[], None]] = []


def _hook(event: str, arguments: tuple) -> None:
    if event == "open" and _opened and isinstance(arguments[0], (str, bytes, Path)):
        _opened[0](os.fsdecode(arguments[0]))


sys.addaudithook(_hook)


@contextmanager
def before_each_open(folder: Path, act: Callable[[int], None]) -> Iterator[list[str]]:
    """Within: `act(n)` runs before the n-th file of `folder` is opened; yields their names."""
    names: list[str] = []

    def opened(path: str) -> None:
        if Path(path).parent == folder:
            names.append(Path(path).name)
            acting, _opened[:] = _opened[:], []
            act(len(names))
            _opened[:] = acting

    _opened[:] = [opened]
    try:
        yield names
    finally:
        _opened.clear()


@pytest.fixture
def pair(tiny_bundle: Path, tmp_path: Path) -> tuple[Path, Path, str]:
    """A signed bundle, and an unsigned one that is whole too, but says and runs other things."""
    good = Path(shutil.copytree(tiny_bundle, tmp_path / "good"))
    bad = Path(shutil.copytree(tiny_bundle, tmp_path / "bad"))
    make_key(tmp_path / "line.key")
    # Its answers are those of a model that was trained otherwise: any other whole model will do.
    model = bytearray((bad / "model.tflite").read_bytes())
    at = len(model) // 2
    model[at : at + 64] = bytes(64)
    (bad / "model.tflite").write_bytes(bytes(model))
    (bad / "model_card.md").write_bytes(b"# another\n")
    reseal(bad, name="another", thresholds={}, threshold=0.0, hazards=[], hazard_thresholds={})
    reseal(good, thresholds={"PCB": 0.9}, hazard_thresholds={"Battery": 0.2})
    return good, bad, sign_bundle(good, tmp_path / "line.key")


def place(source: Path, target: Path) -> None:
    """Put the files of `source` in the place of those of `target`, each in one step."""
    for entry in source.iterdir():
        staged = target.with_name("placed")
        shutil.copyfile(entry, staged)
        staged.replace(target / entry.name)


def answers(classifier: Classifier) -> dict[str, list]:
    return {name: value.tolist() for name, value in classifier.run(PIXELS).items()}


def opened_as_a_line(config: Config) -> tuple[Bundle, Classifier, DecisionRules]:
    bundle, classifier = proved_bundle(config)
    return bundle, classifier, decision_rules(config, bundle)


def configured(bundle: Path, key: str) -> Config:
    return Config.model_validate({"classifier": {"bundle": bundle}, "trust": {"keys": [key]}})


@pytest.mark.parametrize("back", [False, True], ids=["for good", "for one read"])
def test_what_a_line_runs_is_what_was_signed_whenever_the_files_are_exchanged(
    pair: tuple[Path, Path, str], tmp_path: Path, back: bool, injected: Callable[..., None]
) -> None:
    good, bad, key = pair
    live = Path(shutil.copytree(good, tmp_path / "live"))
    config = configured(live, key)
    expected, classifier, rules = opened_as_a_line(config)
    before = answers(classifier)
    assert rules.thresholds["PCB"] == 0.9
    with before_each_open(live, lambda number: None) as names:
        opened_as_a_line(config)
    assert sorted(names) == sorted({*names}), "a file is read once"
    refused = 0
    for moment in range(1, len(names) + 2):

        def exchange(number: int, moment: int = moment) -> None:
            if number == moment:
                place(bad, live)
            elif back and number == moment + 1:
                place(good, live)

        place(good, live)
        with before_each_open(live, exchange):
            try:
                bundle, classifier, rules = opened_as_a_line(config)
            except EwasteError:
                refused += 1
                continue
        assert bundle.digest == expected.digest and bundle.manifest.name == expected.manifest.name
        assert answers(classifier) == before and rules.thresholds["PCB"] == 0.9
        assert rules.hazard_thresholds == {"Battery": 0.2}
    # Wherever the two differ: manifest, model and card (and signature, unless it is put back).
    assert refused >= 3
    if back:
        injected(
            "bundle: another for one read, at each",
            f"{refused} refused, {moment - refused} ran what was signed, 0 anything else",
        )


@pytest.mark.parametrize("changed", ["model.tflite", "manifest.json", "golden.npz", "labels.txt"])
def test_what_is_written_over_a_file_later_never_runs(
    pair: tuple[Path, Path, str], tmp_path: Path, changed: str
) -> None:
    """In its own place: a mapped file would change under the running model."""
    good, _, key = pair
    live = Path(shutil.copytree(good, tmp_path / "live"))
    bundle, classifier, _ = opened_as_a_line(configured(live, key))
    before = answers(classifier)
    with (live / changed).open("r+b") as file:
        file.write(bytes(len(bundle.contents[changed])))
    assert answers(classifier) == before
    assert decision_rules(configured(live, key), bundle).thresholds["PCB"] == 0.9


def test_what_is_installed_is_what_was_verified(
    pair: tuple[Path, Path, str], tmp_path: Path
) -> None:
    good, bad, key = pair
    live = Path(shutil.copytree(good, tmp_path / "live"))
    digest = load_bundle(good).digest
    for moment in range(1, 9):
        place(good, live)
        store = tmp_path / f"store{moment}"
        with before_each_open(live, lambda n, at=moment: place(bad, live) if n == at else None):
            try:
                install(live, store, [key], threads=1)
            except EwasteError:
                continue
        assert load_bundle(store / CURRENT, [key]).digest == digest


def test_a_copy_that_is_changed_while_it_is_installed_does_not_come_into_use(
    pair: tuple[Path, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, _, key = pair
    write = numbered_folders.write_whole

    def spoiling(path: Path, content: bytes) -> None:
        write(path, content[:-1] + b"!" if path.name == "model_card.md" else content)

    monkeypatch.setattr(numbered_folders, "write_whole", spoiling)
    with pytest.raises(EwasteError, match="altered"):
        install(good, tmp_path / "store", [key], threads=1)
    assert list((tmp_path / "store").iterdir()) == []


def test_the_page_tries_what_was_signed(
    pair: tuple[Path, Path, str], tmp_path: Path, drawn_data: Path
) -> None:
    good, bad, key = pair
    live = Path(shutil.copytree(good, tmp_path / "live"))
    config = configured(live, key)
    picture = next((drawn_data / "test" / "PCB").iterdir()).read_bytes()
    rules = lambda bundle: decision_rules(config, bundle)  # noqa: E731
    trial = Trial(live, rules, trust=config.trust)
    expected = trial(picture)
    with before_each_open(live, lambda number: place(bad, live)), pytest.raises(EwasteError):
        Trial(live, rules, trust=config.trust)(picture)
    place(good, live)
    (live / "manifest.json").write_text(json.dumps({"name": "forged"}))
    with pytest.raises(EwasteError):
        trial(picture)
    place(good, live)
    assert trial(picture).probabilities == expected.probabilities
