"""`kill -9` at random moments of real installs: one good bundle is in use after each of them."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.bundle.install import CURRENT, current_number, install, installed_in
from edge.bundle.verify import verify
from tests.support.bundles import packed, reseal

ROOT = Path(__file__).parents[3]
SEED = 7
MOMENTS = {"start": 0.9, "installed": 0.15, "writing": 0.015}
"""What a kill waits for, and for how long after that at most, s: it hits the proof of the first
bundle, anything, or the writing, which is short."""
AGAIN_AND_AGAIN = """
import sys
from pathlib import Path
from edge.bundle.install import Allowed, install
from edge.bundle.packed import bundle_folder

state, *bundles = map(Path, sys.argv[1:])
print("ready", flush=True)
while True:
    for bundle in bundles:
        with bundle_folder(bundle, state) as folder:
            install(folder, state / "bundles", threads=1, allowed=Allowed(older=True))
        print("installed", flush=True)
"""


@pytest.mark.timeout(1800)  # minutes, and more on a machine with other work
@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_after_a_kill_at_any_moment_one_good_bundle_is_in_use(
    tiny_bundle: Path, tmp_path: Path, kills: int, injected: Callable[..., None]
) -> None:
    state, store, chosen = tmp_path / "state", tmp_path / "state" / "bundles", random.Random(SEED)
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "folder"))
    reseal(folder, name="folder")
    (tmp_path / "packed.zip").write_bytes(packed(tiny_bundle))
    names = {"folder", "tiny-bundle"}
    install(tiny_bundle, store, threads=1)
    left: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for _ in range(kills):
        moment = chosen.choice(["start", "installed", "writing", "writing"])
        wait_s = chosen.uniform(0, MOMENTS[moment])
        killed_install(state, [folder, tmp_path / "packed.zip"], moment, wait_s)
        found = verify(store / CURRENT, threads=1)
        assert found.ok and found.bundle is not None, found.checks
        used[found.bundle.manifest.name] += 1
        assert [each.in_use for each in installed_in(store)].count(True) == 1
        left.update(re.sub(r"[0-9a-f]{16}|^[0-9]+$", "N", each.name) for each in store.iterdir())
    assert set(used) <= names and current_number(store)
    # What was left behind is gone after the next install.
    install(tiny_bundle, store, threads=1)
    assert hidden(store) == set() and len(installed_in(store)) == 2
    halves = sum(count for name, count in left.items() if name.startswith("."))
    injected(
        f"kill -9 during installs, {kills} times",
        f"one good bundle in use after each; {halves} half-written ones left aside",
    )
    if kills >= 100:
        assert halves >= 10 and set(used) == names, "the kills hit what they should"


def killed_install(state: Path, bundles: list[Path], moment: str, wait_s: float) -> None:
    """Install without end, and kill that so long after a moment."""
    command = [sys.executable, "-c", AGAIN_AND_AGAIN, str(state), *map(str, bundles)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    store = state / "bundles"
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        waits_for = "ready" if moment == "start" else "installed"
        while child.stdout.readline().strip() != waits_for:
            assert child.poll() is None
        if moment == "writing":
            known = hidden(store)
            while hidden(store) <= known:
                assert child.poll() is None
        time.sleep(wait_s)
        child.send_signal(signal.SIGKILL)


def hidden(store: Path) -> set[str]:
    """What is written to a store right now, or was when that was killed."""
    return {each.name for each in store.iterdir() if each.name.startswith(".")}
