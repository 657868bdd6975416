"""The command as a user types it: what it prints, and what it exits with when it cannot."""

import errno
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.pins import DEVICE_TREE
from edge.synthetic.items import draw_item

COMMAND = [sys.executable, "-m", "edge.cli"]
ROOT = Path(__file__).parents[2]


def ewaste(*arguments: object) -> subprocess.CompletedProcess:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)


def complaint(done: subprocess.CompletedProcess) -> str:
    """The one line of an error."""
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len([line for line in lines if line.startswith("error:")]) == 1, done.stderr
    return lines[-1]


@pytest.fixture
def pictures(tmp_path):
    """One picture of each kind that a camera or a scanner makes, and two that are none."""
    item = Image.fromarray(draw_item("PCB", 1, 96))
    background = Image.new("RGBA", item.size, (190, 190, 190))
    picture = Image.alpha_composite(background, item).convert("RGB")
    for name, mode in (("gray", "L"), ("cmyk", "CMYK"), ("color", "RGB")):
        picture.convert(mode).save(tmp_path / f"{name}.jpg")
    item.save(tmp_path / "clear.png")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "color.jpg").read_bytes()[:200])
    return tmp_path


def test_classify_answers_for_every_readable_picture_and_names_the_others(tiny_bundle, pictures):
    files = sorted(pictures.iterdir())
    done = ewaste("classify", *files, "--bundle", tiny_bundle, "--json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert {Path(name).name for name in answers} == {
        "clear.png",
        "cmyk.jpg",
        "color.jpg",
        "gray.jpg",
    }
    for answer in answers.values():
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert "empty.jpg" in done.stderr and "torn.jpg" in done.stderr
    assert done.stderr.endswith("2 of 6 pictures could not be read\n")


def test_classify_goes_on_when_nobody_hears_what_it_skips(tiny_bundle, pictures):
    command = [*COMMAND, "classify", pictures / "empty.jpg", pictures / "gray.jpg", "--json"]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command += ["--bundle", tiny_bundle]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, cwd=ROOT)
    assert done.returncode == 0 and len(json.loads(done.stdout)) == 1


def test_classify_with_nothing_readable_is_bad_input(tiny_bundle, pictures):
    done = ewaste("classify", pictures / "empty.jpg", "--bundle", tiny_bundle)
    assert done.returncode == 2
    assert "none of the images could be read" in complaint(done)


