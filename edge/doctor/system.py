"""The operating system, the architecture, and Python."""

import re
from collections.abc import Mapping

from edge.board import RELEASE
from edge.doctor.check import BoardCheck, failure, ok, warning

LEAST_GLIBC = (2, 27)
"""What the wheels of ai-edge-litert are built for (manylinux_2_27)."""
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 14)
"""For which ai-edge-litert has wheels."""
MACHINES = ("aarch64", "arm64", "x86_64", "amd64")
ANOTHER_SYSTEM = "install the 64-bit Raspberry Pi OS, or Debian 12 or newer"


def operating_system(
    *, platform: str, kernel: str, release: Mapping[str, str], libc: tuple[str, str]
) -> BoardCheck:
    """Whether the operating system is one that the runtime has wheels for.

    Args:
        platform: as `sys.platform`.
        kernel: its release.
        release: the fields of os-release.
        libc: name and version of the C library, as `platform.libc_ver()`.
    """
    name = "operating system"
    if platform != "linux":
        return failure(name, f"{platform} is not Linux", ANOTHER_SYSTEM)
    title = release.get("PRETTY_NAME") or release.get("NAME") or ""
    found = f"{title or 'an unnamed Linux'}, kernel {kernel}"
    numbers = re.match(r"(\d{1,4})\.(\d{1,4})", libc[1])
    if libc[0] != "glibc" or not numbers:
        library = " ".join(libc).strip() or "an unknown one"
        reason = f"its C library is {library}, and the TFLite runtime has wheels for glibc only"
        return failure(name, f"{found}: {reason}", ANOTHER_SYSTEM)
    if (int(numbers[1]), int(numbers[2])) < LEAST_GLIBC:
        reason = (
            f"glibc {libc[1]} is older than the {'.'.join(map(str, LEAST_GLIBC))} of the wheels"
        )
        return failure(name, f"{found}: {reason}", ANOTHER_SYSTEM)
    if not title:
        return warning(name, f"{found}: {RELEASE} names no release", ANOTHER_SYSTEM)
    return ok(name, f"{found}, glibc {libc[1]}")


def architecture(*, machine: str, bits: int) -> BoardCheck:
    """Whether machine and userland have 64 bits.

    Args:
        machine: as `platform.machine()`.
        bits: of a pointer of this Python.
    """
    name = "architecture"
    if bits < 64:
        kernel = "a 64-bit kernel" if machine.lower() in MACHINES else "a 32-bit machine"
        reason = f"{machine}, Python of {bits} bits on {kernel}: the TFLite runtime has no wheels"
        return failure(name, f"{reason} for 32 bits", "install the 64-bit Raspberry Pi OS")
    if machine.lower() not in MACHINES:
        reason = f"{machine}: the TFLite runtime has wheels for aarch64 and x86_64 only"
        return failure(name, reason, "run the line on a 64-bit Raspberry Pi or an x86-64 computer")
    return ok(name, f"{machine}, {bits} bits")


def python(version: tuple[int, ...]) -> BoardCheck:
    """Whether Python is one that the runtime has wheels for; `version` as `sys.version_info`."""
    shown = ".".join(map(str, version[:3]))
    if OLDEST_PYTHON <= tuple(version[:2]) <= NEWEST_PYTHON:
        return ok("python", shown)
    oldest, newest = (".".join(map(str, each)) for each in (OLDEST_PYTHON, NEWEST_PYTHON))
    return failure(
        "python",
        f"{shown}: the line is made for {oldest} to {newest}",
        f"make the virtual environment anew with python{newest} or an older one, from {oldest} on",
    )
