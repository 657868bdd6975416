"""A whole line, as a user starts it, to whose surroundings things happen that it can do without."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edge.faults import read_faults
from edge.operation import Mode
from edge.panel.beside import answers
from edge.records.store import RECORDS_NAME, Store
from edge.status import read_status
from tests.support.cameras import FPS, HEIGHT, WIDTH, mjpeg_camera
from tests.support.page import free_port
from tests.support.records import count_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
PROGRAM = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from edge.cli import main; main()"
COMMAND = [sys.executable, "-I", "-c", PROGRAM]
"""The command, whatever `python -m edge.panel` is in the folder it is started from."""


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A belt with four items on it."""
    path = tmp_path_factory.mktemp("film") / "belt.mp4"
    made = ["simulate", "--items", "4", "--fps", "15", "--video", str(path), "--json"]
    subprocess.run([*COMMAND, *made], check=True, capture_output=True, timeout=300)
    return path


def run(film: Path, state: Path, **how) -> subprocess.CompletedProcess:
    command = [*COMMAND, "run", "--camera", str(film), "--state", str(state)]
    command += how.pop("options", ["--no-panel"])
    return subprocess.run(command, text=True, timeout=300, **how)


def recorded(state: Path) -> int:
    with Store(state / RECORDS_NAME, read_only=True) as store:
        return count_of(store)


def test_a_line_that_nobody_listens_to_loses_nothing(film, tmp_path, injected):
    reading, writing = os.pipe()
    os.close(reading)
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = run(film, tmp_path, stdout=writing, stderr=full)
    os.close(writing)
    assert done.returncode == 0 and recorded(tmp_path) == 4
    status = read_status(tmp_path)
    assert status.items == 4 and status.state == "stopped"
    assert [fault.kind for fault in read_faults(tmp_path)] == [], "it ended in order"
    for stream in ("stdout cannot be written (Broken pipe)", "stderr cannot be written (No space"):
        assert stream in status.message
    injected("stdout: reader gone; stderr: disk full", "4 of 4 records kept, exit 0")


