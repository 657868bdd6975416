"""What native code prints is thrown away, whatever the terminal is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, sys
from edge.quiet import quiet
handles = len(os.listdir("/proc/self/fd"))
for _ in range(3):
    with quiet():
        os.write(1, b"chatter")
        os.write(2, b"chatter")
        print("chatter")
assert len(os.listdir("/proc/self/fd")) == handles
with open(sys.argv[1], "w") as file:
    file.write("done")
print("after")
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("ending", ["", ">/dev/full", "2>/dev/full", ">&-", "2>&-", ">&- 2>&-"])
def test_quiet_asks_for_no_terminal_and_no_disk(tmp_path: Path, ending: str) -> None:
    done = subprocess.run(
        [
            "sh",
            "-c",
            f'exec "$0" -c "$1" "$2" {ending}',
            sys.executable,
            SCRIPT,
            tmp_path / "written",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": "/no/such/folder"},
    )
    assert (tmp_path / "written").read_text() == "done", done.stderr
    assert "chatter" not in done.stdout + done.stderr
    if not ending:
        assert done.stdout == "after\n"
