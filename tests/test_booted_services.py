"""The two services under a systemd that is really booted, on a belt that a camera films.

A minute to make the system without EWASTE_ROOTFS (`tests/support/booted.py`), and two to run.
"""

import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.booted import Machine, booted_marks, make_rootfs
from tests.support.booted_line import (
    CAMERA_UNIT,
    CHECKOUT,
    CONFIG,
    FILMING,
    LINE,
    LONG_S,
    PANEL,
    PROGRAM,
    SETTINGS,
    THERE,
    await_items,
    await_services,
    is_active,
    items,
    page_answers,
    pid_of,
    recorded,
    show,
)
from tests.support.waiting import wait_until

pytestmark = booted_marks(seconds=1500)
DEPLOY = CHECKOUT / "edge" / "deploy"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def shared() -> dict[Path, str]:
    """This machine's Python, its packages, and the checkout."""
    found = {Path(sysconfig.get_path("purelib")): "/opt/packages", CHECKOUT: THERE}
    base = Path(sys.base_prefix).resolve()
    return found if base == Path("/usr") else {**found, base: "/opt/python"}


def add_program(root: Path) -> None:
    """Put the program where the installer puts it, out of shared folders."""
    home = "/opt/python/bin" if "/opt/python" in shared().values() else "/usr/bin"
    bin_folder = root / PROGRAM.lstrip("/") / "bin"
    packages = bin_folder.parent / "lib" / PYTHON / "site-packages"
    for folder in (bin_folder, packages, *(root / each.lstrip("/") for each in shared().values())):
        folder.mkdir(parents=True, exist_ok=True)
    for library in Path(sys.base_prefix, "lib").glob("libpython*.so.*"):
        (root / "usr/lib" / library.name).symlink_to(f"/opt/python/lib/{library.name}")
    (bin_folder.parent / "pyvenv.cfg").write_text(f"home = {home}\n")
    (bin_folder / "python").symlink_to(f"{home}/{PYTHON}")
    (packages / "shared.pth").write_text(f"{THERE}\n/opt/packages\n")
    command = bin_folder / "ewaste-edge"
    command.write_text(f"#!{PROGRAM}/bin/python\nfrom edge.cli import main\nmain()\n")
    command.chmod(0o755)


def add_services(root: Path) -> None:
    """Put the units, the configuration, and the user where the installer puts them."""
    units, settings = root / "etc/systemd/system", root / SETTINGS
    for name in (LINE, PANEL):
        shutil.copy(DEPLOY / name, units)
    (units / FILMING).write_text(CAMERA_UNIT)
    bounded = root / "etc/systemd/journald.conf.d/ewaste-edge.conf"
    bounded.parent.mkdir(exist_ok=True)
    shutil.copy(DEPLOY / "journald.conf", bounded)
    (root / "var/log/journal").mkdir(exist_ok=True)  # a journal that survives the power cut
    settings.parent.mkdir()
    settings.write_text(CONFIG)
    for command in (
        "groupadd --system --force gpio",
        "useradd --system --user-group --home-dir /var/lib/ewaste-edge ewaste",
        f"chown root:ewaste /{SETTINGS}",
        f"chmod 640 /{SETTINGS}",
        f"systemctl add-wants multi-user.target {FILMING}",
        f"systemctl enable {LINE} {PANEL}",
    ):
        subprocess.run(["chroot", str(root), *command.split()], check=True, capture_output=True)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    root = tmp_path_factory.mktemp("machine") / "root"
    make_rootfs(root)
    add_program(root)
    add_services(root)
    booted = Machine(root, shared())
    try:
        print(f"\nbooted in {booted.boot():.1f} s")
        await_services(booted)
        yield booted
    finally:
        for unit in (LINE, PANEL):
            print(booted.do("journalctl", "-b", "--no-pager", "-u", unit, "-n", "30", check=False))
        booted.cut_power()
        shutil.rmtree(root)


def test_start_in_order_and_notify(machine: Machine) -> None:
    line_ready = int(show(machine, LINE, "ActiveEnterTimestampMonotonic"))
    page_begun = int(show(machine, PANEL, "ExecMainStartTimestampMonotonic"))
    assert 0 < line_ready <= page_begun, "the page waits for the line"
    await_items(machine, 1)
    wait_until(lambda: "running" in show(machine, LINE, "StatusText"))
    assert "answers on http://127.0.0.1:7860" in show(machine, PANEL, "StatusText")
    assert page_answers(machine)
    for unit in (LINE, PANEL):
        print(machine.do("systemctl", "status", "--no-pager", "--lines=0", unit))
        scored = machine.do("systemd-analyze", "security", "--no-pager", unit)
        print(scored.splitlines()[-1])
        assert machine.do("stat", "-c", "%U", f"/proc/{pid_of(machine, unit)}") == "ewaste"


