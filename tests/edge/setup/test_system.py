"""Machines that the line cannot be installed on, each refused with the reason."""

import os
import shutil
import subprocess
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import BadInput, EwasteError, Refused
from edge.setup import system
from edge.setup.commands import run
from edge.setup.places import Places
from edge.setup.system import read_host, require_fit, require_room
from tests.support.device import PI, Device

SCRIPT = Path(__file__).parents[3] / "edge/deploy/install.sh"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"machine": "armv7l", "bits": 32, "architecture": "armhf"}, "no wheels for 32 bits"),
        ({"architecture": "armhf"}, r"aarch64 kernel, but its programs have 32 bits \(armhf\)"),
        ({"bits": 32}, "programs of 32 bits"),
        ({"release": "bullseye", "python": "3.9", "title": "Debian 11"}, "Debian 11.*no known"),
        ({"release": "", "title": "Fedora 40"}, "Fedora 40, aarch64: no known system"),
        ({"architecture": "riscv64", "machine": "riscv64"}, "riscv64: no known system"),
        ({"python": "3.12"}, r"Python 3\.12 under bookworm"),
        ({"python": ""}, "Python none under bookworm"),
        ({"is_root": False}, "put sudo before"),
    ],
)
def test_an_unfit_machine_is_refused_with_the_reason(changes, message):
    require_fit(PI)
    require_fit(replace(PI, release="trixie", python="3.13", architecture="amd64", is_pi=False))
    with pytest.raises(BadInput, match=message) as refused:
        require_fit(replace(PI, **changes))
    assert "\n" not in str(refused.value)


def test_the_machine_is_read_from_its_files(tmp_path):
    device = Device(tmp_path)
    for name, text in (
        ("etc/os-release", 'ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian 13"\n'),
        ("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    host = read_host(device.places, device.run)
    assert (host.title, host.release, host.is_pi) == ("Debian 13", "trixie", True)
    assert read_host(Places(root=tmp_path / "absent"), device.run).release == ""


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(system.shutil, "disk_usage", lambda path: usage(2e9, 1e9, 10**9))
    with pytest.raises(EwasteError, match="1,000 MB are free, and 1,500 are needed"):
        require_room(Places(root=tmp_path))
    assert not list(tmp_path.iterdir())


def test_what_a_command_says_becomes_one_line():
    with pytest.raises(EwasteError, match="sh -c .*: exit code 1: E: no such package"):
        run(("sh", "-c", "echo a; echo 'E: no such package' >&2; echo b >&2; exit 1"), seconds=5)
    with pytest.raises(Refused, match="golden: 9 steps off"):
        run(("sh", "-c", "echo 'error: golden: 9 steps off' >&2; exit 3"), seconds=5)
    with pytest.raises(EwasteError, match="longer than"):
        run(("sleep", "9"), seconds=0.1)
    with pytest.raises(EwasteError, match="cannot be run"):
        run(("/no/such",), seconds=1)


@pytest.mark.parametrize(
    ("machine", "packages", "shown"),
    [("armv7l", "armhf", "armv7l"), ("aarch64", "armhf", "aarch64"), ("i686", "i386", "i686")],
)
def test_the_script_refuses_32_bits(tmp_path, machine, packages, shown):
    for name, answer in (("uname", machine), ("dpkg", packages)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {answer}\n")
        program.chmod(0o755)
    done = subprocess.run(
        ["sh", str(SCRIPT)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"error: {shown} kernel, programs of 32 bits ({packages})")
    assert done.stderr.count("\n") == 1 and "64-bit Raspberry Pi OS" in done.stderr


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no system Python")
def test_the_script_hands_its_options_on(tmp_path):
    for words, message in (
        (["--nope"], "unrecognized arguments: --nope"),
        (["--offline", str(tmp_path)], "holds no whole kit"),
        (["--download", str(tmp_path), "--python", "2.7"], "choose one of 3.11, 3.13"),
    ):
        done = subprocess.run(["sh", str(SCRIPT), *words], capture_output=True, text=True)
        if "no known system" in done.stderr or "only root" in done.stderr:
            continue  # before the kit is looked at
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck")
def test_the_script_is_sound():
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
