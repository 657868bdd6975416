"""A running line follows what is installed, and leaves a bundle that does worse by itself."""

import itertools
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from edge import bundle_watch, store_trial
from edge.bundle.history import InstallEntry, Standing, read_history
from edge.bundle.install import current_number, identity, install, roll_back, take_at_once
from edge.bundle_watch import BundleWatch
from edge.clock import VirtualClock
from edge.config import Config, proved_bundle
from edge.errors import EwasteError
from edge.faults import read_faults
from edge.inference.classifier import softmax
from edge.labels import MANUAL, UNKNOWN
from edge.learned.manifest import LearnedManifest
from edge.learned.site import SiteCalibration
from edge.learned.store import LearnedStep, add_generation, digest_in_use
from edge.line import Source, run_line
from edge.loading import bundle_at_start, loaded
from edge.records.record import ItemRecord
from edge.records.store import RECORDS_NAME, Store
from edge.simulator.layout import place_items
from edge.simulator.scenario import Load
from edge.simulator.simulate import PhotoFolders, pieces_of, plain_scenario, plant_source
from edge.standstill import BeltRest
from edge.verdict import Reason
from tests.support.bundles import reseal
from tests.support.records import RECORD

START = 1_800_000_000.0
PLAIN = {"hazards": [], "hazard_thresholds": {}, "thresholds": {}, "threshold": 0.0}
UNSURE = {"label": UNKNOWN, "reason": Reason.UNSURE, "bin": MANUAL}


def made(tiny: Path, folder: Path, **changes: object) -> Path:
    """A bundle of that name, as new as the others."""
    path = Path(shutil.copytree(tiny, folder))
    reseal(path, **{"name": folder.name, **PLAIN, **changes})
    return path


class Plant:
    """A line's folder with a bundle in use and its records, and the watch of a line beside it."""

    def __init__(self, tiny: Path, folder: Path, **update: object) -> None:
        self.tiny, self.folder = tiny, folder
        fields = {"state": folder / "state", "update": {"probation_items": 200, **update}}
        self.config = Config.model_validate({**fields, "classifier": {"threads": 1}})
        self.store, self.now, self.items = self.config.bundles, START, 0
        self.install("first")
        self.records = Store(self.config.state_folder / RECORDS_NAME)
        self.watch = self.started()

    def started(self) -> BundleWatch:
        seen = identity(self.store)
        return BundleWatch(self.config, loaded(self.config, bundle_at_start(self.config)), seen)

    def install(self, name: str, **changes: object) -> Path:
        bundle = made(self.tiny, self.folder / name, **changes)
        install(bundle, self.store, threads=1, now=self.now)
        return bundle

    def sort(self, count: int, **changes: object) -> None:
        """Record what the bundle that decides makes of so many items, one a second."""
        digest = self.watch.bundle.digest
        put: list[ItemRecord] = []
        for _ in range(count):
            self.items, self.now = self.items + 1, self.now + 1
            fields = {"item_id": f"{self.items}", "decided_at": self.now, "bundle": digest}
            put.append(replace(RECORD, **{**fields, **changes}))
        self.records.append(put)

    def look(self, times: int = 3) -> None:
        """Let the watch look so often, and take what it has ready, as the loop does."""
        for _ in range(times):
            self.now += store_trial.JUDGE_SECONDS
            self.watch.look(self.now)
            self.watch.take(BeltRest.STANDS)

    @property
    def in_use(self) -> tuple[str, int | None]:
        """The name of the bundle that decides, and the number of the one in use."""
        return self.watch.bundle.manifest.name, current_number(self.store)

    def entry(self, number: int) -> InstallEntry:
        found = read_history(self.store).at(number)
        assert found is not None
        return found


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


def test_a_good_bundle_takes_over_and_passes(plant: Plant, logged: list[str]) -> None:
    plant.install("second")
    assert plant.watch.take(BeltRest.STANDS) is None, "nothing is taken before it is proved"
    plant.look(1)
    assert plant.in_use == ("second", 2)
    plant.look(2)
    assert plant.entry(2).began_at and plant.entry(2).standing is Standing.ON_PROBATION
    for _ in range(10):
        plant.sort(18)
        plant.sort(2, **UNSURE)
        plant.look(1)
    assert plant.entry(2).standing is Standing.PASSED and plant.in_use == ("second", 2)
    assert plant.entry(2).why == "20 of 200 items unknown or by hand, 20 of 200 before"
    assert plant.watch.error is None
    plant.sort(100, **UNSURE)  # from now on it is the business of the alarms
    plant.look()
    assert plant.in_use == ("second", 2)
    assert any("has passed its probation" in line for line in logged)


