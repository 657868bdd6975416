"""`ewaste-edge` as a user types it."""

import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "edge.cli"]
ROOT = Path(__file__).parents[2]


def ewaste(*arguments: object) -> subprocess.CompletedProcess:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)


def complaint(done: subprocess.CompletedProcess) -> str:
    """The one line of an error."""
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len([line for line in lines if line.startswith("error:")]) == 1, done.stderr
    return lines[-1]
