"""From the start of a process to its first verdict: time, imports, and memory."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.marked import run_delay_ns
from benchmarks.rounds import Interval, median_interval
from edge.errors import EwasteError

IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
COMMAND = ("-m", "edge.cli", "classify")
IMPORTS_SHOWN = 6
WATCH_S = 0.005


@dataclass(frozen=True)
class Start:
    """How a device process starts: `ewaste-edge classify` of one picture, without a page.

    Attributes:
        starts: how often it was started.
        seconds: from the start of the process to the printed verdict, s.
        cpu_s: processor time until its end, of the process that tries the bundle first, too.
        waited_s: the median time that it waited for a processor, s.
        peak_mb: the greatest resident memory, MB.
        import_ms: the time of all imports of one start that is measured by `-X importtime`, ms.
        imports_ms: the packages that take most of it, ms.
    """

    starts: int
    seconds: Interval
    cpu_s: Interval
    waited_s: float
    peak_mb: float
    import_ms: float
    imports_ms: Mapping[str, float]


def measure_start(bundle: Path, picture: np.ndarray, starts: int) -> Start:
    """Start it some times.

    Args:
        bundle: directory of the bundle.
        picture: uint8 RGB [h, w, 3].
        starts: how often.

    Raises:
        EwasteError: it fails.
    """
    with tempfile.TemporaryDirectory(prefix="ewaste-start-") as scratch:
        path = Path(scratch) / "item.png"
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        command = [*COMMAND, str(path), "--bundle", str(bundle)]
        _start(command)  # what is read from the disk is in the cache from now on
        found = np.array([_start(command) for _ in range(starts)])
        peak_mb = _peak_mb(command)
        imports = _imports(command)
    largest = dict(imports.most_common(IMPORTS_SHOWN))
    return Start(
        starts=starts,
        seconds=median_interval(found[:, 0]),
        cpu_s=median_interval(found[:, 1]),
        waited_s=float(np.median(found[:, 2])),
        peak_mb=peak_mb,
        import_ms=round(sum(imports.values()) / 1000, 1),
        imports_ms={name: round(us / 1000, 1) for name, us in largest.items()},
    )


def _start(command: list[str]) -> tuple[float, float, float]:
    """Seconds by the clock until the verdict, of the processors, and waited for one."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None
    with child.stdout as printed:
        printed.readline()
        took = time.perf_counter() - started
        printed.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    waited = run_delay_ns(Path(f"/proc/{child.pid}/task")) / 1e9  # the main thread is left
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise EwasteError(f"{' '.join(command)}: ended with exit code {child.returncode}")
    return took, usage.ru_utime + usage.ru_stime, waited


def _peak_mb(command: list[str]) -> float:
    """The greatest resident memory of one start, MB.

    It is watched, since what the system reports at the end counts the memory of this process too.
    """
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        status, peak = Path(f"/proc/{child.pid}/status"), 0
        while child.poll() is None:
            found = re.search(rb"VmHWM:\s+(\d+)", status.read_bytes())
            peak = max(peak, int(found[1]) if found else 0)
            time.sleep(WATCH_S)
    return peak / 1024


def _imports(command: list[str]) -> Counter[str]:
    """The time of each package's own imports, microseconds; of ours, of each room."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    found: Counter[str] = Counter()
    for took_us, name in IMPORT.findall(done.stderr):
        parts = name.split(".")
        found[".".join(parts[: 2 if parts[0] == "edge" else 1])] += int(took_us)
    return found