BAD = {
    "all unknown": (UNSURE, r"items unknown or by hand: 100\.0% over 2\d items, 10\.0% over 200"),
    "slow": ({"classify_ms": 900.0}, r"time of an inference: 300\.0 ms over 2\d items, 15\.3 ms"),
    "failing": (
        {"reason": Reason.MODEL_FAULT, "bin": MANUAL, "label": UNKNOWN, "views": 0},
        r"the model failed at: 100\.0%",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_bundle_is_rolled_back_after_few_items(
    plant: Plant, kind: str, logged: list[str], injected: Callable[..., None]
) -> None:
    changes, why = BAD[kind]
    bundle = plant.install("second")
    plant.look(3)
    assert plant.in_use == ("second", 2)
    items = 0
    while plant.in_use == ("second", 2):
        plant.sort(4, **changes)
        plant.look(1)
        items += 4
    assert items == 28, "an eighth of 200 and no more"
    plant.look(1)
    assert plant.in_use == ("first", 1)
    entry = plant.entry(2)
    assert entry.standing is Standing.ROLLED_BACK
    expect = re.compile(why)
    assert expect.search(entry.why) and expect.search(plant.watch.error or "")
    assert any("second was rolled back to first: " in line for line in logged)
    # Nobody tries it again but a person who asks for it.
    with pytest.raises(EwasteError, match="--again"):
        install(bundle, plant.store, threads=1)
    plant.sort(50)
    plant.look()
    assert plant.in_use == ("first", 1)
    injected(f"a new bundle: {kind}", f"rolled back by the line after {items} items")


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
    before = plant.watch.bundle
    plant.look(3)
    assert plant.watch.bundle is before and current_number(plant.store) == 1
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


def test_a_line_that_starts_with_what_it_cannot_use_goes_back(plant: Plant) -> None:
    plant.install("second")
    (plant.store / "2" / "model.tflite").write_bytes(b"exchanged")
    bundle, _ = bundle_at_start(plant.config)
    assert bundle.manifest.name == "first" and plant.entry(2).standing is Standing.ROLLED_BACK
    # Without a probation there is nothing that it goes back for.
    (plant.store / "1" / "model.tflite").write_bytes(b"exchanged")
    with pytest.raises(EwasteError, match="altered"):
        bundle_at_start(plant.config)


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


def test_a_probation_ends_with_its_time_and_without_anything_to_compare(
    plant_of: Callable[..., Plant],
) -> None:
    plant = plant_of(probation_hours=0.5)
    plant.install("second")
    plant.look(3)
    plant.sort(40, **UNSURE)
    plant.look(2)
    assert plant.entry(2).standing is Standing.ON_PROBATION
    plant.now += 3600
    plant.look(2)
    entry = plant.entry(2)
    assert entry.standing is Standing.PASSED
    assert entry.why == "40 items, and only 0 before to compare with"


def test_a_probation_goes_on_after_a_restart_of_the_line(plant: Plant) -> None:
    plant.install("second")
    plant.look(3)
    plant.sort(20, **UNSURE)
    plant.look(1)
    plant.watch.close()
    plant.watch = plant.started()
    plant.look(2)
    assert plant.in_use == ("second", 2)
    plant.sort(5, **UNSURE)
    plant.look(3)
    assert plant.in_use == ("first", 1)


def test_without_a_probation_and_with_a_named_bundle_nothing_is_judged(
    plant_of: Callable[..., Plant],
) -> None:
    plant = plant_of(probation_items=0)
    plant.sort(200)
    plant.install("second")
    plant.look(3)
    assert plant.in_use == ("second", 2) and plant.entry(2).standing is Standing.UNWATCHED
    plant.sort(100, **UNSURE)
    plant.look()
    assert plant.in_use == ("second", 2)
    classifier = {"bundle": plant.folder / "first"}
    named = Config.model_validate({"classifier": classifier, "state": plant.folder / "state"})
    watch = BundleWatch(named, loaded(named, proved_bundle(named)), None)
    watch.look(START)
    assert watch.take(BeltRest.STANDS) is None, "what is installed is not what is named"
    watch.close()


def test_the_first_bundle_that_is_installed_is_taken_by_a_line_with_the_shipped_one(
    plant: Plant, tmp_path: Path
) -> None:
    empty = Config.model_validate({"state": tmp_path / "empty", "classifier": {"threads": 1}})
    first = loaded(empty, proved_bundle(plant.config))
    watch = BundleWatch(empty, replace(first, bundle=replace(first.bundle, digest="0" * 64)), None)
    watch.look(START)
    assert watch.take(BeltRest.STANDS) is None
    install(plant.folder / "first", empty.bundles, threads=1)
    watch.look(START)
    taken = watch.take(BeltRest.STANDS)
    assert taken is not None and watch.bundle.manifest.name == "first"
    assert taken.classifier.predict(np.zeros((48, 48, 3), np.uint8)).probabilities.sum() > 0
    watch.close()


NIGHT = "22:00-05:00"


def at_hour(hour: int) -> float:
    return time.mktime((*time.localtime(START)[:3], hour, 0, 0, 0, 0, -1))


def test_a_bundle_waits_for_a_standing_belt_and_says_so(plant: Plant, logged: list[str]) -> None:
    plant.install("second")
    plant.watch.look(plant.now)
    for rest in (BeltRest.MOVES, BeltRest.CARRIES, BeltRest.NOT_MEASURED, BeltRest.MOVES):
        assert plant.watch.take(rest) is None
        plant.watch.look(plant.now)
    assert plant.watch.waiting and plant.in_use == ("first", 2)
    waits = [line for line in logged if "waits until" in line]
    assert waits == [
        "the bundle second waits until the belt stands; ewaste-edge install --now takes it at once"
    ]
    assert not plant.entry(2).began_at, "its probation has not begun"
    assert plant.watch.take(BeltRest.STANDS) is not None
    assert plant.in_use == ("second", 2) and not plant.watch.waiting
    plant.look()
    assert plant.entry(2).began_at


@pytest.mark.parametrize(
    ("window", "hour", "taken"),
    [("", 23, False), (NIGHT, 12, False), (NIGHT, 23, True), ("always", 12, True)],
)
def test_on_a_moving_belt_the_window_decides(
    plant_of: Callable[..., Plant], window: str, hour: int, taken: bool
) -> None:
    plant = plant_of(window=window)
    plant.install("second")
    plant.watch.look(plant.now)
    assert (plant.watch.take(BeltRest.MOVES, at_hour(hour)) is not None) is taken


def test_who_asks_for_it_need_not_wait(plant: Plant) -> None:
    install(made(plant.tiny, plant.folder / "second"), plant.store, threads=1, at_once=True)
    plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.MOVES) is not None
    plant.install("third")
    plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.MOVES) is None
    take_at_once(plant.store)
    plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.MOVES) is not None and plant.in_use == ("third", 3)


