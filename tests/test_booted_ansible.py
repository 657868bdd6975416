"""The Ansible role on a Debian 13 that is really booted, over the local connection, twice.

Slow: see `tests/support/booted_trixie.py`. ansible-core comes from the package index, for the
Python of that Debian; EWASTE_ANSIBLE names where it is kept.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.booted import Machine, booted_marks
from tests.support.booted_line import (
    CHECKOUT,
    CONFIG,
    LINE,
    SETTINGS,
    THERE,
    await_items,
    await_services,
    pid_of,
)
from tests.support.booted_trixie import PYTHON, kernel_words, make_kit, make_trixie

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = booted_marks()
CACHE = "EWASTE_ANSIBLE"
STICK, ANSIBLE, PLAYS = "/media/usb", "/opt/ansible", f"{THERE}/fleet/ansible"
GLIBCS = (17, 28, 34)
INSTALL_S = 1800.0


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get(CACHE) or tmp_path_factory.mktemp("ansible"))
    if not (folder / "ansible").exists():
        machine = os.uname().machine
        tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBCS] + [f"manylinux2014_{machine}"]
        named = [word for tag in tags for word in ("--platform", tag)]
        only = ("--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON)
        command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder)]
        if subprocess.run([*command, *only, *named, "ansible-core"]).returncode:
            pytest.skip("ansible-core cannot be fetched")
    return folder


@pytest.fixture
def machine(ansible: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    kit, root = make_kit(tmp_path_factory), tmp_path_factory.mktemp("machine") / "root"
    make_trixie(root)
    for place in (STICK, ANSIBLE, "etc/fleet"):
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
    shared = {CHECKOUT: THERE, kit: STICK, ansible: ANSIBLE}
    booted = Machine(root, shared, kernel=kernel_words())
    try:
        booted.boot()
        yield booted
    finally:
        booted.cut_power()
        shutil.rmtree(root)


def write_inventory(machine: Machine, **changed: object) -> None:
    line = tomllib.loads(CONFIG)
    board = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ewaste_edge_kit": STICK,
        "ewaste_edge_repository": "http://127.0.0.1:9/fleet",
        "ewaste_edge_root": "/etc/fleet/1.root.json",
        "ewaste_edge_ring": "canary",
        "ewaste_edge_line": line | changed,
    }
    folder = machine.root / "etc/fleet"
    (folder / "1.root.json").write_text('{"signed": {"_type": "root"}}')
    inventory = {"boards": {"hosts": {"line-1": board}}}
    (folder / "inventory.yml").write_text(json.dumps(inventory))


def play(machine: Machine, book: str, *more: str) -> str:
    """Run a playbook; returns what it prints."""
    environment = (f"PYTHONPATH={ANSIBLE}", "HOME=/root", "ANSIBLE_NOCOLOR=1")
    words = ("-i", "/etc/fleet/inventory.yml", f"{PLAYS}/{book}", *more)
    command = ("env", *environment, "python3", "-m", "ansible", "playbook", *words)
    printed = machine.do(*command, check=False, seconds=INSTALL_S)
    print(printed)
    return printed


def counts(printed: str) -> dict[str, int]:
    recap = printed.rpartition("PLAY RECAP")[2]
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", recap)}


def test_the_first_run_installs_a_board_and_the_second_changes_nothing(machine: Machine) -> None:
    write_inventory(machine)
    first = counts(play(machine, "site.yml"))
    assert first["failed"] == 0 and first["changed"] >= 5
    await_services(machine)
    await_items(machine, 2)
    settings = machine.root / SETTINGS
    kept, running = settings.read_bytes(), pid_of(machine, LINE)
    assert tomllib.loads(kept.decode())["update"]["ring"] == "canary"
    assert machine.do("stat", "-c", "%U:%G %a", f"/{SETTINGS}") == "root:ewaste 640"
    second = counts(play(machine, "site.yml"))
    assert second["failed"] == 0 and second["changed"] == 0
    assert settings.read_bytes() == kept and pid_of(machine, LINE) == running

    write_inventory(machine, gate_open_s=-1)
    refused = play(machine, "site.yml")
    assert counts(refused)["failed"] == 1 and "gate_open_s" in refused
    assert settings.read_bytes() == kept and pid_of(machine, LINE) == running

    write_inventory(machine, gate_open_s=2.0)
    assert counts(play(machine, "site.yml"))["changed"] == 2  # the file, and the restart
    assert tomllib.loads(settings.read_text())["gate_open_s"] == 2.0
    await_services(machine)
    assert pid_of(machine, LINE) != running

    where = "discovery_file=/etc/fleet/boards.json"
    assert counts(play(machine, "discovery.yml", "-e", where))["changed"] == 1
    assert counts(play(machine, "discovery.yml", "-e", where))["changed"] == 0
    found = json.loads((machine.root / "etc/fleet/boards.json").read_text())
    labels = {"board": "line-1", "ring": "canary"}
    assert found == [{"targets": ["line-1:7860"], "labels": labels}]
