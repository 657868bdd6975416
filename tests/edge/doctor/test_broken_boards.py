"""Boards that cannot run the line, by what the system says of them: each is named with its fix."""

from pathlib import Path

import pytest

from edge.board import BoardHealth
from edge.doctor.check import BoardCheck, CheckState
from edge.doctor.rights import groups, secrets, state_folder
from edge.doctor.runtime import runtime
from edge.doctor.service import (
    LINE,
    PAGE,
    can_limit_memory,
    how_to_install,
    page_service,
    read_properties,
    service,
)
from edge.doctor.speed import BeltLoad, speed
from edge.doctor.system import architecture, operating_system, python
from edge.doctor.thermal import power, temperature
from edge.doctor.wall_clock import clock, is_synchronized
from edge.errors import EwasteError

DEBIAN = {"PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"}
GLIBC = ("glibc", "2.36")
NOW = 1_790_000_000.0
BY_HAND = Path("/absent")
LOAD = BeltLoad(speed_mm_s=250, shortest_mm=45, separable_mm=43)


def no_runtime() -> None:
    raise EwasteError("no TFLite runtime is installed; run: pip install ai-edge-litert")


def wrong_runtime() -> None:
    raise ImportError("numpy.core.multiarray failed\nto import")


def system(**given: object) -> BoardCheck:
    usual = {"platform": "linux", "kernel": "6.6", "release": DEBIAN, "libc": GLIBC}
    return operating_system(**{**usual, **given})


def state(loaded: str, active: str = "active", started: str = "enabled") -> dict[str, str]:
    text = f"LoadState={loaded}\nActiveState={active}\nUnitFileState={started}\n"
    return read_properties(text)


def unit(loaded: str, active: str = "active", started: str = "enabled") -> BoardCheck:
    return service(LINE, state(loaded, active, started), program=BY_HAND)


FAILURES = {
    "another system": (system(platform="darwin"), "install the 64-bit Raspberry Pi OS"),
    "no glibc": (system(libc=("", "")), "install the 64-bit Raspberry Pi OS"),
    "old glibc": (system(libc=("glibc", "2.24")), "Debian 12 or newer"),
    "32-bit userland": (architecture(machine="aarch64", bits=32), "64-bit Raspberry Pi OS"),
    "32-bit machine": (architecture(machine="armv7l", bits=32), "64-bit Raspberry Pi OS"),
    "another machine": (architecture(machine="riscv64", bits=64), "64-bit Raspberry Pi"),
    "old Python": (python((3, 9, 2)), "virtual environment anew with python3.14 or an older"),
    "new Python": (python((3, 15, 0)), "from 3.10 on"),
    "tflite-runtime under numpy 2": (
        runtime({"tflite-runtime": "2.14.0", "numpy": "2.1.0"}, lambda: None),
        "pip install 'numpy<2'",
    ),
    "no runtime": (runtime({"numpy": "2.1.0"}, no_runtime), "pip install ai-edge-litert"),
    "broken runtime": (runtime({"ai-edge-litert": "2"}, wrong_runtime), "--force-reinstall"),
    "the clock of a start without a network": (
        clock(now=0.0, built_at=NOW, synchronized=False),
        "timedatectl set-ntp true",
    ),
    "weak supply": (power(BoardHealth(50.0, True, True, True)), "27 W"),
    "too hot": (power(BoardHealth(85.0, True, False, True)), "heat sink"),
    "too slow": (speed(300.0, 3, LOAD), "run the belt slower: [belt] speed_mm_s = 45"),
    "failed service": (unit("loaded", "failed"), "journalctl -u ewaste-line.service"),
}
WARNINGS = {
    "unnamed system": (system(release={}), "Debian 12"),
    "clock that nobody sets": (clock(NOW, NOW, synchronized=False), "set-ntp true"),
    "clock that nobody knows of": (clock(NOW, NOW, synchronized=None), "set-ntp true"),
    "slow": (speed(100.0, 3, LOAD), "set [classifier] views lower"),
    "hot": (temperature(BoardHealth(81.0), 80.0), "fan"),
    "no sensor": (temperature(BoardHealth(), 80.0), "apt full-upgrade"),
    "slowed before": (power(BoardHealth(50.0, False, False, True)), "power supply"),
    "not in the group": (
        groups({"video", "gpio"}, {"pi", "video"}, {"video", "gpio", "pi"}, user=1000),
        "sudo usermod -aG gpio $USER",
    ),
    "no systemd": (service(LINE, None, program=BY_HAND), "systemd"),
    "systemd that does not answer": (service(LINE, {}, program=BY_HAND), "systemctl status"),
    "no service": (unit("not-found"), "edge/deploy/install.sh"),
    "service that is not started": (unit("loaded", started="disabled"), "systemctl enable --now"),
    "service that starts again and again": (unit("loaded", "activating"), "journalctl -u"),
    "failed page": (
        service(PAGE, state("loaded", "failed"), program=BY_HAND),
        "journalctl -u ewaste-panel.service",
    ),
    "page that may take all memory": (
        page_service(state("loaded"), program=BY_HAND, limited=False),
        "cgroup_enable=memory",
    ),
    "service that was stopped": (unit("loaded", "inactive"), "systemctl start"),
}