def test_verify_proves_a_whole_bundle_and_refuses_an_altered_one(tiny_bundle, tmp_path):
    done = ewaste("verify", tiny_bundle, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["ok"] is True
    altered = Path(shutil.copytree(tiny_bundle, tmp_path / "altered"))
    (altered / "labels.txt").write_text("Battery\nKeyboard\nWashing Machine\nPCB\n")
    done = ewaste("verify", altered)
    assert done.returncode == 3
    assert "labels.txt" in complaint(done)
    (altered / "labels.txt").unlink()
    done = ewaste("simulate", "--items", 2, "--bundle", altered)
    assert done.returncode == 3
    assert "labels.txt: missing" in complaint(done)


def test_simulate_prints_one_json_object_with_the_stable_keys(tiny_bundle):
    done = ewaste("simulate", "--items", 5, "--seed", 2, "--bundle", tiny_bundle, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    stable = "items counted right wrong unknown missed duplicates touching routed_right"
    assert {*stable.split(), "hazard_leaks", "deadlines_missed"} <= set(figures)
    assert figures["items"] == figures["counted"] == 5


def test_simulate_names_and_skips_a_corrupt_photo(tiny_bundle, tmp_path):
    (tmp_path / "PCB").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "PCB" / "good.png")
    (tmp_path / "PCB" / "bad.jpg").write_bytes(b"no picture")
    done = ewaste("simulate", "--items", 3, "--photos", tmp_path, "--bundle", tiny_bundle, "--json")
    assert done.returncode == 0, done.stderr
    assert "bad.jpg" in done.stderr
    assert json.loads(done.stdout)["counted"] == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("run", "--camera", "nowhere.mp4", "--no-panel"), "nowhere.mp4"),
        (("run", "--camera", "setup.py", "--no-panel"), "setup.py"),
        (("run",), "no camera is configured"),
        (("run", "--config", "nowhere.toml"), "nowhere.toml"),
        (("simulate", "--photos", "nowhere"), "nowhere"),
        (("simulate", "--items", "2", "--video", "nowhere/belt.mp4"), "nowhere/belt.mp4"),
        (("draw", "--out", "edge"), "edge"),
        (("verify", "edge"), "edge"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(tiny_bundle, tmp_path, arguments, named):
    more = ("--bundle", tiny_bundle) if arguments[0] in ("run", "simulate") else ()
    more += ("--state", tmp_path) if arguments[0] == "run" else ()
    done = ewaste(*arguments, *more)
    assert done.returncode == 2, done.stderr
    assert named in complaint(done)


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
    from edge.records.store import Store

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


def test_export_writes_what_waits_for_review_and_all_records(tmp_path):
    from dataclasses import replace

    from edge.records.store import RECORDS_NAME, Store
    from tests.support.records import RECORD

    state = tmp_path / "state"
    state.mkdir()
    with Store(state / RECORDS_NAME) as store:
        store.append([replace(RECORD, review="unsure"), replace(RECORD, item_id="sure")])
    review, table = tmp_path / "review", tmp_path / "records.csv"
    done = ewaste("export", "--state", state, "--review", review, "--csv", table, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"records": 2, "pictures": 1, "reviewed": 0}
    assert [path.name for path in review.glob("*/*.jpg")] == ["0.970-run-0.jpg"]
    assert len(table.read_text().splitlines()) == 3
    for arguments, named in (
        (("--state", state), "--review"),
        (("--state", tmp_path, "--csv", table), "no records yet"),
        (("--state", state, "--review", review), "new or empty"),
    ):
        done = ewaste("export", *arguments)
        assert done.returncode == 2 and named in complaint(done)


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


def test_export_of_damaged_records_writes_what_it_can_and_says_so(tmp_path):
    from edge.records.store import RECORDS_NAME, Store
    from tests.support.records import records

    path = tmp_path / RECORDS_NAME
    with Store(path) as store:
        store.append(records(500))
    whole = path.read_bytes()
    at = whole.rindex(b"run-200", 0, whole.rindex(b"run-200"))
    page = at // 4096
    path.write_bytes(whole[: page * 4096] + bytes(4096) + whole[(page + 1) * 4096 :])
    table = tmp_path / "records.csv"
    done = ewaste("export", "--state", tmp_path, "--csv", table)
    assert done.returncode == 1
    assert "is damaged" in complaint(done) and "could not be read" in complaint(done)
    assert 400 < len(table.read_text().splitlines()) < 501
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    done = ewaste("export", "--state", tmp_path, "--csv", tmp_path / "none.csv")
    assert done.returncode == 1 and "is damaged" in complaint(done)


@pytest.fixture
def locked(tmp_path):
    """Somebody else's file and folder, as the command that comes with them sees them."""
    (tmp_path / "locked").mkdir(0o700)
    (tmp_path / "locked" / "records.db").touch()
    (tmp_path / "line.toml").touch(0o600)
    theirs, alone = (tmp_path / "line.toml", tmp_path / "locked"), []
    if os.geteuid() == 0:  # a root that is not theirs
        alone = ["unshare", "-r"]
        if subprocess.run([*alone, "true"], capture_output=True).returncode:
            pytest.skip("root may read everything, and there are no user namespaces here")
        for path in theirs:
            os.chown(path, 1000, 1000)
    else:
        for path in theirs:
            path.chmod(0)

    def command(*arguments: object) -> subprocess.CompletedProcess:
        line = [*alone, *COMMAND, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            line, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment
        )

    yield command
    for path in theirs:
        path.chmod(0o700)


@pytest.mark.e2e
def test_what_may_not_be_read_or_written_is_named_in_one_line(locked):
    for arguments, named in (
        (("export", "--state", "locked", "--csv", "out.csv"), "locked/records.db"),
        (("export", "--state", "locked/deeper", "--review", "out"), "locked/deeper/records.db"),
        (("panel", "--state", "locked"), "locked"),
        (("run", "--no-panel", "--state", "locked/state", "--camera", "locked"), "locked"),
        (("run", "--no-panel", "--config", "line.toml"), "line.toml"),
        (("verify", "locked"), "locked"),
        (("verify", "--config", "line.toml"), "line.toml"),
        (("classify", "locked/x.jpg"), "locked/x.jpg"),
        (("classify", "--bundle", "locked/bundle", "x.jpg"), "locked/bundle"),
        (("install", "locked/bundle", "--state", "."), "locked/bundle"),
        (("rollback", "--state", "locked/state"), "locked/state"),
        (("simulate", "--items", 2, "--photos", "locked"), "locked"),
        (("draw", "--out", "locked/drawn", "--train", 1, "--val", 1, "--test", 1), "locked/drawn"),
        (("keygen", "--out", "locked/key"), "locked/key"),
    ):
        done = locked(*arguments)
        outcome = f"{arguments}: {done.returncode} {done.stderr}"
        assert "Traceback" not in done.stderr and done.returncode in (1, 2, 3), outcome
        assert named in done.stderr and os.strerror(errno.EACCES) in done.stderr, outcome


@pytest.mark.parametrize(
    "verb",
    [
        *("", "run", "demo", "simulate", "classify", "draw", "verify", "install", "rollback"),
        *("bundles", "keygen", "schema", "panel", "export", "doctor"),
    ],
)
def test_help_needs_neither_numpy_nor_opencv_and_prints_nothing_else(verb):
    program = (
        "import atexit, sys; from edge import cli; "
        "heavy = {'numpy', 'cv2', 'PIL', 'gradio', 'cryptography'}; "
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)))); cli.main()"
    )
    command = [sys.executable, "-c", program, *([verb] if verb else []), "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert "Usage:" in done.stdout and done.stdout.endswith("\n[]\n"), done.stdout


def test_help_that_nobody_reads_to_its_end_is_no_failure():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, "--help"], stdout=writing, stderr=subprocess.PIPE, cwd=ROOT)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_importing_the_package_changes_nothing_in_the_process():
    program = "import os; before = dict(os.environ); import edge; "
    program += "print(before == dict(os.environ))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


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


def test_a_record_on_a_line_without_gates_claims_no_sorting():
    from dataclasses import replace

    from edge.line import without_gates
    from edge.verdict import Reason
    from tests.support.records import RECORD

    record = without_gates(replace(RECORD, bin="boards", reason=Reason.SORTED, detail="sure"))
    assert (record.bin, record.reason) == ("boards", Reason.NO_GATE)
    assert record.detail == "sure; no gate is wired"
    unsure = replace(RECORD, bin="manual", reason=Reason.UNSURE)
    assert without_gates(unsure) == unsure
