"""A running line follows what is installed, and leaves a bundle that does worse by itself."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge import bundle_watch, store_trial
from edge.bundle.history import Standing, read_history
from edge.bundle.install import current_number, install, roll_back
from edge.bundle_watch import BundleWatch
from edge.clock import VirtualClock
from edge.config import Config, proved_bundle
from edge.faults import read_faults
from edge.handover import Handover
from edge.labels import UNKNOWN
from edge.line import run_line
from edge.line_source import Source
from edge.loading import loaded
from edge.records.record import ItemRecord
from edge.simulator.layout import place_items
from edge.simulator.scenario import Load
from edge.simulator.simulate import PhotoFolders, pieces_of, plain_scenario, plant_source
from edge.standstill import BeltRest
from tests.support.followed_line import (
    START,
    UNSURE,
    Plant,
    learn,
    made,
)


def test_a_bundle_that_a_line_cannot_use_is_rolled_back_at_once(plant: Plant) -> None:
    plant.install("second", bins={"nowhere": ["PCB"]})
    plant.look(2)
    assert plant.in_use == ("first", 1) and plant.entry(2).standing is Standing.ROLLED_BACK
    assert "cannot be used" in (plant.watch.error or "") and "nowhere" in plant.entry(2).why
    # A bundle after it is another matter.
    plant.install("third")
    plant.look(2)
    assert plant.in_use[0] == "third" and plant.watch.error is None


@pytest.mark.parametrize("altered", ["model.tflite", "manifest.json", "golden.npz"])
def test_a_file_that_is_exchanged_before_the_line_loads_it_never_runs(
    plant: Plant, altered: str
) -> None:
    plant.install("second")
    (plant.store / "2" / altered).write_bytes((plant.folder / "first" / altered).read_bytes()[:-1])
    before = plant.handover.in_use.bundle
    plant.look(3)
    assert plant.handover.in_use.bundle is before and current_number(plant.store) == 1
    assert plant.entry(2).standing is Standing.ROLLED_BACK


def test_a_roll_back_that_fails_is_tried_again(plant: Plant) -> None:
    plant.install("second")
    plant.look(3)
    plant.sort(30, **UNSURE)
    (plant.store / "1").rename(plant.folder / "away")
    plant.look(2)
    assert plant.in_use == ("second", 2) and "should be rolled back" in (plant.watch.error or "")
    (plant.folder / "away").rename(plant.store / "1")
    plant.look(2)
    assert plant.in_use == ("second", 2), "not in every second"
    plant.now += bundle_watch.RETRY_SECONDS
    plant.look(5)
    assert plant.in_use == ("first", 1) and plant.entry(2).standing is Standing.ROLLED_BACK


def test_what_a_kill_left_half_rolled_back_is_rolled_back(plant: Plant) -> None:
    plant.install("second")
    store, current = plant.store, plant.store / "current"
    roll_back(store, threads=1, why="slow")
    current.unlink()
    current.symlink_to("2")  # as if the link had not been changed yet
    plant.look(3)
    assert plant.in_use == ("first", 1)


def test_a_model_that_fails_again_and_again_is_left_before_the_next_start(plant: Plant) -> None:
    plant.watch.model_failed("of no bundle on probation")
    assert current_number(plant.store) == 1
    plant.install("second")
    plant.look(3)
    plant.watch.model_failed("the model fails again and again (no such operator)")
    assert current_number(plant.store) == 1 and "no such operator" in plant.entry(2).why


def test_the_first_bundle_that_is_installed_is_taken_by_a_line_with_the_shipped_one(
    plant: Plant, tmp_path: Path
) -> None:
    empty = Config.model_validate({"state": tmp_path / "empty", "classifier": {"threads": 1}})
    first = loaded(empty, proved_bundle(plant.config))
    shipped = replace(first, bundle=replace(first.bundle, digest="0" * 64))
    handover = Handover(shipped, None)
    watch = BundleWatch(empty, handover, None)
    watch.look(START)
    assert handover.take(BeltRest.STANDS) is None
    install(plant.folder / "first", empty.bundles, threads=1)
    watch.look(START)
    taken = handover.take(BeltRest.STANDS)
    assert taken is not None and handover.in_use.bundle.manifest.name == "first"
    assert taken.classifier.predict(np.zeros((48, 48, 3), np.uint8)).probabilities.sum() > 0
    watch.close()


@pytest.mark.slow
def test_a_whole_line_installs_rolls_back_and_misses_nothing(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A belt in virtual time, with the watch beside it in real time."""
    monkeypatch.setattr(bundle_watch, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(store_trial, "JUDGE_SECONDS", 0.2)
    config = Config.model_validate(
        {
            "state": tmp_path / "state",
            "classifier": {"threads": 1},
            "camera": {"fps": 5.0, "width": 640, "height": 360},
            "belt": {"mm_per_px": 1.25},
            "update": {"probation_items": 50},
        }
    )
    install(made(tiny_bundle, tmp_path / "first"), config.bundles, threads=1)
    waiting = [made(tiny_bundle, tmp_path / "bad", threshold=1.0)]
    scenario = plain_scenario(config, fps=5.0, items=300, photos=False)
    labels = Load(labels=("Battery", "Keyboard", "PCB"))
    pieces = pieces_of(labels, PhotoFolders(), 1, config)
    placed = place_items(pieces, scenario.items, 1, config.geometry)
    records: list[ItemRecord] = []

    def opened(config: Config) -> Source:
        clock = VirtualClock()
        return plant_source(config, scenario, placed, seed=1, clock=clock, realtime=False)

    def stopped() -> bool:
        if len(records) >= 30 and waiting:
            install(waiting.pop(), config.bundles, threads=1, at_once=True)
        of_first = [record.bundle for record in records].count(records[0].bundle) if records else 0
        return not waiting and records[-1].bundle == records[0].bundle and of_first >= 50

    tally = run_line(config, opened, False, stopped, records.append)
    # An item whose gate was closed at the end is reported once more.
    items = list({record.item_id: record for record in records}.values())
    changes = [digest for digest, _ in itertools.groupby(record.bundle for record in items)]
    assert len(changes) == 3 and changes[0] == changes[2] != changes[1]
    tried = [record for record in items if record.bundle == changes[1]]
    assert {record.label for record in tried} == {UNKNOWN} and 25 <= len(tried) < 200
    assert tally.items == len(items)
    laid = sorted(piece.position_mm for piece in placed)
    seen = sorted(record.position_mm for record in items)
    assert np.abs(np.diff(seen) - np.diff(laid[: len(seen)])).max() < 60, "no item was missed"
    entry = read_history(config.bundles).at(2)
    assert entry is not None and entry.standing is Standing.ROLLED_BACK
    faults = [fault for fault in read_faults(config.state_folder) if fault.kind == "bundle"]
    assert len(faults) == 1 and "bad was rolled back to first" in faults[0].reason


def test_with_another_bundle_what_was_learned_waits_for_the_old_one(plant: Plant) -> None:
    digest = learn(plant, 3.0)
    plant.look(2)
    plant.install("second")
    plant.look(1)
    assert plant.handover.in_use.bundle.manifest.name == "second"
    assert plant.handover.in_use.generation is None
    assert "learned beside the bundle first" in plant.handover.in_use.unused
    plant.look(2)
    plant.sort(28, **UNSURE)
    plant.look(3)
    assert plant.in_use == ("first", 1)
    assert plant.handover.in_use.decider.bundle == digest and not plant.handover.in_use.unused