def test_a_missing_service_is_installed_as_the_program_was(tmp_path):
    (tmp_path / "complete").touch()
    assert how_to_install(tmp_path) == "sudo ewaste-edge setup"
    assert how_to_install(BY_HAND).startswith("sudo sh /")
    deploy = tmp_path / "lib/edge/deploy"
    fix = how_to_install(BY_HAND, deploy)
    assert f"sudo cp {deploy}/ewaste-*.service /etc/systemd/system/ && sudo systemctl" in fix
    assert "docs/services.md" in fix


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_names_its_fix(case):
    check, fix = FAILURES[case]
    assert check.state is CheckState.FAILURE and fix in check.fix and check.detail


@pytest.mark.parametrize("case", WARNINGS)
def test_a_warning_names_its_fix(case):
    check, fix = WARNINGS[case]
    assert check.state is CheckState.WARNING and fix in check.fix and check.detail


def test_a_sound_board_has_nothing_to_fix():
    for check in (
        system(),
        architecture(machine="aarch64", bits=64),
        python((3, 10, 0)),
        python((3, 14, 1)),
        runtime({"ai-edge-litert": "2.0", "numpy": "2.4"}, lambda: None),
        runtime({"tflite-runtime": "2.14.0", "numpy": "1.26.4"}, lambda: None),
        clock(NOW, NOW, synchronized=True),
        clock(NOW - 3600, NOW, synchronized=True),
        temperature(BoardHealth(50.0), 80.0),
        power(BoardHealth(50.0, False, False, False)),
        groups({"gpio"}, {"pi"}, {"pi"}, user=1000),
        groups({"gpio"}, set(), {"gpio"}, user=0),
        secrets([], user=0),
        speed(17.0, 3, LOAD),
        unit("loaded"),
        page_service(state("loaded"), program=BY_HAND, limited=True),
        unit("loaded"),
    ):
        assert (check.state, check.fix) == (CheckState.OK, ""), check


def test_speed_tells_what_it_assumed():
    detail = speed(50.0, 3, LOAD).detail
    assert "decides 6.7 items a second by 3 views each, the belt can carry 5.6" in detail
    assert "50.0 ms a view" in detail and "items 45 mm apart at 250 mm/s" in detail


def test_a_clock_without_reason_is_no_crash():
    for now in (float("nan"), float("inf"), -1e300, 1e300):
        assert clock(now, NOW, synchronized=False).detail


def test_the_mark_of_timesyncd_tells_that_the_clock_is_set(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_synchronized(tmp_path / "synchronized") is None
    (tmp_path / "synchronized").touch()
    assert is_synchronized(tmp_path / "synchronized") is True
    program = tmp_path / "timedatectl"
    for answer, expected in (("no", False), ("yes", True), ("rubbish", None)):
        program.write_text(f"#!/bin/sh\necho {answer}\n")
        program.chmod(0o755)
        assert is_synchronized(tmp_path / "absent") is expected


def test_a_state_folder_that_others_see_or_that_is_none_is_named(tmp_path):
    user = tmp_path.stat().st_uid
    tmp_path.chmod(0o700)
    assert state_folder(tmp_path, user=user).state is CheckState.OK
    assert state_folder(tmp_path / "new" / "state", user=user).state is CheckState.OK
    assert "sudo -u USER" in state_folder(tmp_path, user=user + 1).fix
    assert state_folder(tmp_path, user=0).state is CheckState.OK, "root looks at the services'"
    tmp_path.chmod(0o755)
    check = state_folder(tmp_path, user=user)
    assert (check.state, check.fix) == (CheckState.WARNING, f"chmod 700 {tmp_path}")
    (tmp_path / "file").touch()
    check = state_folder(tmp_path / "file" / "state", user=user)
    assert check.state is CheckState.FAILURE and check.fix == "set another state"


def test_the_kernel_tells_whether_it_limits_memory(tmp_path):
    assert not can_limit_memory(tmp_path)
    controllers = tmp_path / "cgroup.controllers"
    controllers.write_text("cpuset cpu io pids\n")
    assert not can_limit_memory(tmp_path)
    controllers.write_text("cpuset cpu io memory pids\n")
    assert can_limit_memory(tmp_path)
