"""Programs from a repository on a Debian 13 that is really booted, by `ewaste-program.service`.

The first one runs from a kit of this checkout, the next ones are the same with another version, and
the last one has a line that does not start. Minutes to make the system and the kits, unless they
are kept (`tests/support/booted_trixie.py`).
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("tuf")

from edge.setup.kit import LIST, program_in, read_kit, write_kit
from edge.setup.source import file_digest
from tests.support.booted import Machine, booted_marks
from tests.support.booted_line import (
    CHECKOUT,
    CONFIG,
    FILMING,
    LINE,
    PROGRAM,
    SETTINGS,
    STATE,
    THERE,
    await_items,
    await_services,
    page_answers,
    recorded,
    show,
)
from tests.support.booted_trixie import CAMERA, KIT, PYTHON, kernel_words, make_trixie

pytestmark = booted_marks()
VISIT, TIMER = "ewaste-program.service", "ewaste-program.timer"
INSTALL_S = 1800.0
UPDATES = """
[update]
repository = "file:///media/fleet/repository"
ring = "canary"
root = "/etc/ewaste-edge/root.json"
program = true
window = "always"
"""


def make_kit(folder: Path) -> Path:
    """A kit of this checkout."""
    if kept := os.environ.get(KIT):
        shutil.copytree(Path(kept) / "wheels", folder / "wheels")
    device = ("--platform", os.uname().machine, "--python", PYTHON)
    script = CHECKOUT / "edge/deploy/install.sh"
    subprocess.run(["sh", str(script), "--download", str(folder), *device], check=True)
    return folder


def another(first: Path, folder: Path, version: str, line: bytes = b"") -> Path:
    """The same kit under another version; `line` is put before the code of the line."""
    shutil.copytree(first, folder, copy_function=os.link)
    kit = read_kit(folder)
    before = program_in(kit)
    wheel = before.with_name(before.name.replace("0.1.0", version))
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(wheel, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "edge/__init__.py" or ".dist-info/" in name:
                content = content.replace(b"0.1.0", version.encode())
            if name == "edge/line.py":
                content = line + content
            new.writestr(name.replace("-0.1.0.dist", f"-{version}.dist"), content)
    before.unlink()
    others = {name: digest for name, digest in kit.digests.items() if name != before.name}
    (folder / LIST).unlink()
    write_kit(replace(kit, digests={**others, wheel.name: file_digest(wheel)}))
    return folder


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    root = tmp_path / "root"
    make_trixie(root)
    (root / "etc/systemd/system" / FILMING).write_text(CAMERA.replace(PROGRAM, "/opt/camera"))
    for place in (THERE, "/media/fleet"):
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
    shared = {CHECKOUT: THERE, tmp_path: "/media/fleet"}
    booted = Machine(root, shared, kernel=kernel_words())
    try:
        print(f"booted in {booted.boot():.1f} s")
        yield booted
    finally:
        print(booted.do("journalctl", "-b", "--no-pager", "-u", VISIT, "-n", "60", check=False))
        booted.cut_power()
        shutil.rmtree(root)


def publish(folder: Path, *words: object) -> str:
    places = ("--out", folder / "repository", "--keys", folder / "keys")
    command = [sys.executable, CHECKOUT / "convert/publish.py", *places, *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def version(machine: Machine) -> str:
    return machine.do("ewaste-edge", "--version").split()[-1]


def last(machine: Machine) -> dict[str, str]:
    """What became of the program that was pulled last."""
    path = machine.root / "var/lib/ewaste-edge-program/program.json"
    return json.loads(path.read_text())["last"]


def test_a_good_program_is_taken_and_a_bad_one_gone_back_from(
    machine: Machine, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)  # the user of the line fetches from it
    first = make_kit(tmp_path / "kit")
    print(publish(tmp_path, "--program", first))
    settings = machine.root / SETTINGS
    settings.parent.mkdir(parents=True)
    given = tmp_path / "line.toml"
    given.write_text(f'state = "/{STATE}"\n{CONFIG}{UPDATES}')
    shutil.copyfile(tmp_path / "repository/metadata/1.root.json", settings.parent / "root.json")
    print(
        machine.do(
            *("sh", f"/media/fleet/{first.name}/install.sh", "--config", "/media/fleet/line.toml"),
            seconds=INSTALL_S,
        )
    )
    assert machine.do("systemctl", "is-enabled", TIMER) == "enabled"
    machine.do("sh", "-c", "cp -a /opt/ewaste-edge-*[0-9a-f] /opt/camera")
    machine.do("systemctl", "restart", LINE, check=False)
    second = another(first, tmp_path / "kit2", "0.2.0")
    await_services(machine)
    await_items(machine, 2)
    machine.do("systemctl", "start", VISIT, seconds=INSTALL_S)
    assert version(machine) == "0.1.0", "it is in use already"

    print(publish(tmp_path, "--program", second))
    before = recorded(machine)
    machine.do("systemctl", "start", VISIT, seconds=INSTALL_S)
    assert version(machine) == "0.2.0" and last(machine)["standing"] == "passed"
    await_items(machine, 1)
    assert before <= recorded(machine) and page_answers(machine)
    assert len(machine.do("sh", "-c", "ls -d /opt/ewaste-edge-*").split()) == 1

    bad = another(first, tmp_path / "kit3", "0.3.0", line=b"raise SystemExit(1)\n")
    print(publish(tmp_path, "--program", bad))
    machine.do("systemctl", "start", VISIT, seconds=INSTALL_S, check=False)
    assert show(machine, VISIT, "ExecMainStatus") == "3"
    assert version(machine) == "0.2.0" and last(machine)["standing"] == "rolled_back"
    print(last(machine)["why"])
    await_services(machine)
    await_items(machine, 1)
    machine.do("systemctl", "start", VISIT, seconds=INSTALL_S, check=False)
    assert "was tried here and gone back from" in machine.do(
        "journalctl", "-b", "--no-pager", "-u", VISIT, "-n", "5"
    )
    print(machine.do("systemd-analyze", "security", "--no-pager", VISIT, check=False)[-200:])
