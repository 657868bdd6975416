"""On which machine, by which versions, from which commit, and under which load a benchmark ran."""

import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge.board import SYSTEM, board_health, kernel_text
from edge.runtimes.machine import this_machine

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "ai-edge-litert",
    "tflite-runtime",
    "openvino",
    "tensorflow",
)
CLOCK = "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
HERE = Path(__file__).parent


def facts() -> dict[str, str]:
    """The machine, the versions, the commit, and the load, as they are now."""
    versions = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return {
        "machine": f"{this_machine().in_words}, {memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "versions": ", ".join(versions),
        "commit": _commit(),
        "load": f"{load} (means of 1, 5, and 15 minutes, at the end)",
        **board_facts(),
        "date": datetime.now(timezone.utc).isoformat(" ", "seconds"),
    }


def board_facts(system: Path = SYSTEM) -> dict[str, str]:
    """Temperature, clock, and whether the board is slowed down, as far as it tells.

    `system` is where the kernel's files lie.
    """
    found, health = {}, board_health(system)
    if health.temperature_c is not None:
        found["temperature"] = f"{health.temperature_c:.1f} C"
    if re.fullmatch(r"\d{1,9}", clock := kernel_text(system / CLOCK)):
        found["clock"] = f"{int(clock) / 1e6:.2f} GHz"
    if health.slowed is not None:
        supply = ", the supply is too weak" if health.under_voltage else ""
        before = ", and was before" if health.slowed_before else ""
        found["slowed down"] = f"{'yes' if health.slowed else 'no'}{supply}{before}"
    return found


def _commit() -> str:
    """The commit of the checkout, and whether it was changed since."""
    asked = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown: git is not installed"
    return done.stdout.strip() or "unknown: no checkout"