def test_a_line_that_starts_anew_lets_a_bundle_wait_on_that_already_waited(plant: Plant) -> None:
    plant.install("second")
    assert bundle_at_start(plant.config)[0].manifest.name == "second", "no line let it wait yet"
    plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.MOVES) is None
    plant.watch.look(plant.now)
    plant.watch.close()
    plant.watch = plant.started()
    assert plant.in_use == ("first", 2)
    plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.MOVES) is None
    assert plant.watch.take(BeltRest.STANDS) is not None and plant.in_use == ("second", 2)
    plant.look()
    assert plant.entry(2).began_at
    assert bundle_at_start(plant.config)[0].manifest.name == "second"


def test_what_waits_is_taken_at_a_start_that_may(plant_of: Callable[..., Plant]) -> None:
    plant = plant_of()
    plant.install("second")
    plant.watch.look(plant.now)
    plant.watch.take(BeltRest.MOVES)
    plant.watch.look(plant.now)
    update = plant.config.update.model_copy(update={"window": "always"})
    at_any_time = plant.config.model_copy(update={"update": update})
    assert bundle_at_start(at_any_time)[0].manifest.name == "second"
    assert bundle_at_start(plant.config)[0].manifest.name == "first"
    take_at_once(plant.store)
    assert bundle_at_start(plant.config)[0].manifest.name == "second"


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_roll_back_waits_for_no_belt(plant: Plant, by_hand: bool) -> None:
    plant.install("second")
    plant.look(3)
    if by_hand:
        roll_back(plant.store, threads=1)
    else:
        plant.sort(30, **UNSURE)
    for _ in range(2):
        plant.now += store_trial.JUDGE_SECONDS
        plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.MOVES) is not None
    assert plant.in_use == ("first", 1)


def test_what_replaces_a_bundle_that_waits_is_compared_with_the_one_that_runs(
    plant: Plant,
) -> None:
    first = plant.watch.bundle.digest
    plant.install("second")
    plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.MOVES) is None
    install(made(plant.tiny, plant.folder / "third"), plant.store, threads=1, running=first)
    assert plant.entry(2).standing is Standing.LEFT and plant.entry(3).before == first
    assert not (plant.store / "2").exists() and (plant.store / "1").exists()
    plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.STANDS) is not None and plant.in_use == ("third", 3)
    # Gone back to while another one waits: nothing waits any more.
    roll_back(plant.store, threads=1)
    install(made(plant.tiny, plant.folder / "fourth"), plant.store, threads=1)
    plant.look(2)
    roll_back(plant.store, threads=1)
    plant.watch.look(plant.now)
    plant.watch.take(BeltRest.MOVES)
    assert plant.in_use == ("first", 1) and not plant.watch.waiting


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


