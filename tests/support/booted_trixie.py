"""A Debian 13, as Raspberry Pi OS has it, for a container; and a kit for it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.booted import mirror
from tests.support.booted_line import CHECKOUT, FILMING, LINE, PROGRAM, THERE

RELEASE, PYTHON = "trixie", "3.13"
KIT, ROOTFS = "EWASTE_TRIXIE_KIT", "EWASTE_TRIXIE_ROOTFS"
"""The variables that name where both are kept."""
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-cffi-backend,cloud-init"
"""debootstrap does not find what provides a virtual package: python3-cffi-backend."""
LEGACY = ("SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "systemd.unified_cgroup_hierarchy=0")
CAMERA = f"""
[Unit]
Before={LINE}
[Service]
DynamicUser=yes
Nice=-10
CPUWeight=1000
WorkingDirectory={THERE}
ExecStart=/bin/sh -c 'until test -x {PROGRAM}/bin/python; do sleep 1; done; \
exec {PROGRAM}/bin/python -m tests.support.belt_camera 8080'
"""


def make_kit(made: pytest.TempPathFactory) -> Path:
    """A kit for this processor and the Python of Debian 13."""
    folder = Path(os.environ.get(KIT) or made.mktemp("kit"))
    script = str(CHECKOUT / "edge/deploy/install.sh")
    device = ("--platform", os.uname().machine, "--python", PYTHON)
    subprocess.run(["sh", script, "--download", str(folder), *device], check=True)
    return folder


def make_trixie(folder: Path) -> None:
    """A root file system with a camera that films a belt once the program is there."""
    if made := os.environ.get(ROOTFS):
        subprocess.run(["cp", "-a", "--reflink=auto", made, str(folder)], check=True)
    else:
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE]
        subprocess.run([*command, str(folder), mirror()], check=True, stdout=subprocess.DEVNULL)
    units = folder / "etc/systemd/system"
    (units / FILMING).write_text(CAMERA)
    for place in (THERE.lstrip("/"), "var/log/journal"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants" / FILMING).symlink_to(f"/etc/systemd/system/{FILMING}")


def kernel_words() -> tuple[str, ...]:
    """What systemd 257 must be asked for on a machine that has cgroups 1."""
    return LEGACY if Path("/sys/fs/cgroup/memory").is_dir() else ()
