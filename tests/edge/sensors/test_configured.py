import pytest
from pydantic import ValidationError

from edge.bundle.bundle import read_bundle
from edge.config import Config, decision_rules
from edge.errors import BadInput
from edge.sensors.wiring import sensor_notes

XRAY = {"name": "xray", "topic": "plant/xray", "distance_mm": 200, "finds": "Battery"}
MQTT = {"host": "127.0.0.1"}


def config(*changes, **more) -> Config:
    sensors = [{**XRAY, **each} for each in changes]
    clean = [{key: value for key, value in each.items() if value is not ...} for each in sensors]
    return Config.model_validate({"mqtt": MQTT, "sensors": clean, **more})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"topic": ...}, "needs a topic, registers, a coil, or a pin"),
        ({"pin": 4}, "one of them"),
        ({"topic": ..., "pin": 4, "required": True}, "may be a wire that is cut"),
        ({"topic": ..., "coil": 4}, "needs a host, or the PLC"),
        ({"found": 0.1, "false_alarms": 0.1}, "its answer says nothing"),
        ({"found": 1.0}, "found"),
        ({"delay_s": [0.4, 0.2]}, "the shorter one first"),
        ({"name": "x=y;"}, "name"),
        ({"bin": "hazardous"}, "bin needs inside"),
        ({"inside": ["Mobile"], "bin": "nowhere"}, "there is no bin nowhere"),
        ({"guards": ["Mobile"]}, "guards needs required"),
        ({"distance_mm": 640}, "too late for the nearest gate"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_sensor_that_cannot_be_is_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        config(changes)


def test_sensors_must_agree_with_each_other_and_with_the_rest():
    pins = {"topic": ..., "pin": 4}
    with pytest.raises(ValidationError, match="same pin"):
        config({**pins, "name": "a"}, {**pins, "name": "b"})
    with pytest.raises(ValidationError, match="two sensors are called xray"):
        config({}, {"name": "XRAY"})
    with pytest.raises(ValidationError, match="must have the same inside"):
        config({"inside": ["Mobile"]}, {"name": "b", "inside": ["Player"]})
    with pytest.raises(ValidationError, match="needs a broker"):
        Config.model_validate({"sensors": [XRAY]})
    plc = {"host": "127.0.0.1", "registers": 100}
    with pytest.raises(ValidationError, match="the line writes to its registers"):
        config({"topic": ..., "registers": 98}, modbus=plc)


def test_it_is_reported_up_to_which_length_an_item_is_heard_of_in_time():
    near, far = config({}), config({"distance_mm": 400})
    assert list(sensor_notes(near)) == []
    (note,) = sensor_notes(far)
    assert "too late for items longer than" in note
    longest = far.longest_heard_mm(far.sensors[0])
    assert near.longest_heard_mm(near.sensors[0]) == pytest.approx(longest + 200)
    before = config({"distance_mm": -300})
    assert before.longest_heard_mm(before.sensors[0]) == pytest.approx(longest + 400)


def test_a_model_must_know_the_classes_that_a_sensor_speaks_of(tiny_bundle):
    bundle = read_bundle(tiny_bundle)
    bins = {"bins": {"small": ["Keyboard"]}, "gates": [{"bin": "small", "distance_mm": 900}]}
    with pytest.raises(BadInput, match="knows no Toaster"):
        decision_rules(config({"finds": "Toaster"}, **bins), bundle)
    with pytest.raises(BadInput, match="knows no Toaster"):
        decision_rules(config({"finds": "cell", "inside": ["Toaster"]}, **bins), bundle)
    with pytest.raises(BadInput, match="is a class of the model"):
        decision_rules(config({"finds": "battery", "inside": ["Keyboard"]}, **bins), bundle)
    (rule,) = decision_rules(config({"required": True}, **bins), bundle).sensors
    assert rule.guards == set(bundle.labels) and rule.inside == ()
