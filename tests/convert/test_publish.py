"""The command publish.py: a repository from a bundle, step by step, and its errors in one line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tuf")

from edge.bundle.packed import pack

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests/data/tiny-bundle"


def publish(folder: Path, *options: object) -> subprocess.CompletedProcess[str]:
    places = ("--out", folder / "repository", "--keys", folder / "keys")
    command = [sys.executable, ROOT / "convert/publish.py", *places, *options]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=ROOT)


def test_a_repository_step_by_step(tmp_path: Path) -> None:
    packed = tmp_path / "tiny.zip"
    packed.write_bytes(pack({path.name: path.read_bytes() for path in TINY.iterdir()}))
    done = publish(tmp_path, "--bundle", packed, "--expiry", "root=30")
    assert done.returncode == 0, done.stderr
    assert "ring canary: tiny-bundle, digest" in done.stdout and "ring all: nothing" in done.stdout
    assert "days; run this again with --root-keys" in done.stderr
    done = publish(tmp_path, "--promote", "--when-passed", "--broker", "127.0.0.1:1")
    assert done.returncode == 1 and "127.0.0.1:1: does not answer" in done.stderr, done.stderr
    done = publish(tmp_path, "--promote", "--rotate", "root", "--rotate", "targets", "--json")
    figures = json.loads(done.stdout)
    assert figures["root_version"] == 2 and figures["rings"]["all"] == figures["rings"]["canary"]
    assert set(figures["expires"]) == {"root", "targets", "snapshot", "timestamp"}


def test_without_python_tuf_it_says_how_to_get_it(tmp_path: Path) -> None:
    program = "import sys, runpy; sys.modules['tuf'] = None; sys.argv = sys.argv[1:]; "
    program += "runpy.run_path(sys.argv[0], run_name='__main__')"
    script = (ROOT / "convert/publish.py", "--out", tmp_path / "r", "--keys", tmp_path / "k")
    command = [sys.executable, "-c", program, *map(str, script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "publishing needs python-tuf; run: pip install" in done.stderr


def test_what_is_wrong_is_named_in_one_line(tmp_path: Path) -> None:
    broken = Path(shutil.copytree(TINY, tmp_path / "broken"))
    (broken / "model.tflite").write_bytes(b"another model")
    for code, named, options in (
        (2, "--promote is a step of its own", ("--bundle", TINY, "--promote")),
        (2, "--when-passed is of --promote", ("--when-passed",)),
        (2, "no broker; give --broker", ("--promote", "--when-passed")),
        (2, "--expiry root=x: give ROLE=DAYS", ("--expiry", "root=x")),
        (2, "not a bundle", ("--bundle", tmp_path)),
        (3, "model.tflite", ("--bundle", broken)),
    ):
        done = publish(tmp_path, *options)
        assert done.returncode == code and done.stderr.count("\n") == 1, done.stderr
        assert named in done.stderr and not (tmp_path / "repository").exists()
