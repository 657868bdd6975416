"""The services of the line on a booted machine, on a belt that a third service films."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.belt_camera import CAMERA, MM_PER_PX
from tests.support.booted import Machine
from tests.support.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
THERE = "/opt/checkout"
"""Where the machine has the checkout, for the camera alone."""
LINE, PANEL, FILMING = "ewaste-line.service", "ewaste-panel.service", "belt-camera.service"
PROGRAM, STATE, SETTINGS = "/opt/ewaste-edge", "var/lib/ewaste-edge", "etc/ewaste-edge/line.toml"
LONG_S = 300.0
"""A busy machine takes minutes for what takes a quiet one seconds."""
CONFIG = f"""
simulated = true
[camera]
source = "http://127.0.0.1:8080/belt.mjpg"
width = {CAMERA["width"]}
height = {CAMERA["height"]}
fps = {CAMERA["fps"]}
[belt]
mm_per_px = {MM_PER_PX}
[classifier]
threads = 1
[bins]
hazardous = ["Battery"]
[[gates]]
bin = "hazardous"
distance_mm = 700
pin = 17
"""
CAMERA_UNIT = f"""
[Unit]
Before={LINE}
[Service]
Type=notify
DynamicUser=yes
Nice=-10
CPUWeight=1000
WorkingDirectory={THERE}
ExecStart={PROGRAM}/bin/python -m tests.support.belt_camera 8080
"""
HEALTHZ = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:7860/healthz', None, 5).status)"
)


def show(machine: Machine, unit: str, name: str) -> str:
    return machine.do("systemctl", "show", unit, f"--property={name}", "--value")


def pid_of(machine: Machine, unit: str) -> int:
    return int(show(machine, unit, "MainPID") or 0)


def is_active(machine: Machine, unit: str) -> bool:
    return show(machine, unit, "ActiveState") == "active"


def items(machine: Machine) -> int:
    """The items that the line has counted since its start, by its status."""
    path = machine.root / STATE / "status.json"
    return json.loads(path.read_text())["items"] if path.exists() else 0


def recorded(machine: Machine) -> set[str]:
    """What is committed to the file of records, which is whole."""
    path = machine.root / STATE / "records.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", timeout=30, uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {name for (name,) in connection.execute("SELECT item_id FROM items")}


def await_services(machine: Machine) -> None:
    for unit in (LINE, PANEL):
        wait_until(lambda unit=unit: is_active(machine, unit), LONG_S)


def await_items(machine: Machine, more: int) -> None:
    """Wait until the line has counted so many more items than now."""
    before = items(machine)
    wait_until(lambda: items(machine) >= before + more, LONG_S)


def page_answers(machine: Machine) -> bool:
    return machine.do(f"{PROGRAM}/bin/python", "-c", HEALTHZ) == "200"
