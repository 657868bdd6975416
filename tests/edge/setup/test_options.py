"""The command line of the installer, before and after the program is there."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from edge import cli
from edge.errors import BadInput
from edge.setup.arguments import parse
from edge.setup.options import HELP, Options, check

ROOT = Path(__file__).parents[3]


def test_both_command_lines_have_the_same_options():
    command = typer.main.get_command(cli.app).commands["setup"]
    names = {option for each in command.params for option in each.opts}
    assert names - {"--help"} == set(HELP)
    flags = ("--beside", "--on-trial", "--uninstall")
    words = [word for name in HELP for word in ((name,) if name in flags else (name, "x"))]
    with pytest.raises(BadInput, match="give one of them"):
        parse(words)


def test_a_kit_is_for_a_raspberry_pi_by_default():
    options = parse(["--download", "stick"])
    assert options.platforms == ("aarch64",) and options.pythons == ("3.11", "3.13")
    given = ["--download", "stick", "--platform", "x86_64", "--python", "3.13", "--python", "3.13"]
    options = parse(given)
    assert options.platforms == ("x86_64",) and options.pythons == ("3.13",)
    assert check(Options()).download is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nope"], "--nope"),
        (["--down", "x"], "--down"),
        (["--download"], "--download"),
        (["--download", ""], "--download"),
        (["--download", "a" * 300], "--download"),
        (["--offline", "x\0"], "--offline"),
        (["--offline", "x", "--uninstall"], "give one of them"),
        (["--download", "x", "--config", "y"], "when it is installed"),
        (["--uninstall", "--bundle", "y"], "when it is installed"),
        (["--beside"], "--beside is of --offline"),
        (["--on-trial", "--offline", "x"], "give it alone"),
        (["--on-trial", "--config", "y"], "when it is installed"),
        (["--platform", "aarch64"], "the device knows its own"),
        (["--download", "x", "--platform", "armv7l"], "armv7l"),
        (["--download", "x", "--python", "3.9"], "3.9"),
        (["extra"], "extra"),
    ],
)
def test_what_cannot_be_meant_is_refused(words, message):
    with pytest.raises(BadInput, match=message):
        parse(words)


def test_it_needs_nothing_but_the_standard_library():
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import edge.setup.__main__"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