def test_a_frozen_loop_is_restarted(machine: Machine, injected) -> None:
    frozen = pid_of(machine, LINE)
    page = pid_of(machine, PANEL)
    machine.do("sh", "-c", f"kill -STOP {frozen}")
    noticed = wait_until(lambda: pid_of(machine, LINE) != frozen, 60)
    back = wait_until(
        lambda: is_active(machine, LINE) and pid_of(machine, LINE) not in (0, frozen), LONG_S
    )
    await_items(machine, 1)
    injected("loop frozen by SIGSTOP", "the watchdog restarts the line", noticed, back)
    logged = machine.do("journalctl", "-b", "--no-pager", "-u", LINE)
    assert "Watchdog timeout" in logged
    assert "Fatal Python error: Aborted" in logged and "in run_line" in logged, "where it hung"
    assert pid_of(machine, PANEL) == page, "the page does not notice"


def test_a_lost_camera_is_no_stalled_loop(machine: Machine, injected) -> None:
    line = pid_of(machine, LINE)
    machine.do("systemctl", "stop", FILMING)
    noticed = wait_until(lambda: "no picture" in show(machine, LINE, "StatusText"), 30)
    time.sleep(1.5 * 10)  # the watchdog's time, and half of it
    assert is_active(machine, LINE) and pid_of(machine, LINE) == line
    machine.do("systemctl", "start", FILMING)
    back = wait_until(lambda: "running" in show(machine, LINE, "StatusText"), 60)
    await_items(machine, 1)
    injected("camera away for 15 s", "the line goes on, the same process", noticed, back)
    assert pid_of(machine, LINE) == line


def test_ten_kills_of_the_page_do_not_disturb_the_line(machine: Machine, injected) -> None:
    wait_until(lambda: pid_of(machine, PANEL), LONG_S)
    line, before = pid_of(machine, LINE), items(machine)
    killed = set[int]()
    for _ in range(10):
        page = pid_of(machine, PANEL)
        machine.do("sh", "-c", f"kill -KILL {page}")
        killed.add(page)
        wait_until(lambda: pid_of(machine, PANEL) not in {0, *killed}, LONG_S)
        assert pid_of(machine, LINE) == line
    after = items(machine)
    injected("page killed 10 times", f"the line counts {after - before} items on")
    assert len(killed) == 10 and after > before and is_active(machine, LINE)


def test_the_page_cannot_take_the_memory_of_the_line(machine: Machine, injected) -> None:
    folder = Path("/sys/fs/cgroup/system.slice") / PANEL
    peak, limit = folder / "memory.peak", folder / "memory.max"
    if not machine.do("ls", str(limit), check=False):
        # cgroups 1, which hold for what was started after the machine could write them.
        folder = Path("/sys/fs/cgroup/memory/system.slice") / PANEL
        peak, limit = folder / "memory.max_usage_in_bytes", folder / "memory.limit_in_bytes"
        machine.do("systemctl", "restart", "--no-block", PANEL)
    wait_until(lambda: machine.do("cat", str(peak), check=False) not in ("", "0"), LONG_S)
    line, before = pid_of(machine, LINE), items(machine)
    most = int(show(machine, PANEL, "MemoryMax"))
    assert int(machine.do("cat", str(limit))) == most
    usual = int(machine.do("cat", str(peak)))
    greedy = f"echo $$ > {folder}/cgroup.procs; exec python3 -c 'print(len(b\"x\" * (2 << 30)))'"
    assert machine.do("sh", "-c", greedy, check=False) == "", "it was killed"
    reached = int(machine.do("cat", str(peak)))
    assert usual < reached <= most
    await_items(machine, 1)
    assert pid_of(machine, LINE) == line and items(machine) > before
    mib = reached >> 20
    injected("2 GiB in the page's service", f"killed at {mib} MiB; the line goes on")


def test_after_a_power_cut_everything_is_back(machine: Machine, injected) -> None:
    await_items(machine, 5)
    committed = recorded(machine)
    machine.cut_power()
    started = time.monotonic()
    machine.boot()
    await_services(machine)
    back = time.monotonic() - started
    kept = recorded(machine)
    assert len(committed) >= 5 and committed <= kept
    await_items(machine, 1)
    wait_until(lambda: len(recorded(machine)) > len(kept), 60)
    injected(f"power cut, {len(committed)} records", "all are there, sound", None, back)
