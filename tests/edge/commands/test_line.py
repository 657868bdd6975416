import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from edge.pins import DEVICE_TREE
from edge.records.store import Store
from tests.support.command import COMMAND, ROOT, complaint, ewaste


@pytest.mark.e2e
def test_a_port_in_use_is_reported_before_the_line_starts(tiny_bundle, tmp_path):
    film = tmp_path / "belt.mp4"
    made = ewaste("simulate", "--items", 1, "--video", film, "--bundle", tiny_bundle)
    assert made.returncode == 0, made.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = ewaste(
            *("run", "--camera", film, "--bundle", tiny_bundle, "--port", port),
            *("--state", tmp_path / "state"),
        )
    assert done.returncode == 2
    assert str(port) in complaint(done)


@pytest.mark.e2e
def test_make_shows_the_demo_and_ends_well_on_ctrl_c(tmp_path):
    """At a real terminal: make gets no Ctrl-C of its own, so the end is no error."""
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"demo:\n\t@{sys.executable} -m edge.cli demo --no-panel\n")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execvp("make", ["make", "-f", str(makefile), "demo"])
    shown, deadline = b"", time.monotonic() + 90
    while b" -> " not in shown and time.monotonic() < deadline:
        shown += os.read(terminal, 4096)
    assert b" -> " in shown, shown
    os.write(terminal, b"\x03")
    while True:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other end is closed
            break
        if not more:
            break
        shown += more
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown.decode()
    assert b" items: " in shown and b"Traceback" not in shown


@pytest.mark.e2e
def test_a_service_that_is_asked_to_stop_closes_down_and_keeps_its_records(tiny_bundle, tmp_path):
    command = [*COMMAND, "demo", "--no-panel"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    line = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    first = line.stdout.readline()
    (state,) = tmp_path.glob("ewaste-demo-*")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with Store(state / "records.db", read_only=True) as store:
            if store.recent(1):
                break
        time.sleep(0.1)
    with Store(state / "records.db", read_only=True) as store:
        assert first.split()[0] in {record.item_id for record in store.all()}
    line.send_signal(signal.SIGTERM)
    assert line.wait(20) == 0
    assert not list(tmp_path.glob("ewaste-demo-*"))


def test_a_folder_of_bad_pictures_is_an_error_and_a_few_are_dropped_frames(tiny_bundle, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("1.jpg", "3.tif"):
        (folder / name).write_bytes(b"no picture")
    line = ("run", "--no-panel", "--json", "--bundle", tiny_bundle, "--camera", folder)
    done = ewaste(*line, "--state", tmp_path / "state")
    assert done.returncode == 2 and "none of the pictures could be read" in complaint(done)
    Image.new("RGB", (640, 480), (60, 60, 60)).save(folder / "2.png")
    done = ewaste(*line, "--state", tmp_path / "state")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["frames"], figures["frames_dropped"]) == (1, 2)
    for message in ("skipped", "2 of 3 pictures could not be read", "640x480 px are stretched"):
        assert message in done.stderr


def write_belt(folder: Path, wires: str) -> list[str]:
    """A belt of one picture and its configuration; what runs them."""
    (folder / "belt").mkdir()
    Image.new("RGB", (1280, 720), "gray").save(folder / "belt/1.png")
    (folder / "line.toml").write_text(wires)
    run = [*COMMAND, "run", "--no-panel", "--camera", str(folder / "belt")]
    return [*run, "--config", str(folder / "line.toml"), "--state", str(folder / "state")]


GATE = '[bins]\nboards = ["PCB"]\n[[gates]]\nbin = "boards"\ndistance_mm = 700\n'


@pytest.mark.parametrize(
    ("simulated", "pin", "code", "message"),
    [
        ("", "pin = 17\n", 2, "error: gates with pins: this machine is no Raspberry Pi"),
        ("simulated = true\n", "pin = 17\n", 0, "the GPIO pins are only simulated"),
        ("", "", 0, "no gate is wired: bins are decided and recorded, but nothing is sorted"),
    ],
)
@pytest.mark.skipif(DEVICE_TREE.exists(), reason="this may be a Raspberry Pi")
def test_gates_that_do_not_exist_are_an_error_or_reported(tmp_path, simulated, pin, code, message):
    command = write_belt(tmp_path, simulated + GATE + pin)
    clean = {key: each for key, each in os.environ.items() if key != "GPIOZERO_PIN_FACTORY"}
    done = subprocess.run(command, capture_output=True, text=True, env=clean)
    assert done.returncode == code and message in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
