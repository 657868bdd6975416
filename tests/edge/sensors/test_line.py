"""A whole line, as a user starts it, with a sensor that comes and goes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from edge.faults import read_faults
from edge.records.store import RECORDS_NAME, Store
from edge.status import read_status
from tests.support.servers import accepts, free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[3]
CONFIG = """
[camera]
source = "http://127.0.0.1:{camera}/belt.mjpg"
width = 640
height = 360
fps = 5
stall_s = 4
restart_s = 20
[belt]
mm_per_px = 1.25
encoder = "time"
[bins]
small = ["Keyboard"]
[[gates]]
bin = "small"
distance_mm = 900
[[sensors]]
name = "xray"
host = "127.0.0.1"
port = {port}
registers = 40
distance_mm = 200
finds = "cell inside"
inside = ["Keyboard"]
required = true
silent_s = 2
"""


def test_a_line_shows_that_a_sensor_is_gone_and_sorts_nothing_that_it_guards(
    plc, tiny_bundle, tmp_path, injected
):
    port = free_port()
    filming = [sys.executable, "-m", "tests.support.belt_camera", str(port)]
    camera = subprocess.Popen(filming, cwd=ROOT)
    wait_until(lambda: accepts(port), 60)
    (tmp_path / "line.toml").write_text(CONFIG.format(port=plc.port, camera=port))
    command = [sys.executable, "-m", "edge.cli", "run", "--config", str(tmp_path / "line.toml")]
    command += ["--bundle", str(tiny_bundle), "--state", str(tmp_path), "--no-panel"]
    line = subprocess.Popen(command, cwd=ROOT)

    def message() -> str:
        status = read_status(tmp_path)
        return (status.message or "") if status is not None else ""

    try:
        wait_until(lambda: "sensor xray: no sign of life for 2 s" in message(), 120)
        device = ModbusTcpClient("127.0.0.1", port=plc.port)
        device.connect()
        heartbeat = 0

        def is_heard() -> bool:
            nonlocal heartbeat
            heartbeat += 1
            device.write_registers(40, [heartbeat, 7, 0, 100])
            time.sleep(0.1)
            return bool(read_status(tmp_path).items) and "sensor" not in message()

        wait_until(is_heard, 120)
        device.close()
        plc.kill()
        lost_s = wait_until(lambda: "sensor xray" in message(), 60)
        wait_until(lambda: read_status(tmp_path).items >= 6, 120)
    finally:
        line.send_signal(signal.SIGTERM)
        code = line.wait(60)
        camera.kill()
        camera.wait(10)
    assert code == 0
    assert "sensor xray" in {fault.kind for fault in read_faults(tmp_path)}
    with Store(tmp_path / RECORDS_NAME, read_only=True) as store:
        records = list(store.all(crops=False))
    assert records and all(record.sensors.startswith("xray=") for record in records)
    assert {record.bin for record in records} == {"manual"}, "it guards all that has a bin"
    injected("sensor: gone from a running line", "what it guards to manual", lost_s)
