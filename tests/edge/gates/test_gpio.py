import time

import pytest

from edge.errors import BadInput
from edge.gates.driven import DrivenGates
from edge.gates.gpio import GpioPins
from tests.support.servers import open_until
from tests.support.waiting import wait_until


def test_gates_start_closed_and_move_their_own_pin_only(factory):
    gates = GpioPins({"boards": 17, "small": 27})
    pins = {name: factory.pin(number) for name, number in (("boards", 17), ("small", 27))}
    assert [pin.state for pin in pins.values()] == [False, False]
    gates.open("small")
    assert [pin.state for pin in pins.values()] == [False, True]
    gates.close("small")
    assert [pin.state for pin in pins.values()] == [False, False]


def test_releasing_closes_and_gives_the_pins_back(factory):
    gates = GpioPins({"boards": 17})
    gates.open("boards")
    gates.release()
    assert factory.pin(17).state is False
    gates.release()
    GpioPins({"boards": 17}).release()


def test_a_pin_used_twice_is_refused_and_the_first_one_given_back(factory):
    with pytest.raises(BadInput, match="gate small: pin 17"):
        GpioPins({"boards": 17, "small": 17})
    GpioPins({"boards": 17}).release()


def test_a_pin_that_fails_is_tried_again_and_the_line_never_notices(factory, injected, logged):
    pins = GpioPins({"boards": 17})
    gates = DrivenGates("GPIO", ["boards"], pins)
    wait_until(lambda: gates.fault() is None)
    pin = factory.pin(17)
    real = type(pin)._set_state

    def failing(self, value):
        raise OSError("the wire is loose")

    type(pin)._set_state = failing
    try:
        gates.open("boards")
        lost_s = wait_until(lambda: gates.fault())
        assert "wire is loose" in gates.fault() and len(logged) == 1
    finally:
        type(pin)._set_state = real
    back_s = wait_until(lambda: gates.fault() is None)
    injected("GPIO pin fails", "no late opening", lost_s, back_s)
    assert pin.state is False, "the item is past: the gate is not opened for it any more"
    assert gates.status.dropped >= 1 and gates.status.outages == 1 and "back" in logged[1]
    open_until(gates, "boards", lambda: pin.state)
    assert gates.release() and pin.state is False
    pins.release()


def test_gates_close_when_the_loop_stalls(factory, injected):
    pins = GpioPins({"boards": 17})
    gates = DrivenGates("GPIO", ["boards"], pins)
    open_until(gates, "boards", lambda: factory.pin(17).state)
    closed_after_s = wait_until(lambda: not factory.pin(17).state)
    assert 0.5 < closed_after_s < 2.5
    injected("the loop stalls", "gates closed", closed_after_s)
    gates.alive()
    time.sleep(0.3)
    assert not factory.pin(17).state, "it does not open again by itself"
    assert gates.release()
    pins.release()
