"""The lock files: exact, with hashes, and in agreement with what the program requires."""

import re
import runpy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import EwasteError
from edge.setup.lock import lock_text, read_lock
from edge.setup.options import PYTHONS, RELEASES

packaging = pytest.importorskip("packaging.requirements")
ROOT = Path(__file__).parents[3]
NUMPY = {"3.11": "1.24.2", "3.13": "2.2.4"}
"""What bookworm and trixie have as python3-numpy."""
EXTRAS = ("panel", "gpio", "mqtt", "modbus", "update")


@pytest.fixture(scope="module")
def requirements() -> list[str]:
    """What the program and its extras on a device require."""
    import setuptools

    given: dict = {}
    replaced, setuptools.setup = setuptools.setup, lambda **named: given.update(named)
    try:
        runpy.run_path(str(ROOT / "setup.py"))
    finally:
        setuptools.setup = replaced
    return given["install_requires"] + [x for each in EXTRAS for x in given["extras_require"][each]]


@pytest.mark.parametrize("python", PYTHONS)
def test_a_lock_file_has_what_the_program_requires(python, requirements):
    pins = {pin.name: pin for pin in read_lock(lock_text(python))}
    assert pins["numpy"].version == NUMPY[python] and "pip" in pins and "setuptools" in pins
    assert all(len(pin.hashes) == len(set(pin.hashes)) > 0 for pin in pins.values())
    for line in requirements:
        requirement = packaging.Requirement(line)
        for machine in ("aarch64", "x86_64"):
            place = {
                "python_version": python,
                "platform_machine": machine,
                "sys_platform": "linux",
            }
            if requirement.marker is None or requirement.marker.evaluate(place):
                name = re.sub(r"[-_.]+", "-", requirement.name).lower()
                assert requirement.specifier.contains(pins[name].version), (python, line)


@pytest.mark.parametrize("python", PYTHONS)
def test_a_lock_file_names_no_server_and_no_place(python):
    text = lock_text(python)
    assert "://" not in text and "index" not in text and "/" not in text
    assert RELEASES[python] in ("bookworm", "trixie")


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy==1.24.2",
        "numpy>=1 --hash=sha256:" + "0" * 64,
        "--index-url x",
        "-r other.txt",
        "numpy==1.24.2 --hash=md5:" + "0" * 32,
        "https://host/x.whl --hash=sha256:" + "0" * 64,
    ],
)
def test_a_line_that_pip_would_not_check_is_refused(line):
    with pytest.raises(EwasteError, match="no exact version with hashes"):
        read_lock(f"# a lock\n{line}\n")


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        pins = read_lock(text)
    except EwasteError:
        return
    assert all(pin.hashes for pin in pins)
