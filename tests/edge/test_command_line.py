"""Whatever is typed: a documented exit code, one line that says what was wrong, no traceback."""

import logging
import random
import string
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from edge import cli
from edge.logs import install_handler
from edge.tally import Tally

ROOT: Any = typer.main.get_command(cli.app)


def commands_of(group: Any, *words: str) -> dict[str, Any]:
    """All commands of the program by the words that are typed for them, groups too."""
    found = {}
    for name, each in group.commands.items():
        found[" ".join((*words, name))] = each
        if hasattr(each, "commands"):
            found |= commands_of(each, *words, name)
    return found


COMMANDS = commands_of(ROOT)
OPTIONS = sorted(
    {word for each in COMMANDS.values() for option in each.params for word in option.opts}
)
ODD = (
    *("", " ", "-", "--", "0", "-1", "1e308", "nan", "inf", "9" * 400, "a" * 300, "~nobody-here"),
    *("\x1b[31mred\x07", "a\nb\rc", "\udcff\udc80", "nul\x00nul", "\u202eexe.gpj", "[/red]", "😀"),
    *("/dev/null", "/dev/full", "/proc/self/mem", "/etc/shadow", "/", ".", "..", "a/" * 2000),
    *("film.mp4", "line.toml", "http://", "rtsp://user:secret@host/", "file:///etc/passwd", "🎥:1"),
    *("{}", "%s%n", "$(id)", "'\"", "\\", "=", "--=", "-x", "--state=", "--port=", "--no-such"),
)


@pytest.fixture
def typed(monkeypatch, tmp_path, capsys):
    """Runs a command in this process; what would run for long is done at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "film.mp4").write_bytes(b"no film")
    (tmp_path / "line.toml").write_text("[panel]\nport = 7860\n")
    from edge import config, line, line_source
    from edge.bundle import verify
    from edge.card import card
    from edge.doctor import examination
    from edge.fleet import listening
    from edge.panel import app
    from edge.runtimes import selecting
    from edge.setup import procedure
    from edge.simulator import simulate
    from edge.synthetic import items

    def nothing(*given: object, **named: object) -> None:
        raise cli.EwasteError("not done in this test")

    monkeypatch.setattr(line, "run_line", lambda *given: Tally())
    monkeypatch.setattr(app, "serve", nothing)
    monkeypatch.setattr(simulate, "simulate", nothing)
    monkeypatch.setattr(items, "write_dataset", nothing)
    monkeypatch.setattr(verify, "verify", nothing)
    monkeypatch.setattr(selecting, "select", nothing)
    monkeypatch.setattr(card, "make_card", nothing)
    monkeypatch.setattr(listening, "listen", nothing)
    monkeypatch.setattr(examination, "examine", nothing)
    monkeypatch.setattr(config, "proved_bundle", nothing)
    monkeypatch.setattr(procedure, "set_up", nothing)
    monkeypatch.setattr(line_source, "open_source", nothing)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ewaste-edge", *arguments])
        install_handler()
        code = cli._run_command()
        out, err = capsys.readouterr()
        return code, out, err

    return run


def check(code: int, out: str, err: str) -> None:
    assert code in {0, 1, 2, 3, 4}
    assert "Traceback" not in out + err and "a fault of the program" not in err, err
    for letter in set(out + err) - set("\n"):
        assert letter.isprintable() or letter in "\u200c\u200d", f"{letter!r} reaches the terminal"
    if code:
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1 or "Usage:" in out + err


def test_no_help_text_has_brackets_that_rich_takes_for_markup():
    for name, each in COMMANDS.items():
        for text in (each.help or "", *(getattr(one, "help", None) or "" for one in each.params)):
            assert "[" not in text, f"{name}: {text}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--state", ""), "empty name"),
        (("run", "--bundle", "", "--camera", "film.mp4"), "empty name"),
        (("run", "--camera", ""), "empty name"),
        (("run", "--state", "a" * 300, "--camera", "0"), "longer than 255 bytes"),
        (("run", "--state", "~nobody-here/x", "--camera", "0"), "no such home folder"),
        (("run", "--camera", "0", "--port", "0"), "1 to 65,535"),
        (("run", "--camera", "0", "--port", "70000"), "1 to 65,535"),
        (("run", "--config", "deep.toml"), "deep.toml"),
        (("verify", "--threads", "100000000000"), "--threads"),
        (("verify", "--slowest-ms", "inf"), "no finite number"),
        (("simulate", "--fps", "nan"), "--fps"),
        (("rollback", "--state", "absent"), "absent"),
        (("install", "a" * 300), "longer than 255 bytes"),
        (("export", "--csv", "x.csv", "--state", "nul\x00"), "NUL"),
        (("no-\x1b[2Jsuch",), r"no-\x1b[2Jsuch"),
        (("run", "--no-such"), "No such option"),
        (("keygen", "--out", "/dev/full/x"), "/dev/full/x"),
        (("setup", "--offline", "a", "--uninstall"), "give one of them"),
        (("setup", "--download", "a", "--python", "2.7\x1b[2J"), r"--python 2.7\x1b[2J"),
        (("setup", "--offline", ""), "empty name"),
        (("calibrate", "sheet", "--out", "sheet.doc"), "ends in .pdf or .png"),
        (("calibrate", "belt", "--camera", "0"), "nowhere to write to"),
        (("calibrate", "belt", "--ruler", "nan", "--dry-run"), "--ruler"),
    ],
)
def test_what_cannot_be_meant_is_named_with_exit_code_2(typed, arguments, message):
    Path("deep.toml").write_text("x = " + "[" * 100_000)
    code, out, err = typed(*arguments)
    check(code, out, err)
    assert code in ((1, 2) if arguments[0] == "keygen" else (2,))
    assert message in err and err.count("\n") == 1 and len(err) < 1000


def test_any_command_line_ends_with_a_documented_code_and_no_traceback(typed):
    dice, ends_at = random.Random(16), time.monotonic() + 8
    tried = 0
    while time.monotonic() < ends_at and tried < 1500:
        words = dice.choice(list(COMMANDS)).split() if dice.random() < 0.9 else []
        for _ in range(dice.randrange(5)):
            kind = dice.random()
            if kind < 0.45:
                words.append(dice.choice(OPTIONS))
            elif kind < 0.9:
                words.append(dice.choice(ODD))
            else:
                letters = string.printable + "äß小\u2028\x9b\udc9b"
                words.append("".join(dice.choices(letters, k=dice.randrange(1, 40))))
        try:
            check(*typed(*words))
        except BaseException as error:
            raise AssertionError(f"{words!r}: {error!r}") from error
        tried += 1
    assert tried > 50


def test_names_of_labels_and_bins_are_no_markup_and_no_escapes(typed, monkeypatch):
    from edge import line
    from tests.support.records import RECORD

    label, bin_name = "Mouse [/usb]\x1b[31m", "小件 [red]\n2"

    def run_line(config, opened, panel, stopped, decided, *, config_file=None) -> Tally:
        decided(replace(RECORD, label=label, bin=bin_name))
        logging.getLogger("edge.line").warning("the gate of %s fails", bin_name)
        return Tally(items=1, per_label=Counter({label: 1}))

    monkeypatch.setattr(line, "run_line", run_line)
    code, out, err = typed("run", "--camera", "film.mp4")
    check(code, out, err)
    assert code == 0 and r"1 items: Mouse [/usb]\x1b[31m 1" in out
    assert r"Mouse [/usb]\x1b[31m -> 小件 [red]\n2 " in out
    assert err == "the gate of 小件 [red]\\n2 fails\n"
