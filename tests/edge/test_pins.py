import os

import pytest

from edge.pins import choose_factory


@pytest.mark.parametrize(
    ("board", "chosen", "told"),
    [("Raspberry Pi 5 Model B Rev 1.0\0", "lgpio", 0), ("Some PC", "mock", 1), (None, "mock", 1)],
)
def test_lgpio_on_a_pi_and_simulated_pins_elsewhere(monkeypatch, tmp_path, board, chosen, told):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "")  # so that it is put back after the test
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    monkeypatch.setenv("LG_WD", str(tmp_path))
    said: list[str] = []
    if board is not None:
        (tmp_path / "model").write_text(board)
    choose_factory(said.append, tmp_path / "model")
    assert os.environ["GPIOZERO_PIN_FACTORY"] == chosen and len(said) == told
    choose_factory(said.append, tmp_path / "other")
    assert os.environ["GPIOZERO_PIN_FACTORY"] == chosen, "what is set stays"
