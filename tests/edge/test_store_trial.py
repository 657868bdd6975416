"""What is in use is judged by its first items, and left where it does worse."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from edge import bundle_watch, store_trial
from edge.bundle.history import Standing
from edge.bundle.install import install
from edge.bundle_watch import BundleWatch
from edge.config import Config, proved_bundle
from edge.errors import EwasteError
from edge.folder_lock import folder_lock
from edge.handover import Handover
from edge.inference.classifier import softmax
from edge.labels import MANUAL, UNKNOWN
from edge.loading import loaded
from edge.standstill import BeltRest
from edge.verdict import Reason
from tests.support.followed_line import START, UNSURE, Plant, learn, learned_entry, sort_by


def test_a_good_bundle_takes_over_and_passes(plant: Plant, logged: list[str]) -> None:
    plant.install("second")
    assert plant.handover.take(BeltRest.STANDS) is None, "nothing is taken before it is proved"
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
    plant.restart()
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
    handover = Handover(loaded(named, proved_bundle(named)), None)
    watch = BundleWatch(named, handover, None)
    watch.look(START)
    assert handover.take(BeltRest.STANDS) is None, "what is installed is not what is named"
    watch.close()


def test_what_is_learned_is_taken_like_a_bundle_and_passes(plant: Plant) -> None:
    digest = learn(plant, 3.0)
    plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.MOVES) is None, "not on a moving belt"
    decider = plant.handover.take(BeltRest.STANDS)
    assert decider is not None and decider.bundle == digest
    assert plant.handover.in_use.bundle.manifest.name == "first" and not plant.handover.waiting
    view = np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)
    plain = plant.handover.in_use.classifier.predict(view)
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
    bundle = plant.handover.in_use.bundle.digest
    learn(plant, 3.0, at_once=True)
    plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.MOVES) is not None
    plant.look(2)
    sort_by(plant, 28, **UNSURE)
    for _ in range(2):
        plant.now += store_trial.JUDGE_SECONDS
        plant.watch.look(plant.now)
    decider = plant.handover.take(BeltRest.MOVES)
    assert decider is not None and decider.bundle == bundle, "at once, the bundle alone"
    assert learned_entry(plant, 1).standing is Standing.ROLLED_BACK
    assert "rolled back to the bundle alone: items unknown" in (plant.watch.error or "")
    assert plant.entry(1).standing is Standing.UNWATCHED


def test_a_way_back_from_what_is_learned_is_tried_again(plant: Plant) -> None:
    learn(plant, 3.0, at_once=True)
    plant.look(3)
    sort_by(plant, 28, **UNSURE)
    with folder_lock(plant.config.learned):
        plant.look(2)
    assert "should be rolled back" in (plant.watch.error or "")
    plant.now += bundle_watch.RETRY_SECONDS
    plant.look(3)
    assert learned_entry(plant, 1).standing is Standing.ROLLED_BACK
    assert plant.handover.in_use.generation is None


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
