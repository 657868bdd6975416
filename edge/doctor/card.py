"""What wears an SD card or an eMMC out: records, journal and swap on it, and how worn it is."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.board import kernel_text
from edge.doctor.check import BoardCheck, failure, ok, warning
from edge.doctor.disk import existing_part

CARD = re.compile(r"mmcblk\d{1,3}")
"""The kernel's name for SD cards and eMMC."""
LARGEST_FILE = 2**16
MOST_SWAPS = 64
WORN, NEARLY_WORN = 11, 9
"""Of `life_time`: tenths of its life that are used, from 1 (up to 10 %); 11 is beyond its life."""
URGENT, WARNED = 3, 2
"""Of `pre_eol_info`: the spare blocks are used up by 90 %, or by 80 % (JEDEC JESD84-B51, EXT_CSD
267 to 269; the kernel's Documentation/driver-api/mmc/mmc-dev-attrs.rst)."""


@dataclass(frozen=True)
class Roots:
    """Where the system's files lie.

    Attributes:
        system: the kernel's devices.
        processes: the kernel's processes.
        settings: the system's configuration.
        journal: where journald keeps what outlives a start.
    """

    system: Path = Path("/sys")
    processes: Path = Path("/proc")
    settings: Path = Path("/etc")
    journal: Path = Path("/var/log/journal")


def disk_of(path: Path, system: Path) -> str:
    """The kernel's name of the disk that a path lies on, such as mmcblk0; empty: none is known."""
    try:
        device = existing_part(path).stat().st_dev
        place = system / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}"
        found = place.resolve(strict=True)
    except (OSError, RuntimeError):
        return ""
    # A partition lies within its disk.
    return found.parent.name if (found / "partition").exists() else found.name


def storage(state: Path, roots: Roots) -> list[BoardCheck]:
    """What the state folder lies on, and how worn that is."""
    name = disk_of(state, roots.system)
    if not CARD.fullmatch(name):
        where = f"on {name}, no SD card" if name else "on no disk of its own that the kernel names"
        return [ok("storage", f"{state}: {where}")]
    return [
        warning(
            "storage",
            f"{state}: on {name}, an SD card or eMMC, which records wear out",
            "put the state folder on an SSD, or use a card for endless recording (high endurance)",
        ),
        wear(name, roots.system),
    ]


def wear(name: str, system: Path) -> BoardCheck:
    """How worn a card is, as far as it tells: eMMC does, SD cards do not."""
    device = system / "block" / name / "device"
    used = [
        int(text, 16)
        for text in kernel_text(device / "life_time").split()[:2]
        if re.fullmatch(r"0x[0-9a-fA-F]{1,2}", text)
    ]
    text = kernel_text(device / "pre_eol_info")
    spare = int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,2}", text) else 0
    worst = max(used, default=0)
    if not worst and not spare:
        return ok("card life", f"{name} does not tell how worn it is, as no SD card does")
    found = f"{name}: at most {min(10 * worst, 100)} % of its life are used" if worst else name
    if worst >= WORN or spare >= URGENT:
        return failure("card life", f"{found}; it is worn out", "copy the card and replace it now")
    if worst >= NEARLY_WORN or spare == WARNED:
        return warning("card life", f"{found}; it is nearly worn out", "copy and replace it soon")
    return ok("card life", found)


def journal(roots: Roots) -> BoardCheck:
    """Whether the journal is written to a card."""
    name = disk_of(roots.journal, roots.system) if roots.journal.is_dir() else ""
    if _journal_storage(roots.settings / "systemd") in ("volatile", "none") or not name:
        return ok("journal", "is not kept on a disk")
    if not CARD.fullmatch(name):
        return ok("journal", f"is kept on {name}, no SD card")
    return warning(
        "journal",
        f"{roots.journal}: is kept on {name}, which it wears out",
        "write [Journal] and Storage=volatile into /etc/systemd/journald.conf.d/volatile.conf, "
        "then: sudo systemctl restart systemd-journald",
    )


def swap(roots: Roots) -> BoardCheck:
    """Whether memory is swapped to a card."""
    on_cards = [place for place in _swaps(roots.processes) if _is_card(place, roots.system)]
    if on_cards:
        return warning(
            "swap",
            f"{', '.join(on_cards)}: lies on an SD card or eMMC, which it wears out",
            f"sudo swapoff {on_cards[0]}; for good: sudo systemctl disable --now dphys-swapfile",
        )
    return ok("swap", "none lies on an SD card")


def _journal_storage(folder: Path) -> str:
    """The last Storage= of journald's settings, small; empty: the default holds."""
    found = ""
    files = sorted((folder / "journald.conf.d").glob("*.conf"))[:MOST_SWAPS]
    for path in (folder / "journald.conf", *files):
        for line in kernel_text(path, LARGEST_FILE).splitlines():
            key, _, value = line.partition("=")
            found = value.strip().lower() if key.strip() == "Storage" else found
    return found


def _swaps(processes: Path) -> Iterator[str]:
    """The devices and files that memory is swapped to. See proc_swaps(5)."""
    for line in kernel_text(processes / "swaps", LARGEST_FILE).splitlines()[1 : MOST_SWAPS + 1]:
        if line.startswith("/"):
            yield line.split()[0].replace("\\040", " ")


def _is_card(place: str, system: Path) -> bool:
    if place.startswith("/dev/"):
        return re.fullmatch(r"/dev/mmcblk\d{1,3}(p\d{1,3})?", place) is not None
    return CARD.fullmatch(disk_of(Path(place), system)) is not None
