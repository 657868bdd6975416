"""The whole command, as a person types it."""

import json
import subprocess
import sys
import time
from pathlib import Path

from edge.folder_lock import folder_lock, is_locked

ROOT = Path(__file__).parents[3]
NAMES = {
    *("operating system", "architecture", "python", "runtime", "bundle", "camera", "gates"),
    *("gpio", "disk", "storage", "journal", "swap", "clock", "temperature", "power"),
    *("state folder", "secrets", "groups", "update source", "service", "page service"),
}


def doctor(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "edge.cli", "doctor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)


def test_the_board_is_examined_within_20_seconds(tmp_path, tiny_bundle):
    config = tmp_path / "line.toml"
    config.write_text(
        f'[classifier]\nbundle = "{tiny_bundle}"\n'
        '[camera]\nsource = "/dev/video99"\n[belt]\nspeed_mm_s = 100\n'
    )
    started_at = time.monotonic()
    done = doctor("--config", config, "--state", tmp_path / "state", "--json")
    assert time.monotonic() - started_at < 20
    found = json.loads(done.stdout)
    checks = {check["name"]: check for check in found["checks"]}
    assert done.returncode == 3 and found["ok"] is False
    assert "error: not fit to run the line: " in done.stderr and "camera" in done.stderr
    assert {*checks} >= {*NAMES, "golden outputs", "xnnpack", "speed"}
    assert checks["camera"]["state"] == "failure" and "/dev/video99" in checks["camera"]["detail"]
    assert checks["bundle"]["state"] == checks["golden outputs"]["state"] == "ok"
    assert "at 100 mm/s" in checks["speed"]["detail"]
    for check in checks.values():
        assert check["state"] in ("ok", "warning", "failure") and check["detail"]
        assert bool(check["fix"]) == (check["state"] != "ok"), check
    assert not (tmp_path / "state").exists(), "it changes nothing"


def test_each_check_is_one_line_and_a_bundle_that_is_not_whole_is_not_run(tmp_path, tiny_bundle):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for path in tiny_bundle.iterdir():
        (bundle / path.name).write_bytes(path.read_bytes())
    (bundle / "model.tflite").write_bytes(b"altered")
    (tmp_path / "line.toml").write_text(f'[classifier]\nbundle = "{bundle}"\n')
    done = doctor("--config", tmp_path / "line.toml", "--state", tmp_path / "state")
    assert done.returncode == 3 and "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert all(line.split()[0] in ("ok", "warning", "failure") for line in lines)
    (found,) = [line for line in lines if line.startswith("failure  bundle ")]
    assert "model.tflite" in found and "; fix: " in found
    assert any(line.startswith("warning  xnnpack") and "bundle first" in line for line in lines)


def test_a_configuration_that_cannot_be_read_is_bad_usage(tmp_path):
    done = doctor("--config", tmp_path / "absent.toml", "--json")
    assert done.returncode == 2 and not done.stdout and "absent.toml" in done.stderr
    assert doctor("--no-such").returncode == 2


def test_a_folder_that_a_line_works_with_is_known(tmp_path):
    assert not is_locked(tmp_path) and not is_locked(tmp_path / "absent")
    with folder_lock(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
