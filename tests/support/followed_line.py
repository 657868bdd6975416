"""A line without its belt: what is installed and recorded, and the watch on it."""

import shutil
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from edge import store_trial
from edge.bundle.history import InstallEntry, read_history
from edge.bundle.install import current_number, identity, install
from edge.bundle.window import parse_window
from edge.bundle_watch import BundleWatch
from edge.config import Config
from edge.handover import Handover
from edge.labels import MANUAL, UNKNOWN
from edge.learned.manifest import LearnedManifest
from edge.learned.site import SiteCalibration
from edge.learned.store import LearnedStep, add_generation, digest_in_use
from edge.loading import bundle_at_start, loaded
from edge.records.record import ItemRecord
from edge.records.store import RECORDS_NAME, Store
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
    """A line's folder with a bundle in use and its records, and the watch of a line beside it.

    The watch looks by itself unless a test sets `bundle_watch.POLL_SECONDS`.
    """

    def __init__(self, tiny: Path, folder: Path, **update: object) -> None:
        self.tiny, self.folder = tiny, folder
        fields = {"state": folder / "state", "update": {"probation_items": 200, **update}}
        self.config = Config.model_validate({**fields, "classifier": {"threads": 1}})
        self.store, self.now, self.items = self.config.bundles, START, 0
        self.install("first")
        self.records = Store(self.config.state_folder / RECORDS_NAME)
        self.start()

    def start(self) -> None:
        """Let a line start with what is installed."""
        seen, window = identity(self.store), parse_window(self.config.update.window)
        self.handover = Handover(loaded(self.config, bundle_at_start(self.config)), window)
        self.watch = BundleWatch(self.config, self.handover, seen)

    def restart(self) -> None:
        """Let the line end, and another one start."""
        self.watch.close()
        self.start()

    def install(self, name: str, **changes: object) -> Path:
        bundle = made(self.tiny, self.folder / name, **changes)
        install(bundle, self.store, threads=1, now=self.now)
        return bundle

    def sort(self, count: int, **changes: object) -> None:
        """Record what the bundle that decides makes of so many items, one a second."""
        digest = self.handover.in_use.bundle.digest
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
            self.handover.take(BeltRest.STANDS)

    @property
    def in_use(self) -> tuple[str, int | None]:
        """The name of the bundle that decides, and the number of the one in use."""
        return self.handover.in_use.bundle.manifest.name, current_number(self.store)

    def entry(self, number: int) -> InstallEntry:
        found = read_history(self.store).at(number)
        assert found is not None
        return found


def learn(plant: Plant, temperature: float, *, at_once: bool = False) -> str:
    """Put a generation with another temperature into use; returns its digest."""
    bundle = plant.handover.in_use.bundle
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
    plant.sort(count, **{"bundle": plant.handover.in_use.decider.bundle, **changes})
