"""The installer on a system that is really booted: from a kit, with the network cut.

Minutes to download the kit and to make the system, unless EWASTE_KIT and EWASTE_ROOTFS name where
they are kept (`tests/support/booted.py`), and minutes to run.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.setup.options import RELEASES
from tests.support.booted import Machine, booted_marks, codename, make_rootfs, why_not
from tests.support.booted_line import (
    CAMERA_UNIT,
    CHECKOUT,
    CONFIG,
    FILMING,
    LINE,
    LONG_S,
    PANEL,
    SETTINGS,
    STATE,
    THERE,
    await_items,
    await_services,
    page_answers,
    pid_of,
    recorded,
    show,
)
from tests.support.waiting import wait_until

PYTHONS = [python for python, release in RELEASES.items() if release == codename()]
REASON = why_not() or ("" if PYTHONS else f"the installer does not know {codename()}")
pytestmark = booted_marks(reason=REASON)
KIT = "EWASTE_KIT"
"""The variable that names a folder for the kit, which is then kept."""
STICK = "/media/usb"
INSTALL_S = 1800.0
SECRET = "http://line:s3cret@127"


@contextmanager
def timed(name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{name}: {time.monotonic() - started:.1f} s", flush=True)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a person carries to the device."""
    folder = Path(os.environ.get(KIT) or tmp_path_factory.mktemp("kit"))
    script = str(CHECKOUT / "edge/deploy/install.sh")
    device = ("--platform", os.uname().machine, "--python", PYTHONS[0])
    with timed("--download"):
        subprocess.run(["sh", script, "--download", str(folder), *device], check=True)
    return folder


