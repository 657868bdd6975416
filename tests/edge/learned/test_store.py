"""The store of generations: whole, signed, in order, and never two states at once."""

import json
from pathlib import Path

import pytest

from edge.bundle.history import Standing, read_history
from edge.bundle.install import current_number
from edge.errors import BadInput, EwasteError, Refused
from edge.learned.device_key import KEY_NAME
from edge.learned.store import (
    CURRENT,
    MOST_GENERATIONS,
    LearnedStep,
    add_generation,
    current_generation,
    digest_in_use,
    load_generation,
    roll_back,
    stored_generations,
)
from tests.support.learned import add_learned, learned


def add(store: Path, temperature: float) -> str:
    return add_learned(store, now=1000.0 + temperature, temperature=temperature)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state/learned"


def test_each_step_can_be_gone_back(store: Path) -> None:
    first, second = add(store, 1.0), add(store, 2.0)
    found = current_generation(store)
    assert found is not None and found.digest == second and found.number == 2
    assert (store / KEY_NAME).stat().st_mode & 0o777 == 0o600
    back = roll_back(store, by="Ada", now=3000.0)
    assert back is not None and back.digest == first == digest_in_use(store)
    assert roll_back(store, by="Ada") is None and current_generation(store) is None
    with pytest.raises(BadInput, match="nothing is learned"):
        roll_back(store)
    entries = read_history(store).entries
    assert [each.standing for each in entries] == [Standing.LEFT, Standing.LEFT]
    assert entries[1].why == "rolled back by Ada" and entries[1].before == first
    assert add(store, 3.0) and current_number(store) == 3, "no number is given twice"


def test_only_the_newest_are_kept(store: Path) -> None:
    for temperature in range(1, MOST_GENERATIONS + 4):
        add(store, float(temperature))
    assert [each.number for each in stored_generations(store)] == [8, 7, 6, 5, 4]
    assert [each.in_use for each in stored_generations(store)] == [True] + [False] * 4


def test_nothing_else_was_learned_meanwhile(store: Path) -> None:
    add(store, 1.0)
    with pytest.raises(BadInput, match="something else was learned meanwhile"):
        add_generation(store, learned(), {}, LearnedStep("late", parent=""))
    assert current_number(store) == 1


@pytest.mark.parametrize("forged", ["manifest", "signature", "key", "another key"])
def test_only_what_this_device_signed_is_used(store: Path, tmp_path: Path, forged: str) -> None:
    add(store, 1.0)
    path = store / "1"
    if forged == "manifest":
        changed = json.loads((path / "learned.json").read_text())
        changed["calibration"]["temperature"] = 2.0
        (path / "learned.json").write_text(json.dumps(changed))
    elif forged == "signature":
        (path / "learned.sig").write_bytes(b"\xff not a signature")
    elif forged == "key":
        (store / KEY_NAME).unlink()
    else:
        other = tmp_path / "other/learned"
        add(other, 1.0)
        (other / KEY_NAME).replace(store / KEY_NAME)
    with pytest.raises(Refused):
        load_generation(store, 1)
    assert stored_generations(store)[0].number == 1


def test_what_was_cut_off_is_cleared(store: Path) -> None:
    add(store, 1.0)
    (store / ".2.0123456789abcdef.new").mkdir()
    (store / ".current.0123456789abcdef.new").symlink_to("7")
    add(store, 2.0)
    (store / CURRENT).unlink()
    (store / CURRENT).symlink_to("1")  # as if the kill had come before the link was changed
    add(store, 3.0)
    assert not [each for each in store.iterdir() if each.name.endswith(".new")]
    assert current_number(store) == 3
    entry = read_history(store).at(2)
    assert entry is not None and entry.why == "was cut off before it came into use"


def test_a_full_or_missing_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EwasteError, match="cannot be written"):
        add(tmp_path / "file/learned", 1.0)
