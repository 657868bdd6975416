"""What the board tells of itself: its system, its temperature, and whether it slows down.

Not every board tells. What it does not tell is None, never a guess.
"""

import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edge.errors import one_line

SYSTEM = Path("/sys")
RELEASE = Path("/etc/os-release")
LARGEST_RELEASE = 2**16
THROTTLED = "devices/platform/soc/soc:firmware/get_throttled"
ASKED_S = 2.0
"""The time limit of `vcgencmd`, s."""
MOST_ZONES, MOST_READ = 32, 64
PROCESSOR = re.compile(r"cpu|soc|x86_pkg|package", re.IGNORECASE)
LEAST_C, MOST_C = -60.0, 200.0
NAMELESS, LONGEST_HOST_NAME = "ewaste-edge", 64
UNDER_VOLTAGE, CAPPED, SLOWED, WARM = 1 << 0, 1 << 1, 1 << 2, 1 << 3
"""Bits of the firmware of a Raspberry Pi for what holds now."""
SINCE_START = 16
"""The same bits, this much higher, for what has held since the start."""


@dataclass(frozen=True)
class BoardHealth:
    """How the board is doing. None: it does not tell.

    Attributes:
        temperature_c: of the processor, degrees Celsius.
        slowed: the firmware holds the clock down, for heat or a weak supply.
        under_voltage: the supply is too weak.
        slowed_before: one of both has happened since the board was started.
    """

    temperature_c: float | None = None
    slowed: bool | None = None
    under_voltage: bool | None = None
    slowed_before: bool | None = None


def host_name() -> str:
    """The name of this host as topics and client identifiers at a broker may hold it.

    ASCII letters, digits, `.`, `_`, and `-`, at most 64; never empty.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname()).strip("-.")
    return plain[:LONGEST_HOST_NAME] or NAMELESS


def board_health(system: Path = SYSTEM) -> BoardHealth:
    """Ask the board; `system` is where the kernel's files lie."""
    flags = _flags(system)
    if flags is None:
        return BoardHealth(temperature_c(system))
    return BoardHealth(
        temperature_c=temperature_c(system),
        slowed=bool(flags & (CAPPED | SLOWED | WARM)),
        under_voltage=bool(flags & UNDER_VOLTAGE),
        slowed_before=bool(flags >> SINCE_START & (UNDER_VOLTAGE | CAPPED | SLOWED | WARM)),
    )


def kernel_text(path: Path, most: int = MOST_READ) -> str:
    """The first `most` bytes of a file of the kernel, stripped; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(most).decode("ascii", "replace").strip()
    except (OSError, ValueError):
        return ""


def read_release(path: Path = RELEASE) -> dict[str, str]:
    """The fields of an os-release file; empty if there is none. See os-release(5)."""
    fields = {}
    for line in kernel_text(path, LARGEST_RELEASE).splitlines():
        found = re.fullmatch(r"([A-Z0-9_]{1,64})=(.*)", line.strip())
        if found:
            fields[found[1]] = one_line(found[2].strip("\"'"), 80)
    return fields


def resident_bytes() -> float | None:
    """Return the memory of this process; None: the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return float(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def temperature_c(system: Path = SYSTEM) -> float | None:
    """Degrees Celsius of the processor's hottest zone, or of all if none is named so; None: it
    does not tell.
    """
    zones: list[tuple[str, float]] = []
    for zone in sorted((system / "class/thermal").glob("thermal_zone*"))[:MOST_ZONES]:
        name, text = kernel_text(zone / "type"), kernel_text(zone / "temp")
        if re.fullmatch(r"-?\d{1,7}", text):
            degrees = int(text) / 1000
            if LEAST_C < degrees < MOST_C and degrees != 0:
                zones.append((name, degrees))
    named = [degrees for name, degrees in zones if PROCESSOR.search(name)]
    return max(named or [degrees for _, degrees in zones], default=None)


def _flags(system: Path) -> int | None:
    text = kernel_text(system / THROTTLED)
    if not text and system == SYSTEM and (program := shutil.which("vcgencmd")):
        try:
            done = subprocess.run(
                [program, "get_throttled"],
                capture_output=True,
                timeout=ASKED_S,
                check=True,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        text = done.stdout[:MOST_READ].decode("ascii", "replace").strip().partition("=")[2]
    return int(text, 16) if re.fullmatch(r"(0x)?[0-9a-fA-F]{1,8}", text) else None
