"""What wears cards out, by files like those of the kernel, sound and hostile ones."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.board import read_release
from edge.doctor.card import Roots, disk_of, journal, storage, swap, wear
from edge.doctor.check import CheckState


@pytest.fixture
def roots(tmp_path):
    """A system whose disk of `tmp_path` is the second partition of an SD card."""
    found = Roots(
        tmp_path / "sys", tmp_path / "proc", tmp_path / "etc", tmp_path / "var" / "log" / "journal"
    )
    device = tmp_path.stat().st_dev
    partition = found.system / "devices" / "mmcblk0" / "mmcblk0p2"
    partition.mkdir(parents=True)
    (partition / "partition").write_text("2\n")
    numbers = found.system / "dev" / "block"
    numbers.mkdir(parents=True)
    (numbers / f"{os.major(device)}:{os.minor(device)}").symlink_to(partition)
    (found.system / "block" / "mmcblk0" / "device").mkdir(parents=True)
    found.processes.mkdir()
    return found


def tell(roots: Roots, life: str, spare: str = "") -> None:
    device = roots.system / "block" / "mmcblk0" / "device"
    (device / "life_time").write_text(life)
    (device / "pre_eol_info").write_text(spare)


def test_records_on_a_card_are_a_warning_with_what_to_do(roots, tmp_path):
    found, life = storage(tmp_path / "state" / "of" / "line", roots)
    assert found.state is CheckState.WARNING and "mmcblk0" in found.detail and "SSD" in found.fix
    assert life.state is CheckState.OK and "does not tell" in life.detail


def test_other_disks_and_unknown_ones_are_no_cards(roots, tmp_path):
    (number,) = (roots.system / "dev" / "block").iterdir()
    number.unlink()
    assert disk_of(tmp_path, roots.system) == ""
    number.symlink_to(roots.system / "devices" / "nvme0n1")
    (roots.system / "devices" / "nvme0n1").mkdir()
    assert disk_of(tmp_path, roots.system) == "nvme0n1"
    assert [check.state for check in storage(tmp_path, roots)] == [CheckState.OK]
    number.unlink()
    number.symlink_to(number)
    assert disk_of(tmp_path, roots.system) == ""


@pytest.mark.parametrize(
    ("life", "spare", "state", "words"),
    [
        ("0x01 0x02\n", "0x01\n", CheckState.OK, "at most 20 %"),
        ("0x09 0x01", "0x01", CheckState.WARNING, "replace it soon"),
        ("0x02 0x01", "0x02", CheckState.WARNING, "replace it soon"),
        ("0x0B 0x01", "0x01", CheckState.FAILURE, "replace it now"),
        ("", "0x03", CheckState.FAILURE, "replace it now"),
        ("0x00 0x00", "0x00", CheckState.OK, "does not tell"),
        ("rubbish", "-1", CheckState.OK, "does not tell"),
        ("0x0b" * 10**6, "9" * 10**6, CheckState.OK, "does not tell"),
    ],
)
def test_an_emmc_that_wears_out_is_named(*, roots, life, spare, state, words):
    tell(roots, life, spare)
    check = wear("mmcblk0", roots.system)
    assert check.state is state and words in check.detail + check.fix


def test_a_journal_and_swap_on_a_card_are_named_with_what_turns_them_off(roots):
    assert journal(roots).state is CheckState.OK, "without the folder it lies in memory"
    roots.journal.mkdir(parents=True)
    check = journal(roots)
    assert check.state is CheckState.WARNING and "Storage=volatile" in check.fix
    (roots.settings / "systemd" / "journald.conf.d").mkdir(parents=True)
    setting = roots.settings / "systemd" / "journald.conf.d" / "a.conf"
    setting.write_text("[Journal]\n#Storage=auto\nStorage = Volatile\n")
    assert journal(roots).state is CheckState.OK
    setting.write_bytes(b"\xff\0Storage" * 10**5)
    assert journal(roots).state is CheckState.WARNING


@pytest.mark.parametrize("place", ["/dev/mmcblk0p3", "{}/swap", "/dev/mmcblk1"])
def test_swap_on_a_card_is_named(roots, tmp_path, place):
    place = place.format(tmp_path)
    head = "Filename\tType\tSize\tUsed\tPriority\n"
    (roots.processes / "swaps").write_text(f"{head}{place}   file  102396  0  -2\n")
    check = swap(roots)
    assert check.state is CheckState.WARNING and f"sudo swapoff {place}" in check.fix


@pytest.mark.parametrize("text", ["", "Filename\n/dev/zram0 partition 1 0 5\n", "\0" * 10**6])
def test_no_swap_or_swap_in_memory_is_fine(roots, text):
    (roots.processes / "swaps").write_text(text)
    assert swap(roots).state is CheckState.OK


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300) | st.sampled_from([b"A=" + b"x" * 10**6, b"NAME='a\x1b[2J"]))
def test_whatever_stands_in_the_files_of_a_system_is_read_or_left_out(tmp_path_factory, content):
    folder: Path = tmp_path_factory.mktemp("system")
    path = folder / "os-release"
    path.write_bytes(content)
    assert all(value.isprintable() and len(value) <= 80 for value in read_release(path).values())
    device = folder / "block" / "mmcblk0" / "device"
    device.mkdir(parents=True)
    (device / "life_time").write_bytes(content)
    assert wear("mmcblk0", folder).detail
    (folder / "swaps").write_bytes(content)
    assert swap(Roots(folder, folder, folder, folder)).detail


def test_the_names_of_a_release_are_read(tmp_path):
    path = tmp_path / "os-release"
    path.write_text("# a comment\nNAME=\"Debian GNU/Linux\"\nVERSION_ID='12'\nnonsense\n")
    assert read_release(path) == {"NAME": "Debian GNU/Linux", "VERSION_ID": "12"}
    assert read_release(tmp_path / "absent") == {} == read_release(tmp_path)
