"""Every script answers `--help` at once, prints nothing else, and imports no TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for room in ("train", "convert", "benchmarks")
    for path in (ROOT / room).glob("*.py")
    if "def main(" in path.read_text(encoding="utf-8")
)
PROGRAM = """
import atexit, runpy, sys
atexit.register(lambda: print(sorted({"tensorflow", "keras"} & set(sys.modules))))
sys.argv = sys.argv[1:] + ["--help"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_scripts_are_found() -> None:
    assert {"train/fine_tune.py", "convert/quantize.py", "benchmarks/frozen_phase.py"} <= set(
        SCRIPTS
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_imports_no_tensorflow_and_prints_nothing_else(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, script], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *help_text, imported = done.stdout.strip().splitlines()
    assert help_text[0].strip().startswith("Usage:")
    assert imported == "[]"
