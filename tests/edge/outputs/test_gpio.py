import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from edge.errors import BadInput, EwasteError
from edge.outputs.gpio import GpioGates


@pytest.fixture
def factory(monkeypatch):
    monkeypatch.setattr(Device, "pin_factory", MockFactory())
    yield Device.pin_factory
    Device.pin_factory.reset()


def test_gates_start_closed_and_move_their_own_pin_only(factory):
    gates = GpioGates({"boards": 17, "small": 27})
    pins = {name: factory.pin(number) for name, number in (("boards", 17), ("small", 27))}
    assert [pin.state for pin in pins.values()] == [False, False]
    gates.open("small")
    assert [pin.state for pin in pins.values()] == [False, True]
    gates.open("boards")
    gates.close_all()
    assert [pin.state for pin in pins.values()] == [False, False]


def test_releasing_closes_and_gives_the_pins_back(factory):
    gates = GpioGates({"boards": 17})
    gates.open("boards")
    gates.release()
    assert factory.pin(17).state is False
    gates.release()
    GpioGates({"boards": 17}).release()


def test_a_pin_used_twice_is_refused_and_the_first_one_given_back(factory):
    with pytest.raises(BadInput, match="gate small: pin 17"):
        GpioGates({"boards": 17, "small": 17})
    GpioGates({"boards": 17}).release()


def test_an_unknown_gate_is_named(factory):
    gates = GpioGates({"boards": 17})
    with pytest.raises(EwasteError, match="'screens'"):
        gates.open("screens")