def test_a_line_pauses_when_asked_and_stays_so_after_kill_9(tmp_path, injected):
    def start(camera: str) -> subprocess.Popen:
        config = tmp_path / "line.toml"
        camera_keys = f"[camera]\nwidth = {WIDTH}\nheight = {HEIGHT}\nfps = {FPS}\n"
        config.write_text(f'{camera_keys}[belt]\nencoder = "time"\n')
        options = ["--config", str(config), "--camera", camera, "--state", str(tmp_path)]
        command = [*COMMAND, "run", *options, "--no-panel"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def follow(mode: Mode) -> float:
        def follows() -> bool:
            status = read_status(tmp_path)
            assert line.poll() is None
            return status is not None and status.order.mode is mode and status.state == "running"

        return wait_until(follows, 60)

    def ask(*mode: str) -> str:
        command = [*COMMAND, "mode", *mode, "--state", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with mjpeg_camera() as camera:
        line = start(camera.url)
        try:
            follow(Mode.SORT)
            assert ask("pause").startswith("pause, asked by ")
            took = follow(Mode.PAUSE)
            line.kill()
            line.wait(10)
            line = start(camera.url)
            follow(Mode.PAUSE)
            ask("sort")
            follow(Mode.SORT)
            assert ask().startswith("sort, asked by ")
        finally:
            line.kill()
            line.wait(10)
    injected("the operator pauses; kill -9", "paused again after the start", noticed_s=took)


def test_records_that_are_lost_are_an_exit_code_and_an_alarm(film, tmp_path, injected):
    state, limit = tmp_path / "state", 40 * 1024
    state.mkdir()
    Store(state / RECORDS_NAME).close()

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = run(film, state, capture_output=True, preexec_fn=limited)
    assert done.returncode == 1, done.stderr
    lost = 4 - recorded(state)
    assert 0 < lost <= 4
    lines = done.stderr.splitlines()
    assert any(line.startswith(f"records lost: {lost} (") for line in lines), done.stderr
    assert lines[-1].startswith(f"error: {lost} records of 4 items are lost; check the disk of ")
    assert "4 items: " in done.stdout and "Traceback" not in done.stderr
    status = read_status(state)
    assert status.dropped_records == lost
    assert status.message.startswith(f"records lost: {lost} (")
    injected("no room for records from a moment on", f"{lost} of 4 lost, reported; exit 1")


INSIDE = """
mount -t tmpfs -o size=400k none st || exit 77
dd if=/dev/zero of=st/fill bs=1k 2>/dev/null
[ "$1" = full ] || mount -o remount,ro st
shift; exec "$@"
"""


@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_a_disk_that_takes_nothing_at_the_start_is_reported_and_the_line_runs(
    disk, film, fake_page, injected
):
    script = fake_page / "inside.sh"
    script.write_text(INSIDE)
    (fake_page / "st").mkdir()
    line = [*COMMAND, "run", "--camera", str(film), "--state", "st", "--port", str(free_port())]
    command = ["unshare", "-rm", "sh", str(script), disk, *line]
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"]).returncode:
        pytest.skip("no user namespaces")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode == 77:
        pytest.skip("no tmpfs in a user namespace")
    assert done.returncode == 0 and "4 items: " in done.stdout, done.stderr
    assert "nothing is recorded until it can be" in done.stderr
    assert "there is no page: " in done.stderr
    assert "records lost: 4 (" in done.stderr and "Traceback" not in done.stderr
    injected(f"disk {disk} at the start", "4 of 4 items sorted; reported: not recorded, no page")


def line_of(fake_page: Path, url: str, port: int) -> list[str]:
    (fake_page / "line.toml").write_text(
        f'state = "st"\n[camera]\nsource = "{url}"\nwidth = {WIDTH}\nheight = {HEIGHT}\n'
        f'fps = {FPS}\n[belt]\nencoder = "time"\n[panel]\nport = {port}\n'
    )
    return [*COMMAND, "run", "--config", "line.toml"]


def test_a_killed_line_leaves_no_page_and_no_lock_and_a_hang_up_is_an_end(fake_page, injected):
    port, state = free_port(), fake_page / "st"
    with mjpeg_camera() as camera:
        command = line_of(fake_page, camera.url, port)
        with (fake_page / "first.log").open("wb") as reports:
            first = subprocess.Popen(command, stderr=reports)
        wait_until(
            lambda: (
                first.poll() is not None or (answers("127.0.0.1", port, 1) and read_status(state))
            ),
            60,
        )
        assert first.poll() is None, (fake_page / "first.log").read_text()
        started = time.monotonic()
        second = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert second.returncode == 2, second.stderr
        assert "error: st: another line works with it" in second.stderr
        assert "Traceback" not in second.stderr
        injected(
            "a second line with the same folder", "refused, exit 2", time.monotonic() - started
        )
        first.kill()
        first.wait()
        gone_s = wait_until(lambda: not answers("127.0.0.1", port, 1), 6)
        injected("kill -9 of a line with its page", "the page ends with it", gone_s)

        # Not as under nohup, where a line goes on without its terminal.
        heard = lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)  # noqa: E731
        third = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
        listener = threading.Thread(target=third.stderr.read, daemon=True)
        listener.start()
        wait_until(lambda: answers("127.0.0.1", port, 1), 60)
        wait_until(lambda: read_status(state).state == "running")
        third.send_signal(signal.SIGHUP)
        started = time.monotonic()
        assert third.wait(30) == 0
        injected("the terminal is closed", "a clean end, exit 0", time.monotonic() - started)
        assert read_status(state).state == "stopped"
        assert not answers("127.0.0.1", port, 1)


def test_a_film_that_is_played_again_is_counted_again(film, tmp_path):
    """Only a line that starts again knows what it had counted before."""
    for counted in (4, 8):
        assert run(film, tmp_path, capture_output=True).returncode == 0
        assert recorded(tmp_path) == counted


@pytest.mark.parametrize("linked", ["state", RECORDS_NAME])
def test_records_on_a_disk_that_is_not_there_do_not_keep_the_line_from_starting(
    film, tmp_path, injected, linked
):
    state = tmp_path / "state"
    if linked == RECORDS_NAME:
        state.mkdir()
    link = state if linked == "state" else state / RECORDS_NAME
    link.symlink_to(tmp_path / "unplugged" / linked)
    done = run(film, state, capture_output=True)
    assert done.returncode == 0 and "4 items: " in done.stdout, done.stderr
    assert "which is not there" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "unplugged").exists()
    injected(
        f"the disk of {linked} is not plugged in", "4 items sorted, reported that none is recorded"
    )


def test_a_folder_in_the_place_of_a_journal_loses_no_record(film, tmp_path):
    (tmp_path / f"{RECORDS_NAME}-journal").mkdir()
    done = run(film, tmp_path, capture_output=True)
    assert done.returncode == 0 and recorded(tmp_path) == 4, done.stderr


@pytest.mark.skipif(
    subprocess.run(["unshare", "--map-user=12345", "true"], capture_output=True).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="needs user namespaces",
)
@pytest.mark.parametrize(("given", "exit_code"), [(["verify", "--help"], 0), (["export"], 2)])
def test_a_user_without_a_home_gets_one_line(tmp_path, given, exit_code):
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    command = ["unshare", "--map-user=12345", *COMMAND, *given]
    command += ["--csv", str(tmp_path / "records.csv")] if given == ["export"] else []
    done = subprocess.run(command, text=True, capture_output=True, timeout=120, env=environment)
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr and "fault of the program" not in done.stderr
