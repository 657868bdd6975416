"""A card in a Debian 13 that is really booted: cloud-init reads it, and the network is cut.

The configuration of cloud-init is that of Raspberry Pi OS Trixie, and the root file system that of
plain Debian for this processor, in systemd-nspawn. Minutes to make the kit and the system, unless
they are kept (`tests/support/booted_trixie.py`), and minutes to install.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.setup.kit import LIST
from tests.support.booted import Machine, booted_marks
from tests.support.booted_line import (
    CHECKOUT,
    CONFIG,
    LINE,
    LONG_S,
    PANEL,
    SETTINGS,
    STATE,
    THERE,
    await_items,
    await_services,
    page_answers,
    recorded,
)
from tests.support.booted_trixie import kernel_words, make_kit, make_trixie
from tests.support.waiting import wait_until

pytestmark = booted_marks()
PI_OS = """\
datasource_list: [ NoCloud, None ]
datasource:
  NoCloud:
    seedfrom: file:///boot/firmware
"""
"""What Raspberry Pi OS Trixie has in /etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg."""
BOOT, REPORT = "boot/firmware", "boot/firmware/ewaste-edge.txt"
INSTALL_S = 1800.0
ROOT_PLACE = "/etc/ewaste-edge/root.json"
UPDATES = f'[update]\nrepository = "http://fleet"\nroot = "{ROOT_PLACE}"\n'


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_kit(tmp_path_factory)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A Debian 13 with cloud-init, which looks for a card where Raspberry Pi OS does."""
    folder = tmp_path / "root"
    make_trixie(folder)
    (folder / "etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg").write_text(PI_OS)
    (folder / BOOT).mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def write_card(target: Path, kit: Path, tmp_path: Path, *more: str) -> None:
    config, root = tmp_path / "line.toml", tmp_path / "1.root.json"
    config.write_text(CONFIG + UPDATES)
    root.write_text('{"signed": {"_type": "root"}}')
    words = ("--out", target, "--config", config, "--root", root, "--kit", kit, "--no-network")
    board = ("--platform", os.uname().machine, "--hostname", "line-1")
    command = [sys.executable, "-m", "edge.cli", "card", *map(str, words), *board, *more]
    subprocess.run(command, check=True, cwd=CHECKOUT)


class Console:
    """What a board wrote on its console."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def line(self, root: Path) -> str:
        """The line of the card, once its report is on the boot partition."""
        wait_until(lambda: (root / REPORT).exists(), INSTALL_S)
        reported = (root / REPORT).read_text().splitlines()[0]
        wait_until(lambda: reported in self.path.read_text(errors="replace"), LONG_S)
        return reported


def booted(root: Path, tmp_path: Path) -> tuple[Machine, Console]:
    console = Console(tmp_path / "console.txt")
    console.path.touch()
    machine = Machine(root, {CHECKOUT: THERE}, console=console.path, kernel=kernel_words())
    return machine, console


def test_a_board_without_a_network_comes_up_sorting_once_its_card_is_whole(
    kit: Path, root: Path, tmp_path: Path
) -> None:
    write_card(root / BOOT, kit, tmp_path)
    lost = root / BOOT / "ewaste-edge/root.json"
    kept = lost.read_bytes()
    lost.unlink()
    machine, console = booted(root, tmp_path)
    try:
        print(f"booted in {machine.boot():.1f} s")
        assert machine.do("ls", "/sys/class/net").split() == ["lo"]
        found = console.line(root)
        assert "root.json: missing: the public keys that updates are trusted by" in found
        assert not [*root.glob("opt/ewaste-edge*")]
        lost.write_bytes(kept)
        (root / REPORT).unlink()
        machine.cut_power()
        machine.boot()
        assert console.line(root) == "installed from the card, and the line runs"
        print((root / REPORT).read_text())
        await_services(machine)
        await_items(machine, 3)
        wait_until(lambda: len(recorded(machine)) >= 3, LONG_S)
        assert page_answers(machine) and machine.do("hostname") == "line-1"
        assert machine.do("stat", "-c", "%U:%G %a", f"/{SETTINGS}") == "root:ewaste 640"
        assert "NoCloud" in machine.do("cloud-init", "status", "--long", check=False)
        before, (mark,) = recorded(machine), [*root.glob("etc/ewaste-edge/card-*")]
        (root / REPORT).unlink()
        machine.cut_power()
        machine.boot()
        await_services(machine)
        await_items(machine, 1)
        assert before <= recorded(machine) and mark.exists()
        assert not (root / REPORT).exists(), "it installs once"
    finally:
        for unit in (LINE, PANEL, "ewaste-card.service"):
            print(machine.do("journalctl", "--no-pager", "-u", unit, "-n", "20", check=False))
        machine.cut_power()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("another card", "belongs to another card than user-data"),
        ("another Python", f"with Python 3.11; this is {os.uname().machine} with Python 3.13"),
        ("another processor", f"for armv9 with Python 3.13; this is {os.uname().machine}"),
    ],
)
def test_a_wrong_card_says_so_on_the_console(
    kit: Path, root: Path, tmp_path: Path, fault: str, reason: str
) -> None:
    other = tmp_path / "other"
    if fault == "another card":
        write_card(root / BOOT, kit, tmp_path)
        write_card(tmp_path / "second", kit, tmp_path, "--user", "somebody")
        card = root / BOOT / "ewaste-edge"
        shutil.copyfile(tmp_path / "second/ewaste-edge/card.sha256", card / "card.sha256")
    else:
        shutil.copytree(kit, other)
        content = json.loads((kit / LIST).read_text())
        changed = {"pythons": ["3.11"]} if "Python" in fault else {"platforms": ["armv9"]}
        write_card(root / BOOT, kit, tmp_path)
        (other / LIST).write_text(json.dumps(content | changed))
        put_kit(root / BOOT, other)
    machine, console = booted(root, tmp_path)
    try:
        machine.boot()
        found = console.line(root)
        assert found.startswith("error: ") and reason in found
        assert not [*root.glob("opt/ewaste-edge*")] and not (root / STATE).exists()
    finally:
        machine.cut_power()


def put_kit(boot: Path, kit: Path) -> None:
    """Put another kit on a card, as a person does who seals it anew."""
    from hashlib import sha256

    card = boot / "ewaste-edge"
    before = (card / "card.sha256").read_text()
    old = sha256(before.encode()).hexdigest()[:16]
    digest = sha256((card / "kit" / LIST).read_bytes()).hexdigest()
    shutil.copyfile(kit / LIST, card / "kit" / LIST)
    after = before.replace(digest, sha256((card / "kit" / LIST).read_bytes()).hexdigest())
    (card / "card.sha256").write_text(after)
    for name in ("user-data", "meta-data"):
        text = (boot / name).read_text()
        (boot / name).write_text(text.replace(old, sha256(after.encode()).hexdigest()[:16]))
