"""The command as a user types it: what it prints, and what it exits with when it cannot."""

import errno
import os
import subprocess
import sys

import pytest

from tests.support.command import COMMAND, ROOT, complaint, ewaste


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
