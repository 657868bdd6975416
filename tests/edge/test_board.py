"""What a board tells of itself, by files like the kernel's."""

from pathlib import Path

import pytest

from edge import board
from edge.board import THROTTLED, BoardHealth, board_health, host_name, resident_bytes


def zone(system: Path, number: int, kind: str, temperature: str) -> None:
    folder = system / "class" / "thermal" / f"thermal_zone{number}"
    folder.mkdir(parents=True)
    (folder / "type").write_text(f"{kind}\n")
    (folder / "temp").write_text(temperature)


FLAGS = {
    "0x0": BoardHealth(61.2, False, False, False),
    "0x50000\n": BoardHealth(61.2, False, False, True),
    "4": BoardHealth(61.2, True, False, False),
    "0x50005": BoardHealth(61.2, True, True, True),
    "rubbish": BoardHealth(61.2),
    "": BoardHealth(61.2),
}


@pytest.mark.parametrize("flags", FLAGS)
def test_a_raspberry_pi_tells_temperature_and_throttling(tmp_path, flags):
    zone(tmp_path, 0, "acpitz", "90000")
    zone(tmp_path, 1, "cpu-thermal", "61200\n")
    zone(tmp_path, 2, "cpu1", "no number")
    zone(tmp_path, 3, "soc", "999999999")
    path = tmp_path / THROTTLED
    path.parent.mkdir(parents=True)
    path.write_text(flags)
    assert board_health(tmp_path) == FLAGS[flags]


def test_what_a_board_does_not_tell_is_none(tmp_path):
    assert board_health(tmp_path) == BoardHealth(None, None, None, None)
    zone(tmp_path, 0, "acpitz", "27800")
    assert board_health(tmp_path).temperature_c == 27.8
    assert 1e6 < resident_bytes() < 1e11


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("line-7.plant", "line-7.plant"),
        ("a/+/#\0b", "a-b"),
        ("Halle 3 Süd", "Halle-3-S-d"),
        ("x" * 80, "x" * 64),
        ("///", "ewaste-edge"),
    ],
)
def test_the_name_of_a_host_fits_a_topic(monkeypatch, host, name):
    monkeypatch.setattr(board.socket, "gethostname", lambda: host)
    assert host_name() == name