def learn(plant: Plant, temperature: float, *, at_once: bool = False) -> str:
    """Put a generation with another temperature into use; returns its digest."""
    bundle = plant.watch.bundle
    site = SiteCalibration(
        temperature=temperature,
        thresholds={},
        hazard_thresholds={},
        unknown_threshold=None,
        items=1,
        since=0.0,
        until=1.0,
        before={},
        after={},
    )
    manifest = LearnedManifest(
        base=bundle.digest,
        base_name=bundle.manifest.name,
        created=datetime.fromtimestamp(plant.now, timezone.utc),
        calibration=site,
    )
    store = plant.config.learned
    step = LearnedStep("recalibrated", "Ada", digest_in_use(store), plant.now, at_once)
    return add_generation(store, manifest, {}, step).digest


def learned_entry(plant: Plant, number: int) -> InstallEntry:
    found = read_history(plant.config.learned).at(number)
    assert found is not None
    return found


def sort_by(plant: Plant, count: int, **changes: object) -> None:
    """Record items that what decides now decided on."""
    plant.sort(count, **{"bundle": plant.watch.in_use.decider.bundle, **changes})


def test_what_is_learned_is_taken_like_a_bundle_and_passes(plant: Plant) -> None:
    digest = learn(plant, 3.0)
    plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.MOVES) is None, "not on a moving belt"
    decider = plant.watch.take(BeltRest.STANDS)
    assert decider is not None and decider.bundle == digest
    assert plant.watch.bundle.manifest.name == "first" and not plant.watch.waiting
    view = np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)
    plain = plant.watch.in_use.classifier.predict(view)
    assert np.allclose(
        decider.classifier.predict(view).probabilities, softmax(plain.logits, 3.0), atol=1e-6
    )
    plant.look(2)
    for _ in range(10):
        sort_by(plant, 18)
        sort_by(plant, 2, **UNSURE)
        plant.look(1)
    entry = learned_entry(plant, 1)
    assert entry.standing is Standing.PASSED and entry.by == "Ada"
    assert entry.why == "20 of 200 items unknown or by hand, 20 of 200 before"


def test_what_is_learned_and_does_worse_is_left_by_the_line(plant: Plant) -> None:
    bundle = plant.watch.bundle.digest
    learn(plant, 3.0, at_once=True)
    plant.watch.look(plant.now)
    assert plant.watch.take(BeltRest.MOVES) is not None
    plant.look(2)
    sort_by(plant, 28, **UNSURE)
    for _ in range(2):
        plant.now += store_trial.JUDGE_SECONDS
        plant.watch.look(plant.now)
    decider = plant.watch.take(BeltRest.MOVES)
    assert decider is not None and decider.bundle == bundle, "at once, the bundle alone"
    assert learned_entry(plant, 1).standing is Standing.ROLLED_BACK
    assert "rolled back to the bundle alone: items unknown" in (plant.watch.error or "")
    assert plant.entry(1).standing is Standing.UNWATCHED


def test_with_another_bundle_what_was_learned_waits_for_the_old_one(plant: Plant) -> None:
    digest = learn(plant, 3.0)
    plant.look(2)
    plant.install("second")
    plant.look(1)
    assert plant.watch.bundle.manifest.name == "second"
    assert plant.watch.in_use.generation is None
    assert "learned beside the bundle first" in plant.watch.in_use.unused
    plant.look(2)
    plant.sort(28, **UNSURE)
    plant.look(3)
    assert plant.in_use == ("first", 1)
    assert plant.watch.in_use.decider.bundle == digest and not plant.watch.in_use.unused


def test_a_new_bundle_is_compared_with_what_was_learned_beside_the_old_one(plant: Plant) -> None:
    learn(plant, 3.0)
    plant.look(2)
    sort_by(plant, 1900)
    plant.install("second")
    plant.look(3)
    plant.sort(22)
    plant.sort(6, **UNSURE)
    plant.look(3)
    assert plant.in_use == ("first", 1), "6 of 28 is worse than none of the last 200"


def test_a_line_starts_without_what_cannot_be_proved(plant: Plant, logged: list[str]) -> None:
    learn(plant, 3.0)
    (plant.config.learned / "1/learned.sig").write_bytes(b"forged")
    plant.watch.close()
    plant.watch = plant.started()
    assert plant.watch.in_use.generation is None
    assert any("what was learned is not used" in line for line in logged)
    plant.look(2)
    assert plant.watch.in_use.decider.bundle == plant.watch.bundle.digest
