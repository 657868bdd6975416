"""Words reach the terminal as far as they can, and no farther."""

import os
import subprocess
import sys
import time

import pytest

from edge.errors import EwasteError
from edge.terminal import Printer, ReaderGone, safe_line


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Mouse [/usb] [red]", "Mouse [/usb] [red]"),
        ("小件 Gerät a\u3000b", "小件 Gerät a\u3000b"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("two\nlines\r\t\x00\x7f\x9b", r"two\nlines\r\t\x00\x7f\x9b"),
        ("gpj.\u202eexe \u2066", r"gpj.\u202eexe \u2066"),
        ("not text \udcff", r"not text \udcff"),
        ("\u2028\U000e0041", r"\u2028\U000e0041"),
    ],
)
def test_a_line_is_nothing_but_letters(given, shown):
    assert safe_line(given) == shown


@pytest.fixture
def pipe():
    """A Latin-1 pipe: the end to read from, which does not wait, and the stream to write to."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(writing, "w", encoding="latin-1") as stream:
        yield reading, stream
    os.close(reading)


def test_what_the_terminal_cannot_write_is_shown_as_far_as_it_can(pipe, monkeypatch):
    pipe, stream = pipe
    monkeypatch.setattr(sys, "stdout", stream)
    Printer("stdout").tell("小件 Gerät")
    assert os.read(pipe, 100) == b"\\u5c0f\\u4ef6 Ger\xe4t\n"


def test_a_stuck_reader_holds_up_nothing_and_gets_what_fits_when_it_goes_on(pipe, monkeypatch):
    pipe, stream = pipe
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr("edge.terminal.QUEUE", 50)
    printer, slowest = Printer("stdout"), 0.0
    with printer.beside():
        for _ in range(400):
            started = time.perf_counter()
            printer.tell("x" * 999)
            slowest = max(slowest, time.perf_counter() - started)
            time.sleep(0.0005)  # the thread gets to fill the pipe
        time.sleep(1.5)
        assert printer.error == "nobody reads it"
        assert os.read(pipe, 100_000).count(b"\n") >= 40
        printer.tell("it moves")
    assert slowest < 0.5, "it would have waited for ever"
    assert os.read(pipe, 100_000).endswith(b"it moves\n")
    assert printer.error is None and 300 < printer.lost <= 360


def test_telling_never_raises_and_a_result_that_nobody_gets_does(monkeypatch):
    printer = Printer("stdout")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        printer.tell("a line")
        assert (printer.lost, printer.error) == (1, "No space left on device")
        with pytest.raises(EwasteError, match="stdout: cannot be written"):
            printer.print("a result")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        printer.tell("a line")
        assert (printer.lost, printer.error) == (2, "Broken pipe")
        with pytest.raises(ReaderGone):
            printer.print("a result")


def test_a_closed_stream_does_not_give_its_number_to_the_next_file(tmp_path):
    code = (
        "from edge.terminal import hold_streams, out; hold_streams(); "
        f"file = open({str(tmp_path / 'records')!r}, 'w'); out.print('x'); "
        "assert file.fileno() > 2; print('fine')"
    )
    command = f'exec "{sys.executable}" -c "$1" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", command, "sh", code])
    assert done.returncode == 0 and (tmp_path / "records").read_text() == ""


def test_a_stuck_stream_holds_up_the_lines_for_seconds_at_most(pipe, monkeypatch):
    _, stream = pipe
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr("edge.terminal.PATIENCE_S", 0.2)
    monkeypatch.setattr("edge.terminal.LONG_PATIENCE_S", 0.2)
    printer, started = Printer("stdout"), time.monotonic()
    for _ in range(5):
        printer.tell("x" * 100_000)
    assert printer.lost == 5 and time.monotonic() - started < 5
    with printer.beside(), printer.beside():
        printer.tell("within a block within another")
    assert time.monotonic() - started < 10


def test_the_line_waits_for_no_terminal_before_it_begins(pipe, tmp_path):
    _, stream = pipe
    os.set_blocking(stream.fileno(), False)
    while True:
        try:
            os.write(stream.fileno(), b"x")
        except BlockingIOError:
            break
    os.set_blocking(stream.fileno(), True)
    config = tmp_path / "line.toml"
    config.write_text('[camera]\nsource = "rtsp://me:s3cret@127.0.0.1:1/x"\ngive_up_s = 1\n')
    config.chmod(0o644)
    command = [sys.executable, "-m", "edge.cli", "run", "--config", str(config), "--no-panel"]
    command += ["--state", str(tmp_path / "state"), "--port", "99999"]
    assert subprocess.run(command, stderr=stream, timeout=60).returncode == 2