@pytest.fixture(scope="module")
def machine(kit: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    root = tmp_path_factory.mktemp("machine") / "root"
    make_rootfs(root)
    for place in (THERE, STICK, "/var/log/journal"):
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
    booted = Machine(root, {CHECKOUT: THERE, kit: STICK})
    try:
        print(f"booted in {booted.boot():.1f} s")
        yield booted
    finally:
        for unit in (LINE, PANEL):
            print(booted.do("journalctl", "-b", "--no-pager", "-u", unit, "-n", "30", check=False))
        booted.cut_power()
        shutil.rmtree(root)


def install(machine: Machine) -> list[str]:
    """Install from the stick; returns what it prints, line by line."""
    with timed("install.sh"):
        printed = machine.do("sh", f"{STICK}/install.sh", seconds=INSTALL_S)
    print(printed)
    return printed.splitlines()


def steps(lines: list[str], outcome: str) -> list[str]:
    return [line for line in lines if line.startswith(outcome)]


def may(machine: Machine, user: str, command: str) -> bool:
    """Whether a user can do this."""
    words = ("runuser", "-u", user, "--", "sh", "-c", f"{command} 2>/dev/null && echo yes")
    return machine.do(*words, check=False).endswith("yes")


def test_the_network_is_cut(machine: Machine) -> None:
    assert machine.do("ls", "/sys/class/net").split() == ["lo"]


def test_it_installs_from_a_stick_and_starts_the_services(machine: Machine) -> None:
    printed = install(machine)
    assert "installed; set the line up in" in printed[-1]
    for unit in (LINE, PANEL):
        assert machine.do("systemctl", "is-enabled", unit) == "enabled"
    # No camera is there: the line tries again and again, and the page shows why.
    assert any(f"{LINE}: does not start" in line for line in steps(printed, "note"))
    assert any(f"{PANEL}: enabled and started" in line for line in steps(printed, "done"))
    wait_until(lambda: int(show(machine, LINE, "NRestarts")) > 0, LONG_S)
    assert page_answers(machine)


def test_the_configuration_is_for_the_line_to_read_and_for_root_to_write(machine: Machine) -> None:
    path = machine.root / SETTINGS
    path.write_text(f'state = "/{STATE}"\n' + CONFIG.replace("http://127", SECRET))
    found = machine.do("stat", "-c", "%U:%G %a", f"/{SETTINGS}")
    assert found == "root:ewaste 640"
    assert may(machine, "ewaste", f"cat /{SETTINGS} >/dev/null")
    assert not may(machine, "ewaste", f"echo >>/{SETTINGS}")
    assert not may(machine, "ewaste", f"touch /{SETTINGS}.new")
    assert not may(machine, "nobody", f"cat /{SETTINGS} >/dev/null")


def test_the_line_runs_once_it_is_set_up(machine: Machine) -> None:
    (machine.root / "etc/systemd/system" / FILMING).write_text(CAMERA_UNIT)
    machine.do("systemctl", "daemon-reload")
    machine.do("systemctl", "add-wants", "multi-user.target", FILMING)
    machine.do("systemctl", "start", FILMING)
    machine.do("systemctl", "restart", LINE)
    await_services(machine)
    await_items(machine, 5)
    wait_until(lambda: len(recorded(machine)) >= 5, LONG_S)
    logged = machine.do("journalctl", "-b", "--no-pager", "-u", LINE)
    assert "can read the secret" not in logged
    for unit in (LINE, PANEL):
        print(machine.do("systemctl", "status", "--no-pager", "--lines=0", unit))
        assert machine.do("stat", "-c", "%U", f"/proc/{pid_of(machine, unit)}") == "ewaste"


def test_doctor_warns_of_nothing_that_the_installer_made(machine: Machine) -> None:
    checks = examined(machine)
    for name in ("secrets", "state folder", "service", "page service"):
        assert checks[name]["state"] == "ok", checks[name]
    path = machine.root / SETTINGS
    path.chmod(0o644)
    found = examined(machine)["secrets"]
    assert found["state"] == "warning" and f"chmod 640 /{SETTINGS}" in found["fix"]
    machine.do("sh", "-c", found["fix"].replace("sudo ", ""))
    assert examined(machine)["secrets"]["state"] == "ok"
    assert machine.do("stat", "-c", "%U:%G %a", f"/{SETTINGS}") == "root:ewaste 640"


def examined(machine: Machine) -> dict[str, dict[str, str]]:
    """What doctor finds, as root."""
    command = ("ewaste-edge", "doctor", "--config", f"/{SETTINGS}", "--json")
    found = json.loads(machine.do(*command, check=False))
    for check in found["checks"]:
        if check["state"] != "ok":
            print(f"{check['state']}: {check['name']}: {check['detail']}; fix: {check['fix']}")
    return {check["name"]: check for check in found["checks"]}


def test_a_second_time_changes_nothing_and_harms_nothing(machine: Machine) -> None:
    before, kept = recorded(machine), (machine.root / SETTINGS).stat()
    running = {unit: pid_of(machine, unit) for unit in (LINE, PANEL)}
    printed = install(machine)
    assert not steps(printed, "done") and len(steps(printed, "as it was")) >= 10
    found = (machine.root / SETTINGS).stat()
    assert (found.st_ino, found.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    assert {unit: pid_of(machine, unit) for unit in (LINE, PANEL)} == running
    await_items(machine, 1)
    assert before <= recorded(machine)


def test_doctor_names_the_installer_where_a_service_is_missing(machine: Machine) -> None:
    (machine.root / "etc/systemd/system" / PANEL).unlink()
    machine.do("systemctl", "daemon-reload")
    line = pid_of(machine, LINE)
    fix = examined(machine)["page service"]["fix"]
    assert fix == "sudo ewaste-edge setup"
    with timed(fix):
        print(machine.do(*fix.split()[1:], seconds=INSTALL_S))
    await_services(machine)
    assert page_answers(machine) and pid_of(machine, LINE) == line


def test_the_services_start_with_the_machine(machine: Machine) -> None:
    before = recorded(machine)
    machine.cut_power()
    with timed("power cut, until both services are back"):
        machine.boot()
        await_services(machine)
    await_items(machine, 1)
    assert before <= recorded(machine)


def test_uninstall_leaves_the_records_and_a_new_install_has_them(machine: Machine) -> None:
    settings = machine.root / SETTINGS
    with timed("--uninstall"):
        print(machine.do("ewaste-edge", "setup", "--uninstall", seconds=INSTALL_S))
    for unit in (LINE, PANEL):
        assert show(machine, unit, "LoadState") == "not-found"
    left = machine.do("ls", "/opt", "/usr/local/bin", "/etc/systemd/system").split()
    assert not [name for name in left if name.startswith("ewaste")]
    before = recorded(machine)
    assert len(before) >= 6 and SECRET in settings.read_text()
    # The camera runs out of the environment that was taken off.
    machine.do("systemctl", "stop", FILMING, check=False)
    printed = install(machine)
    assert any("does not start" in line for line in steps(printed, "note"))
    machine.do("systemctl", "start", FILMING)
    await_services(machine)
    await_items(machine, 1)
    assert before <= recorded(machine) and SECRET in settings.read_text()
    command = ("ewaste-edge", "export", "--state", f"/{STATE}", "--csv", "/root/all.csv")
    machine.do(*command)
    rows = (machine.root / "root/all.csv").read_text()
    print(f"{len(before)} records before, {len(rows.splitlines()) - 1} after")
    assert all(name in rows for name in before)
