"""A small Debian that is really booted: systemd in a container of systemd-nspawn."""

import os
import platform
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

PROGRAMS = ("systemd-nspawn", "nsenter", "debootstrap")
SOURCES = Path("/etc/apt")
PACKAGES = "systemd,systemd-sysv,dbus,python3"
CONTROLLERS = ("memory", "devices", "cpu", "pids")
CGROUPS = Path("/sys/fs/cgroup")
ROOTFS = "EWASTE_ROOTFS"
"""The variable that names a root file system made before, which saves minutes."""


def why_not() -> str:
    """Why no system can be booted here; empty when it can."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"missing: {', '.join(missing)} (apt install systemd-container debootstrap)"
    if os.getuid():
        return "only root can boot a container"
    if platform.freedesktop_os_release().get("ID") != "debian":
        return "this is no Debian, whose programs the container could share"
    if not os.environ.get(ROOTFS) and not mirror():
        return "no Debian mirror in the sources of apt"
    return ""


def booted_marks(seconds: int = 3600, reason: str | None = None) -> list[pytest.MarkDecorator]:
    """The marks of a file of tests that boot; `reason` is why they cannot, else `why_not`."""
    found = why_not() if reason is None else reason
    return [
        pytest.mark.slow,
        pytest.mark.e2e,
        pytest.mark.timeout(seconds),
        pytest.mark.skipif(bool(found), reason=found or "can be booted"),
    ]


def codename() -> str:
    """Of this machine's Debian: the container gets the same, since it shares the Python."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def mirror() -> str:
    """The Debian mirror that this machine uses; empty: it names none."""
    lists = [SOURCES / "sources.list", *sorted((SOURCES / "sources.list.d").glob("*"))]
    for path in lists:
        with suppress(OSError):
            for block in path.read_text().split("\n\n"):
                uri = re.search(r"(?m)^(?:URIs:|deb(?: \[.*?\])?)\s+(\S+)", block)
                if uri and re.search(rf"\s{codename()}(\s|$)", block):
                    return uri[1]
    return ""


def make_rootfs(folder: Path) -> None:
    """Copy the root file system that `EWASTE_ROOTFS` names, or make one, which takes minutes."""
    if made := os.environ.get(ROOTFS):
        subprocess.run(["cp", "-a", "--reflink=auto", made, str(folder)], check=True)
        return
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", codename()]
    subprocess.run([*command, str(folder), mirror()], check=True, stdout=subprocess.DEVNULL)


class Machine:
    """A container that can be booted, and whose power can be cut."""

    def __init__(
        self,
        root: Path,
        shared: dict[Path, str],
        *,
        console: Path | None = None,
        kernel: tuple[str, ...] = (),
    ) -> None:
        """Prepare.

        Args:
            root: its root file system.
            shared: folders of this machine -> where the container has them, read-only.
            console: file that gets what it writes on its console; None: that is lost.
            kernel: words that its systemd reads as it reads the command line of a kernel.
        """
        self.root, self._name = root, f"ewaste-{os.getpid()}"
        self._console, self._kernel = console, kernel
        self._shared = [f"--bind-ro={path}:{place}" for path, place in shared.items()]
        self._process: subprocess.Popen | None = None
        # Before cgroups 2 a container may limit nothing, unless it has cgroups of its own.
        self._cgroups = [_own_cgroup(name) / self._name for name in CONTROLLERS if _is_old(name)]

    def boot(self, seconds: float = 60.0) -> float:
        """Switch it on; returns after how long its services run, s."""
        started = time.monotonic()
        for folder in self._cgroups:
            folder.mkdir(exist_ok=True)
        enter = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in self._cgroups)
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"]
        kind = "pipe" if self._console is None else "read-only"
        command += ["--private-network", f"--console={kind}", f"--machine={self._name}"]
        command += [f"--directory={self.root}", *self._shared, *self._kernel]
        with (self._console or Path(os.devnull)).open("ab") as console:
            self._process = subprocess.Popen(
                ["sh", "-c", f'{enter}exec "$@"', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        wait_until(lambda: self.do("systemctl", "show", "--property=Version", check=False), seconds)
        if self._cgroups:
            for name in CONTROLLERS:
                self.do("mount", "-o", "remount,bind,rw", f"/sys/fs/cgroup/{name}")
            self.do("systemctl", "daemon-reexec")
        return time.monotonic() - started

    def do(self, *command: str, check: bool = True, seconds: float = 120.0) -> str:
        """Run a command in it; returns what it printed."""
        leader = self._leader()
        if leader is None:
            return ""
        spaces = ["-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        done = subprocess.run(
            ["nsenter", "-t", str(leader), *spaces, *command],
            capture_output=True,
            text=True,
            timeout=seconds,
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def cut_power(self) -> None:
        """End all of it at once, without a chance to write anything."""
        if self._process is None:
            return
        leader = self._leader()
        self._process.kill()
        if leader is not None:
            with suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)  # the first process: the kernel ends the others
            wait_until(lambda: not Path(f"/proc/{leader}").exists())
        self._process.wait()
        self._process = None
        for folder in self._cgroups:
            wait_until(lambda folder=folder: _removed(folder))

    def _leader(self) -> int | None:
        assert self._process is not None, "it is switched off"
        pid = self._process.pid
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return int(children[0]) if children else None
        return None


def _is_old(controller: str) -> bool:
    return (CGROUPS / controller / "cgroup.procs").exists()


def _own_cgroup(controller: str) -> Path:
    """The cgroup of this process: the container's lies within it."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return CGROUPS / controller / path.lstrip("/")
    return CGROUPS / controller


def _removed(folder: Path) -> bool:
    """Remove a cgroup with all below it; False while something lives in it."""
    below = sorted(folder.rglob("*/"), reverse=True) if folder.exists() else []
    try:
        for each in [*(path for path in below if path.is_dir()), folder]:
            each.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
