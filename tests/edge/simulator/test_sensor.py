import numpy as np
import pytest

from edge.clock import VirtualClock
from edge.config import Config
from edge.decision.sensing import SensorFinding
from edge.sensors.watch import SensorWatch
from edge.sensors.wiring import place_of
from edge.simulator.layout import PlacedItem, with_batteries_inside
from edge.simulator.motion import BeltMotion, Stretch
from edge.simulator.scenario import SensorBeside, read_scenario
from edge.simulator.sensor import SimulatedSensor, sensor_config
from edge.simulator.simulate import simulate
from tests.support.sensed import item

LABELS = ("Mobile", "Mouse", "Player")


def belt_of(count: int) -> list[PlacedItem]:
    nothing = np.zeros((1, 1, 4), np.uint8)
    placed = [
        PlacedItem(LABELS[n % 3], 500 + 250.0 * n, 0.0, 100.0, 60.0, lambda: nothing)
        for n in range(count)
    ]
    return with_batteries_inside(placed, 0.5, seed=1)


def heard(beside: SensorBeside, count: int = 60):
    """What the line hears of each item of a belt, and whether it holds a battery."""
    placed, clock = belt_of(count), VirtualClock()
    motion = BeltMotion((Stretch(5, 250.0, 0.0), Stretch(1, 0.0, 0.0)))
    sensor = SimulatedSensor(beside, placed, motion, clock, (3, 0, 1))
    watch = SensorWatch([(place_of(sensor_config(beside)), sensor)], clock.now, motion.position_mm)
    tracked = [item(n, each.position_mm) for n, each in enumerate(placed, 1)]
    answers = []
    while len(answers) < count:
        clock.sleep(0.1)
        watch.listen()
        if watch.heard_of(tracked[len(answers)]):
            (answer,) = watch.answers(tracked[len(answers)], tracked)
            answers.append(answer)
    return placed, sensor, answers, watch


def test_batteries_lie_only_in_what_may_hold_one():
    placed = belt_of(600)
    assert {each.label for each in placed if each.holds_hazard} == {"Mobile", "Player"}
    holders = [each.holds_hazard for each in placed if each.label != "Mouse"]
    assert 0.4 < np.mean(holders) < 0.6


def test_it_finds_as_often_as_published():
    beside = SensorBeside()
    placed, clock = belt_of(30_000), VirtualClock()
    motion = BeltMotion((Stretch(5, 250.0, 0.0),))
    found = np.array(SimulatedSensor(beside, placed, motion, clock, (3, 0, 1)).found)
    holds = np.array([each.holds_hazard for each in placed])
    assert found[holds].mean() == pytest.approx(0.7 * 0.97 + 0.3 * 0.77, abs=0.01)
    assert found[~holds].mean() == pytest.approx(0.06, abs=0.005)
    assert pytest.approx(0.91) == 0.7 * 0.97 + 0.3 * 0.77, "97 % and 77 % make the 91 %"


def test_each_answer_reaches_its_item_over_a_belt_that_stops():
    _, sensor, answers, watch = heard(SensorBeside())
    expected = [SensorFinding.FOUND if each else SensorFinding.CLEAR for each in sensor.found]
    assert [each.finding for each in answers] == expected
    assert watch.counts["xray"] == {"good": 60}


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({"lost": 0.3}, None),
        ({"repeated": 0.5}, "repeated"),
        ({"garbled": 0.3}, None),
        ({"wrong_time": 0.3, "wrong_by_s": 1.0}, "late"),
        ({"wrong_time": 0.3, "wrong_by_s": 86_400.0}, "too old"),
        ({"delay_s": (0.0, 1.5)}, "late"),
        ({"silent_s": ((4.0, 20.0),)}, None),
    ],
)
def test_no_fault_of_messages_makes_a_finding_an_all_clear(changes, counted, injected):
    _, sensor, answers, watch = heard(SensorBeside(**changes))
    for found, answer in zip(sensor.found, answers, strict=True):
        if found:
            assert answer.finding is not SensorFinding.CLEAR
    clean = sum(answer.finding in (SensorFinding.FOUND, SensorFinding.CLEAR) for answer in answers)
    assert 0 < clean <= 60 and (counted is None or watch.counts["xray"][counted] > 0)
    name = ", ".join(f"{key} {value}" for key, value in changes.items())
    wrong = "0 all-clears for what was found"
    injected(f"simulated X-ray: {name}", f"{clean} of 60 answers used, {wrong}")


def test_a_line_with_an_xray_records_what_it_found(tiny_bundle):
    plant = read_scenario("xray")
    load = plant.load.model_copy(update={"labels": ("Keyboard",), "battery_inside": 0.0})
    xray = plant.sensors[0].model_copy(update={"inside": ("Keyboard",), "share": 0.05})
    camera = plant.camera.model_copy(update={"fps": 5.0})
    small = {"items": 4, "load": load, "sensors": (xray,), "camera": camera}
    config = Config.model_validate(
        {
            "classifier": {"bundle": tiny_bundle},
            "bins": {"small": ["Keyboard"]},
            "gates": [{"bin": "small", "distance_mm": 900}],
        }
    )
    result = simulate(config, plant.model_copy(update=small), seed=3)
    assert [record.sensors for record in result.records] and result.score.hidden == 0
    assert all(record.sensors.startswith("xray=") for record in result.records)
    assert {record.sensors for record in result.records} <= {"xray=clear", "xray=found"}
