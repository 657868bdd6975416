"""The workstation's commands as processes: what they say, and what becomes of what they say."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from train.audit import main as audit_main
from train.command import command, problem
from train.progress import install_handler

ROOT = Path(__file__).parents[2]


def audit(*options):
    app = typer.Typer()
    app.command()(audit_main)
    return CliRunner().invoke(app, [str(option) for option in options])


def process(script, shell, *options):
    words = [sys.executable, str(ROOT / "train" / script), *map(str, options)]
    line = " ".join(f"'{word}'" for word in words) + f" {shell}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, timeout=120
    )


def test_names_with_markup_escapes_or_any_bytes_are_named_as_they_are(own_data, tmp_path):
    folder = own_data / "train" / "Mouse"
    (folder / "scan[copy].jpg").write_bytes(b"broken")
    (folder / "[bold]x.jpg").write_bytes(b"broken")
    (folder / "\x1b[31mred\n.jpg").write_bytes(b"broken")
    raw = os.fsencode(folder) + b"/gr\xfcn.jpg"
    shutil.copy(folder / "0000.jpg", raw)
    done = audit("--data", own_data, "--out", tmp_path / "audit", "--strict")
    assert done.exit_code == 0, done.stderr  # the copy is in the same split
    assert "scan[copy].jpg: " in done.stderr and "[bold]x.jpg: " in done.stderr
    assert "\\x1b[31mred\\n.jpg: " in done.stderr and "\x1b" not in done.stderr
    report = json.loads((tmp_path / "audit" / "audit.json").read_bytes())
    (copies,) = report["groups"]
    assert raw in [os.fsencode(photo["path"]) for photo in copies["photos"]]
    assert "gr\\udcfcn.jpg" in (tmp_path / "audit" / "audit.html").read_text(encoding="utf-8")


def test_what_is_left_out_is_in_the_page_and_its_json(own_data, tmp_path):
    shutil.copytree(own_data / "train" / "Mouse", own_data / "train" / "__MACOSX")
    (own_data / "val" / "PCB" / "<b>.xcf").write_bytes(b"")
    done = audit("--data", own_data, "--out", tmp_path, "--json")
    report = json.loads(done.stdout)
    assert report["left_out_by_reason"] == {
        "of the system": 1,
        "with an unknown file extension": 1,
    }
    assert {Path(left["path"]).name for left in report["left_out"]} == {"__MACOSX", "<b>.xcf"}
    page = (tmp_path / "audit.html").read_text()
    assert "&lt;b&gt;.xcf" in page and "2 left out" in page and "<b>.xcf" not in page


def test_the_terminal_may_go_away_and_results_may_not(own_data, tmp_path):
    """stderr closed or full ends nothing; results that cannot be written are a failure."""
    (own_data / "train" / "Mouse" / "bad.jpg").write_bytes(b"")
    for place, (shell, code) in enumerate(
        (("2>/dev/full", 0), ("2>&-", 0), (">/dev/full", 1), ("--json | head -c 1", 0))
    ):
        done = process("audit.py", shell, "--data", own_data, "--out", tmp_path / str(place))
        assert done.returncode == code and b"Traceback" not in done.stderr, (shell, done)
        assert (tmp_path / str(place) / "audit.html").is_file()


def test_a_line_that_no_terminal_takes_is_given_up(monkeypatch):
    class Closed:
        encoding = "latin-1"

        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

        def isatty(self):
            return False

    monkeypatch.setattr(sys, "stderr", Closed())
    install_handler()
    logging.getLogger("train").info("Téléphone 手机")


def test_a_permission_is_a_permission_and_a_full_disk_is_full(tmp_path, capsys):
    denied = PermissionError(13, "Permission denied", "photos/Mouse")
    assert problem(denied, tmp_path) == "photos/Mouse: cannot be used (Permission denied)"
    full = OSError(28, "No space left on device")
    assert problem(full, tmp_path).endswith("(No space left on device); make room")
    for error, code in ((denied, 1), (full, 1), (MemoryError(), 1)):
        with pytest.raises(SystemExit) as caught, command(tmp_path):
            raise error
        assert caught.value.code == code and "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
def test_a_label_is_refused_before_the_training(own_data, tmp_path):
    for split in ("train", "val", "test"):
        folder = own_data / split
        (folder / "PCB").rename(folder / "Washing\N{NO-BREAK SPACE}Machine")
    options = ("--data", own_data, "--out", tmp_path / "run", "--weights", "none")
    done = process("fine_tune.py", "", *options, "--image-size", 32)
    line = done.stderr.decode().splitlines()[-1]
    assert done.returncode == 2 and "without NO-BREAK SPACE; rename the folder" in line
    assert not (tmp_path / "run").exists()
