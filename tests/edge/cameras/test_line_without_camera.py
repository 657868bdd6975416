"""The whole line, as systemd starts it, when its camera goes, comes back, and goes for good."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edge.faults import read_faults
from tests.support.cameras import FPS, HEIGHT, WIDTH, mjpeg_camera

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_line_goes_on_in_place_and_ends_with_4_when_the_camera_is_lost(tmp_path):
    state, config = tmp_path / "state", tmp_path / "line.toml"
    with mjpeg_camera() as server:
        config.write_text(
            f'[camera]\nsource = "{server.url}"\nwidth = {WIDTH}\nheight = {HEIGHT}\nfps = {FPS}\n'
            "stall_s = 0.5\nrestart_s = 2\ngive_up_s = 20\n"
            '[belt]\nmm_per_px = 2.5\nencoder = "time"\n'
        )
        command = [sys.executable, "-m", "edge.cli", "run", "--no-panel"]
        command += ["--config", str(config), "--state", str(state)]
        line = subprocess.Popen(
            command,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        lines: list[str] = []
        listener = threading.Thread(target=lambda: lines.extend(line.stderr), daemon=True)
        listener.start()
        status = state / "status.json"
        await_(lambda: status.exists() and shown(status)["state"] == "running")
        server.kill()
        await_(lambda: shown(status)["state"] == "no picture")
        assert not any(shown(status)["gates"].values()) and shown(status)["message"]
        server.start()
        await_(lambda: shown(status)["state"] == "running")
        assert line.poll() is None
        server.kill()
        assert line.wait(90) == 4
        listener.join()
    assert len([text for text in lines if "the gates are closed until it is back" in text]) == 2
    assert len([text for text in lines if "the line goes on" in text]) == 1
    faults = read_faults(state)
    assert [fault.kind for fault in faults] == ["camera", "camera"]
    assert all(fault.reason and fault.ended_at > fault.began_at for fault in faults)
    assert shown(status)["memory_bytes"] > 1e7 and shown(status)["frames"] > 0
    assert "did not come back in 20 s" in lines[-1] and "Traceback" not in "".join(lines)


def shown(status: Path) -> dict:
    return json.loads(status.read_text())


def await_(condition) -> None:
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
