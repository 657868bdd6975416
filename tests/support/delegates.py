"""External delegates of TFLite, compiled from tests/data/delegate.c."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "data" / "delegate.c"


def compiled(folder: Path, kind: str) -> Path:
    """The library of a delegate of this kind, as the source names it; skips without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to make a delegate with")
    path = folder / f"{kind.lower()}.so"
    command = [compiler, "-shared", "-fPIC", f"-D{kind}", "-o", path, SOURCE]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path
