import os

import pytest

from edge.errors import BadInput
from edge.pins import choose_factory


@pytest.fixture
def unset(monkeypatch, tmp_path):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "")  # so that it is put back after the test
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    monkeypatch.setenv("LG_WD", str(tmp_path))


@pytest.mark.parametrize(
    ("board", "chosen", "warnings"),
    [("Raspberry Pi 5 Model B Rev 1.0\0", "lgpio", 0), ("Some PC", "mock", 1), (None, "mock", 1)],
)
def test_lgpio_on_a_pi_and_simulated_pins_elsewhere(
    *, unset, tmp_path, logged, board, chosen, warnings
):
    if board is not None:
        (tmp_path / "model").write_text(board)
    choose_factory("gates", simulated=True, device_tree=tmp_path / "model")
    assert os.environ["GPIOZERO_PIN_FACTORY"] == chosen and len(logged) == warnings
    choose_factory("gates", simulated=False, device_tree=tmp_path / "other")
    assert os.environ["GPIOZERO_PIN_FACTORY"] == chosen, "what is set stays"


def test_pins_that_cannot_be_driven_are_an_error_unless_they_are_simulated(unset, tmp_path):
    with pytest.raises(BadInput, match="gates with pins: .*no pins to drive; .*simulated = true"):
        choose_factory("gates with pins", simulated=False, device_tree=tmp_path / "model")
    assert "GPIOZERO_PIN_FACTORY" not in os.environ
