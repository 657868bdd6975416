import os
import signal
import time
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client import ModbusTcpClient

from edge.config import ModbusConfig
from edge.gates.driven import DrivenGates
from edge.outputs.modbus import ModbusPlc, counters
from edge.status import Status
from tests.support.servers import open_until
from tests.support.waiting import wait_until

COILS = {"boards": 3, "small": 4}


@pytest.fixture
def driven(plc, logged):
    config = ModbusConfig(host="127.0.0.1", port=plc.port, registers=100, timeout_s=0.3)
    link = ModbusPlc(config, COILS, ["boards", "small", "manual"])
    gates = DrivenGates("PLC", COILS, link)
    yield gates, link, logged
    gates.release()


def test_gates_are_coils_and_counts_are_registers(plc, driven):
    gates, link, _ = driven
    wait_until(lambda: plc.coil(4) is False)
    assert plc.coil(3) is False
    open_until(gates, "small", lambda: plc.coil(4))
    assert plc.coil(3) is False
    per_bin = {"boards": 2, "small": 1, "manual": 4}
    link.show(Status(updated_at=0, state="running", items=70_000, late=1, per_bin=per_bin))

    def counted() -> bool:
        gates.alive()
        return plc.registers(100)[1:] == [1, 1, 4464, 0, 1, 0, 0, 0, 2, 0, 1, 0, 4]

    wait_until(counted)
    assert gates.release()
    assert plc.coil(4) is False


def test_the_heartbeat_stands_still_when_the_loop_does(plc, driven):
    gates, _, _ = driven

    def beats() -> int:
        block = plc.registers(100)
        return block[0] if block else 0

    deadline = time.monotonic() + 10
    while beats() < 3:
        gates.alive()
        time.sleep(0.02)
        assert time.monotonic() < deadline
    time.sleep(1.5)
    last = beats()
    time.sleep(0.6)
    assert beats() == last and plc.registers(100)[1] == 0


def test_a_plc_that_dies_and_comes_back_gets_closed_gates_and_no_stale_opening(
    plc, driven, injected
):
    gates, _, messages = driven
    wait_until(lambda: gates.fault() is None)
    open_until(gates, "boards", lambda: plc.coil(3))
    plc.kill()
    lost_s = wait_until(lambda: gates.fault())
    took = []
    for _ in range(50):
        started = time.perf_counter()
        gates.open("small")
        gates.close("small")
        gates.alive()
        took.append(time.perf_counter() - started)
    assert median(took) < 0.005, "the line does not wait"
    gates.open("small")
    time.sleep(0.5)
    plc.printed.clear()
    plc.start()
    back_s = wait_until(lambda: gates.fault() is None)
    time.sleep(0.3)
    assert not any(any(values) for _, address, values in plc.writes if address in (3, 4))
    assert {address for _, address, _ in plc.writes} >= {3, 4}
    assert len(messages) == 2 and "line goes on" in messages[0] and "back after" in messages[1]
    assert back_s < 3 and gates.status.dropped >= 2
    injected("PLC killed, started again", "closed first, no stale opening", lost_s, back_s)
    open_until(gates, "small", lambda: plc.coil(4))


def test_a_plc_that_hangs_gets_no_stale_opening_when_it_goes_on(plc, driven, injected):
    gates, _, _ = driven
    wait_until(lambda: gates.fault() is None)
    os.kill(plc.process.pid, signal.SIGSTOP)
    time.sleep(0.05)
    gates.open("boards")
    lost_s = wait_until(lambda: gates.fault())
    gates.close("boards")
    os.kill(plc.process.pid, signal.SIGCONT)
    back_s = wait_until(lambda: gates.fault() is None)
    time.sleep(0.3)
    assert plc.coil(3) is False
    injected("PLC stopped, goes on", "no stale opening", lost_s, back_s)


def test_a_coil_that_somebody_else_has_set_is_closed_again(plc, driven):
    gates, _, _ = driven
    wait_until(lambda: gates.fault() is None)
    with ModbusTcpClient("127.0.0.1", port=plc.port) as somebody:
        somebody.write_coil(3, True)
    wait_until(lambda: any(values == [True] for _, address, values in plc.writes if address == 3))
    wait_until(lambda: plc.coil(3) is False)


def test_a_plc_that_refuses_an_address_is_named(plc, logged):
    config = ModbusConfig(host="127.0.0.1", port=plc.port)
    gates = DrivenGates("PLC", ["boards"], ModbusPlc(config, {"boards": 500}, []))
    wait_until(lambda: logged)
    assert "address 500 refused" in logged[0]
    assert not gates.release()


@settings(deadline=None)
@given(st.integers(0, 2**40), st.integers(0, 2**40), st.booleans())
def test_any_count_fits_its_registers(items, heartbeat, alive):
    words = counters(Status(updated_at=0, state="running", items=items), ["a"], heartbeat, alive)
    assert len(words) == 2 + 2 * 4 and all(0 <= word < 2**16 for word in words)
    assert words[2] * 2**16 + words[3] == items % 2**32
