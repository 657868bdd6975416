"""From a bare arm64 Debian to an installed line, under emulation, with the network cut.

It takes half an hour or more. `EWASTE_ARM64=DIR` keeps what takes long to make. With `-s` it prints
how long each part took; emulated times say nothing about a board.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.setup.lock import lock_text, read_lock
from edge.setup.options import RELEASES
from tests.support import arm64

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "edge/deploy/install.sh"
LONG_S = 3600
REASON = arm64.why_not()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3 * LONG_S),
    pytest.mark.skipif(bool(REASON), reason=REASON),
]
DRAWN_WITH = ("numpy", "opencv-python-headless")
SIMULATE = ("simulate", "--items", "10", "--seed", "7")
OLD_RUNTIME = "tflite-runtime==2.14.0"


@contextmanager
def timed(name: str) -> Iterator[None]:
    started, before = time.monotonic(), processor_s()
    yield
    taken, used = time.monotonic() - started, processor_s() - before
    print(f"{name}: {taken:.0f} s, of the processor {used:.0f} s", flush=True)


def processor_s() -> float:
    """What the programs took that were run to their end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Iterator[Path]:
    named = os.environ.get(arm64.CACHE)
    folder = Path(named) if named else tmp_path_factory.mktemp("arm64")
    folder.mkdir(parents=True, exist_ok=True)
    with arm64.emulation(folder):
        yield folder


@pytest.fixture(scope="module")
def kit(kept) -> Path:
    """What a person carries to the device, made on this machine for another."""
    with timed("--download"):
        run = subprocess.run(["sh", str(SCRIPT), "--download", str(kept / "kit")], timeout=LONG_S)
    assert run.returncode == 0
    return kept / "kit"


class Board:
    """An arm64 root file system."""

    def __init__(self, root: Path, kit: Path) -> None:
        self.root, self._kit = root, kit

    def run(self, *command: str, code: int = 0) -> str:
        words = arm64.inside(self.root, self._kit, *command)
        done = subprocess.run(words, capture_output=True, text=True, timeout=LONG_S)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def install(self) -> str:
        return self.run("sh", "/mnt/kit/install.sh")

    def kill_halfway(self) -> Path:
        """Kill the installer, as `kill -9` does, when the first wheel is in the environment."""
        words = arm64.inside(self.root, self._kit, "sh", "/mnt/kit/install.sh")
        process = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL)
        until = time.monotonic() + LONG_S
        wheels = "opt/ewaste-edge-*/lib/python3*/site-packages/*.dist-info"
        while not (half := [*self.root.glob(wheels)]):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.5)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return half[0].parents[3]


@pytest.fixture(params=["bookworm", "trixie"])
def board(request, kept, kit, tmp_path) -> Iterator[Board]:
    with timed(f"{request.param}: bare root file system"):
        arm64.make_root(request.param, kept, tmp_path / "root")
    yield Board(tmp_path / "root", kit)
    shutil.rmtree(tmp_path / "root", ignore_errors=True)


@pytest.fixture
def here(board, tmp_path) -> str:
    """What this machine makes of the simulated line, with the device's NumPy and OpenCV."""
    release = arm64.release_of(board.root)
    python = next(key for key, name in RELEASES.items() if name == release)
    pins = read_lock(lock_text(python))
    named = [f"{pin.name}=={pin.version}" for pin in pins if pin.name in DRAWN_WITH]
    options = ("--quiet", "--no-deps", "--target", str(tmp_path / "drawn-with"))
    command = [sys.executable, "-m", "pip", "install", *options, *named]
    subprocess.run(command, check=True, timeout=LONG_S)
    variables = {**os.environ, "PYTHONPATH": str(tmp_path / "drawn-with")}
    command = [sys.executable, "-m", "edge.cli", *SIMULATE]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=LONG_S
    )
    assert done.returncode == 0, done.stderr
    return decided(done.stdout)


def decided(printed: str) -> str:
    """Class and bin of each item, and the score.

    Without the name of the run and the probabilities: OpenCV builds differ by single levels.
    """
    return re.sub(r"(?m)^[0-9a-f]{12}-(\d+ .* -> \S+) .*$", r"\1", printed)


def checks_of(answer: str) -> dict[str, str]:
    found = json.loads(answer)
    for name, check in found["checks"].items():
        print(f"  {name}: {check['message']}")
    assert found["ok"] is True
    return {name: check["message"] for name, check in found["checks"].items()}


def test_from_a_bare_system_to_a_line_that_decides_as_on_x86(board, here):
    with timed("killed half way"):
        half = board.kill_halfway()
    assert not (half / "complete").exists() and not (board.root / "opt/ewaste-edge").exists()
    with timed("installed"):
        print(board.install())
    with timed("a second time"):
        again = board.install()
    assert not [line for line in again.splitlines() if line.startswith("done")], again
    with timed("verify"):
        checks = checks_of(board.run("ewaste-edge", "verify", "--json"))
    assert checks["model"].startswith("ai_edge_litert")
    assert "at most 0 steps off" in checks["golden outputs"]
    with timed("ten items"):
        assert decided(board.run("ewaste-edge", *SIMULATE)) == here
    wants = board.root / "etc/systemd/system/multi-user.target.wants"
    assert {"ewaste-line.service", "ewaste-panel.service"} <= {
        path.name for path in wants.iterdir()
    }
    if arm64.release_of(board.root) == "bookworm":
        exchange_runtime(board.root)
        with timed("verify with tflite-runtime"):
            checks = checks_of(board.run("ewaste-edge", "verify", "--json"))
        assert checks["model"].startswith("tflite_runtime")
    state, settings = board.root / "var/lib/ewaste-edge", board.root / "etc/ewaste-edge/line.toml"
    (state / "records.db").write_bytes(b"records")
    with timed("--uninstall"):
        print(board.run("ewaste-edge", "setup", "--uninstall"))
    assert (state / "records.db").read_bytes() == b"records" and settings.exists()
    assert not [*board.root.glob("opt/ewaste-edge*")]


def exchange_runtime(root: Path) -> None:
    """Put tflite-runtime, fetched by this machine, where ai-edge-litert was."""
    (packages,) = root.glob("opt/ewaste-edge-*/lib/python3.11/site-packages")
    shutil.rmtree(packages / "ai_edge_litert")
    tags = ("--platform", "manylinux_2_34_aarch64", "--python-version", "3.11")
    options = ("--no-deps", "--only-binary=:all:", "--implementation", "cp", *tags)
    target = ("--target", str(packages))
    command = [sys.executable, "-m", "pip", "install", "--quiet", *options, *target, OLD_RUNTIME]
    subprocess.run(command, check=True, timeout=LONG_S)
