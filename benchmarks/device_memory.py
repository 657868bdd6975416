"""Peak resident memory of the device process: python benchmarks/device_memory.py.

The line runs on a recorded belt, without the page, which is another process.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer

COMMAND = [sys.executable, "-m", "edge.cli"]


def measure(items: int) -> dict[str, float]:
    """Record a belt of `items` to a video file, run the line on it, and sample its memory.

    Returns:
        peak_mb, the peak resident memory in MB, and items, the number of items.

    Raises:
        subprocess.CalledProcessError: the line failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        video = str(Path(scratch) / "belt.avi")  # Motion JPEG, as a USB camera sends it
        made = [*COMMAND, "simulate", "--items", str(items), "--video", video, "--json"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        command = [*COMMAND, "run", "--camera", video, "--no-panel", "--state", scratch, "--json"]
        line = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        process, peak = psutil.Process(line.pid), 0
        while line.poll() is None:
            try:
                peak = max(peak, process.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.02)
        answer = line.communicate()[0]
        if line.returncode:
            raise subprocess.CalledProcessError(line.returncode, command)
        return {"peak_mb": round(peak / 2**20, 1), "items": json.loads(answer)["items"]}


def main(
    *,
    items: Annotated[int, typer.Option(min=1, help="number of items")] = 40,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Measure the peak memory. Exit codes: 0 done, 1 failed."""
    figures = measure(items)
    if as_json:
        print(json.dumps(figures))
    else:
        print(f"peak resident memory {figures['peak_mb']} MB over {figures['items']} items")


if __name__ == "__main__":
    typer.run(main)
