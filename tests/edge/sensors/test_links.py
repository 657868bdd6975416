"""Against a real broker, a real Modbus server, and gpiozero's simulated pins."""

import json
import os
import signal
import time

import pytest
from paho.mqtt import client as paho
from pymodbus.client import ModbusTcpClient

from edge.clock import SystemClock
from edge.config import Config
from edge.encoders.encoder import TimedEncoder
from edge.errors import BadInput
from edge.sensors.wiring import open_sensor, open_sensors
from tests.support.servers import mqtt_config
from tests.support.waiting import wait_until

TOPIC = "plant/xray"


@pytest.fixture
def opened():
    """Opens a sensor of a configuration, and closes it at the end."""
    clock, sensors = SystemClock(), []

    def open_one(**content):
        sensor = {"name": "xray", "distance_mm": 100, "finds": "Battery", **content.pop("sensor")}
        config = Config.model_validate({**content, "sensors": [sensor]})
        sensors.append(open_sensor(config, config.sensors[0], clock))
        return sensors[-1]

    yield open_one
    for sensor in sensors:
        sensor.close()


@pytest.fixture
def sender(broker):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="the-xray")
    client.username_pw_set("observer", broker.password)
    client.tls_set(str(broker.folder / "ca.pem"))
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield client
    client.loop_stop()


def message(number: int, **changes) -> str:
    return json.dumps(
        {"sensor": "xray", "id": number, "time": time.time(), "found": True} | changes
    )


def collected(sensor, count: int) -> list:
    found = []

    def enough() -> bool:
        found.extend(sensor.readings())
        return len(found) >= count

    wait_until(enough, 20)
    return found


def heard(client, sensor) -> None:
    """Let the sensor be heard once: from then on nothing is lost on the way."""

    def once() -> bool:
        client.publish(TOPIC, json.dumps({"sensor": "xray", "alive": True}), 1)
        time.sleep(0.05)
        return sensor.state.alive_at is not None

    wait_until(once, 20)


def test_messages_come_through_a_broker_and_what_is_retained_does_not(broker, opened, sender):
    sender.publish(TOPIC, message(1), 1, retain=True).wait_for_publish(10)
    sensor = opened(mqtt=mqtt_config(broker).model_dump(), sensor={"topic": TOPIC})
    heard(sender, sensor)
    assert sensor.readings() == () and sensor.state.rejected == 1, "nobody knows how old it is"
    sender.publish(TOPIC, message(2, certainty=0.5), 1)
    sender.publish(TOPIC, "{", 1)
    sender.publish(TOPIC, message(3, found=False), 1)
    first, second = collected(sensor, 2)
    assert (first.number, first.found, first.certainty) == (2, True, 0.5)
    assert (second.number, second.found) == (3, False)
    assert abs(first.at - first.received_at) < 2 and sensor.state.rejected == 2


def test_a_broker_that_dies_is_a_fault_and_what_was_sent_meanwhile_does_not_come(
    broker, opened, sender, injected
):
    sensor = opened(mqtt=mqtt_config(broker).model_dump(), sensor={"topic": TOPIC})
    heard(sender, sensor)
    broker.kill()
    lost_s = wait_until(lambda: sensor.state.error, 20)
    before = time.perf_counter()
    assert sensor.readings() == () and time.perf_counter() - before < 0.05, "the line never waits"
    broker.start()
    back_s = wait_until(lambda: sensor.state.error is None, 20)

    def again() -> bool:
        sender.publish(TOPIC, message(9), 1)
        return bool(sensor.readings())

    wait_until(again, 20)
    injected(
        "sensor: broker killed, started again", "fault shown, then heard again", lost_s, back_s
    )


def test_registers_are_readings_and_the_heartbeat_a_sign_of_life(plc, opened):
    device = ModbusTcpClient("127.0.0.1", port=plc.port)
    device.connect()
    device.write_registers(40, [1, 7, 1, 100])
    where = {"host": "127.0.0.1", "port": plc.port, "registers": 40, "poll_s": 0.02}
    sensor = opened(sensor=where)
    time.sleep(0.4)
    assert sensor.readings() == () and sensor.state.alive_at is None, "old, and no heartbeat"
    device.write_registers(40, [2, 7, 1, 100])
    wait_until(lambda: sensor.state.alive_at is not None)
    device.write_registers(40, [2, 8, 1, 90])
    (found,) = collected(sensor, 1)
    assert (found.found, found.certainty, found.at) == (True, 0.9, None)
    device.write_registers(40, [2, 10, 0, 100])
    (clear,) = collected(sensor, 1)
    assert not clear.found and clear.number == found.number + 2, "one was missed"
    device.write_registers(40, [2, 11, 7, 100])
    wait_until(lambda: sensor.state.rejected == 1)
    device.write_registers(40, [2, 12, 1, 101])
    wait_until(lambda: sensor.state.rejected == 2)
    assert sensor.readings() == ()
    device.close()


def test_a_value_is_compared_with_its_limit(plc, opened):
    device = ModbusTcpClient("127.0.0.1", port=plc.port)
    device.connect()
    where = {"host": "127.0.0.1", "port": plc.port, "registers": 40, "poll_s": 0.02}
    sensor = opened(sensor={**where, "least_value": 350.0})
    wait_until(lambda: sensor.state.error is None and device.connected)
    time.sleep(0.4)
    for number, value in ((1, 349), (2, 350)):
        device.write_registers(40, [number, number, value, 100])
        (each,) = collected(sensor, 1)
        assert (each.found, each.value) == (value >= 350, value)
    device.close()


def test_a_coil_reports_what_it_finds_and_clears_nothing(plc, opened, injected):
    device = ModbusTcpClient("127.0.0.1", port=plc.port)
    device.connect()
    config = {"modbus": {"host": "127.0.0.1", "port": plc.port, "timeout_s": 0.3}}
    sensor = opened(**config, sensor={"coil": 5, "poll_s": 0.02})
    wait_until(lambda: sensor.state.alive_at is not None)
    for is_on in (True, False, True, False):
        device.write_coil(5, is_on)
        time.sleep(0.3)
    assert [each.found for each in collected(sensor, 2)] == [True, True]
    device.close()
    os.kill(plc.process.pid, signal.SIGSTOP)
    lost_s = wait_until(lambda: sensor.state.error, 20)
    os.kill(plc.process.pid, signal.SIGCONT)
    back_s = wait_until(lambda: sensor.state.error is None, 20)
    injected("sensor: PLC stopped, goes on", "fault shown, then asked again", lost_s, back_s)


def test_a_pin_reports_what_it_finds(factory):
    clock = SystemClock()
    given = {"name": "metal", "pin": 17, "distance_mm": 100, "finds": "Battery"}
    config = Config.model_validate({"sensors": [given]})
    watch = open_sensors(config, clock, TimedEncoder(250.0, clock.now()))
    pin = factory.pin(17)
    before = clock.now()
    for _ in range(3):
        pin.drive_low()
        pin.drive_high()
    watch.listen()
    assert watch.counts == {"metal": {"good": 3}}
    assert watch.faults() == {} and clock.now() - before < 1
    with pytest.raises(BadInput, match="pin 17 is not available"):
        open_sensor(config, config.sensors[0], clock)
    watch.close()
    open_sensor(config, config.sensors[0], clock).close()
