"""What machine the installer is on, and whether the line can be installed there."""

import os
import platform
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from edge.board import kernel_text, read_release
from edge.errors import BadInput, EwasteError, one_line
from edge.setup.commands import Runner
from edge.setup.options import RELEASES
from edge.setup.places import Places

MODEL = Path("proc/device-tree/model")
ARCHITECTURES = {"arm64": "aarch64", "amd64": "x86_64"}
"""Debian's name -> that of the kernel and of wheels."""
ROOM = 1_500_000_000
"""Bytes for a virtual environment, and for what pip unpacks on the way."""
STATE_ROOM = 200_000_000
REMEDY = "install the 64-bit Raspberry Pi OS, Bookworm or Trixie"


@dataclass(frozen=True)
class Host:
    """The machine.

    Attributes:
        title: of the system, for people.
        release: Debian's code name, such as `bookworm`; empty: it is no Debian.
        machine: as the kernel names it.
        bits: of a pointer of the Python that runs.
        architecture: of the installed programs, as dpkg names it; empty: there is no dpkg.
        python: version of the system's Python, such as `3.11`; empty: there is none.
        is_pi: it is a Raspberry Pi.
        is_root: the installer may change the system.
    """

    title: str
    release: str
    machine: str
    bits: int
    architecture: str
    python: str
    is_pi: bool
    is_root: bool


def read_host(places: Places, run: Runner) -> Host:
    """Look at the machine; what it does not say is empty."""
    release = read_release(places.root / "etc/os-release")
    debian = "debian" in (release.get("ID"), *release.get("ID_LIKE", "").split())
    version = 'import sys; print("%d.%d" % sys.version_info[:2])'
    return Host(
        title=release.get("PRETTY_NAME", "") or release.get("ID", "") or platform.system(),
        release=release.get("VERSION_CODENAME", "") if debian else "",
        machine=platform.machine(),
        bits=8 * struct.calcsize("P"),
        architecture=_answer(run, "dpkg", "--print-architecture"),
        python=_answer(run, str(places.python), "-c", version),
        is_pi=kernel_text(places.root / MODEL).startswith("Raspberry Pi"),
        is_root=os.geteuid() == 0,
    )


def require_fit(host: Host) -> None:
    """Refuse a machine that the line cannot be installed on.

    Raises:
        BadInput: it has 32 bits, is another system, or the installer is not root.
    """
    if host.bits < 64 or host.machine.startswith(("armv", "i")):
        raise BadInput(_bits(f"{host.machine}, programs of {host.bits} bits"))
    if host.architecture in ("armhf", "armel", "i386"):
        reason = f"{host.machine} kernel, but its programs have 32 bits ({host.architecture})"
        raise BadInput(_bits(reason))
    known = ", ".join(f"{name} with Python {python}" for python, name in RELEASES.items())
    if host.architecture not in ARCHITECTURES or host.release not in RELEASES.values():
        found = one_line(f"{host.title}, {host.machine}")
        raise BadInput(f"{found}: no known system; the installer knows Debian {known}; {REMEDY}")
    if RELEASES.get(host.python) != host.release:
        found = one_line(host.python or "none")
        raise BadInput(
            f"Python {found} under {host.release}: the installer knows {known}; "
            "let /usr/bin/python3 be the system's own: apt install --reinstall python3-minimal"
        )
    if not host.is_root:
        raise BadInput("only root can install: put sudo before the command")


def require_room(places: Places) -> None:
    """Refuse a disk without room for an installation.

    Raises:
        EwasteError: it has too little.
    """
    for folder, least in ((places.programs, ROOM), (places.state, STATE_ROOM)):
        there = folder
        while not there.exists():
            there = there.parent
        free = shutil.disk_usage(there).free
        if free < least:
            raise EwasteError(
                f"{there}: {free // 10**6:,} MB are free, and {least // 10**6:,} are needed; "
                "free some room, or take a larger card"
            )


def architecture_of(platform: str) -> str:
    """Debian's name of a machine that the kernel names so."""
    return next(name for name, each in ARCHITECTURES.items() if each == platform)


def _bits(found: str) -> str:
    return f"{found}: the TFLite runtime has no wheels for 32 bits; {REMEDY}"


def _answer(run: Runner, *command: str) -> str:
    try:
        return one_line(run(command, seconds=20))
    except EwasteError:
        return ""
