"""What a line starts with: the bundle in use, or the one before it, and what was learned."""

from collections.abc import Callable

import pytest

from edge.bundle.history import Standing
from edge.bundle.install import take_at_once
from edge.errors import EwasteError
from edge.loading import bundle_at_start
from edge.standstill import BeltRest
from tests.support.followed_line import Plant, learn


def test_a_line_that_starts_with_what_it_cannot_use_goes_back(plant: Plant) -> None:
    plant.install("second")
    (plant.store / "2" / "model.tflite").write_bytes(b"exchanged")
    bundle, _ = bundle_at_start(plant.config)
    assert bundle.manifest.name == "first" and plant.entry(2).standing is Standing.ROLLED_BACK
    # Without a probation there is nothing that it goes back for.
    (plant.store / "1" / "model.tflite").write_bytes(b"exchanged")
    with pytest.raises(EwasteError, match="altered"):
        bundle_at_start(plant.config)


def test_a_line_that_starts_anew_lets_a_bundle_wait_on_that_already_waited(plant: Plant) -> None:
    plant.install("second")
    assert bundle_at_start(plant.config)[0].manifest.name == "second", "no line let it wait yet"
    plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.MOVES) is None
    plant.watch.look(plant.now)
    plant.restart()
    assert plant.in_use == ("first", 2)
    plant.watch.look(plant.now)
    assert plant.handover.take(BeltRest.MOVES) is None
    assert plant.handover.take(BeltRest.STANDS) is not None and plant.in_use == ("second", 2)
    plant.look()
    assert plant.entry(2).began_at
    assert bundle_at_start(plant.config)[0].manifest.name == "second"


def test_what_waits_is_taken_at_a_start_that_may(plant_of: Callable[..., Plant]) -> None:
    plant = plant_of()
    plant.install("second")
    plant.watch.look(plant.now)
    plant.handover.take(BeltRest.MOVES)
    plant.watch.look(plant.now)
    update = plant.config.update.model_copy(update={"window": "always"})
    at_any_time = plant.config.model_copy(update={"update": update})
    assert bundle_at_start(at_any_time)[0].manifest.name == "second"
    assert bundle_at_start(plant.config)[0].manifest.name == "first"
    take_at_once(plant.store)
    assert bundle_at_start(plant.config)[0].manifest.name == "second"


def test_a_line_starts_without_what_cannot_be_proved(plant: Plant, logged: list[str]) -> None:
    learn(plant, 3.0)
    (plant.config.learned / "1/learned.sig").write_bytes(b"forged")
    plant.restart()
    assert plant.handover.in_use.generation is None
    assert any("what was learned is not used" in line for line in logged)
    plant.look(2)
    assert plant.handover.in_use.decider.bundle == plant.handover.in_use.bundle.digest
