"""Pins that are there, taken, simulated, or missing."""

from types import SimpleNamespace

import pytest

from edge.config import BeltConfig, Config, GateConfig, ModbusConfig
from edge.doctor.check import CheckState
from edge.doctor.gates import configured_pins, gates, gpio, real_factory
from edge.errors import BadInput

BINS = {"hazardous": ("Battery",)}


def line(**gate: int) -> Config:
    return Config(
        bins=BINS,
        gates=(GateConfig(bin="hazardous", distance_mm=700, **gate),),
        modbus=ModbusConfig(host="10.0.0.9") if "coil" in gate else None,
        belt=BeltConfig(encoder="pulses", pulse_pin=5, mm_per_pulse=1.0),
    )


def test_how_the_gates_are_moved_is_named_and_no_wire_is_a_warning():
    assert "moved by pins" in gates(line(pin=17)).detail
    assert "PLC 10.0.0.9:502" in gates(line(coil=0)).detail
    check = gates(Config())
    assert check.state is CheckState.WARNING and "a pin or a coil" in check.fix


def test_the_pins_of_gates_and_encoder_are_asked_for_and_none_is_driven():
    assert configured_pins(line(pin=17)) == (17, 5)
    asked = []
    check = gpio((17, 5), lambda: SimpleNamespace(pin=asked.append), in_use=False)
    assert check.state is CheckState.OK and asked == [17, 5]


def test_simulated_pins_are_a_failure(factory):
    check = gpio((17,), real_factory, in_use=False)
    assert check.state is CheckState.FAILURE and check.fix == "unset GPIOZERO_PIN_FACTORY"


def taken(pin: int) -> None:
    raise OSError(f"GPIO busy: {pin}")


def no_pi() -> None:
    raise BadInput("gates: this machine has no pins to drive; remove the pins")


@pytest.mark.parametrize(
    ("open_factory", "detail", "fix"),
    [
        (lambda: SimpleNamespace(pin=taken), "GPIO busy: 17", "group gpio"),
        (no_pi, "has no pins to drive", "remove the pins"),
    ],
)
def test_pins_that_cannot_be_had_are_a_failure(open_factory, detail, fix):
    check = gpio((17,), open_factory, in_use=False)
    assert check.state is CheckState.FAILURE and detail in check.detail and fix in check.fix


def test_no_pins_are_fine_and_those_of_a_line_that_runs_are_left_alone():
    assert gpio((), no_pi, in_use=False).state is CheckState.OK
    check = gpio((17,), no_pi, in_use=True)
    assert check.state is CheckState.WARNING and "systemctl stop" in check.fix
