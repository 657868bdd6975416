"""A program on trial: kept if all runs as before, else gone back from; cut off at any command."""

import json
from pathlib import Path

import pytest

from edge.errors import BadInput, EwasteError, Refused
from edge.program.board import LINE, PAGE
from edge.program.trial import MOST_TRIES, begin, settle
from edge.setup.environment import environments, is_whole, made
from edge.setup.procedure import install
from edge.setup.source import ProgramSource, file_digest
from edge.status import STATUS_NAME
from edge.update.program_history import HISTORY_NAME, ProgramStanding
from tests.support.device import PI, PowerCut
from tests.support.program_board import ProgramBoard
from tests.support.programs import make_wheel

ROLLED_BACK, PASSED = ProgramStanding.ROLLED_BACK, ProgramStanding.PASSED


@pytest.fixture
def board(tmp_path: Path) -> ProgramBoard:
    """A board whose line runs 0.1.0."""
    found = ProgramBoard(tmp_path / "root")
    found.set_up(make_wheel(tmp_path, "0.1.0", ""))
    return found


@pytest.fixture
def ready(board: ProgramBoard, tmp_path: Path) -> Path:
    """The environment of 0.2.0, beside the one in use."""
    source = ProgramSource(make_wheel(tmp_path, "0.2.0", ""))
    made(board.places, python="3.11", source=source, kit=None, run=board.device.run)
    return board.board.environment_of(file_digest(source.path))


def tried(board: ProgramBoard, environment: Path) -> str:
    (wheel,) = environment.glob("*.whl")
    return begin(board.board, "0.2.0", file_digest(wheel), environment)


def test_a_program_that_runs_is_kept_and_the_one_before_removed(board, ready):
    before = board.places.program.resolve()
    board.device.commands.clear()
    assert tried(board, ready) == "program 0.2.0: in use"
    assert board.version == "0.2.0" and board.is_whole() and not before.exists()
    assert board.places.proven.resolve() == ready and environments(board.places) == [ready]
    restarted = [each for each in board.device.commands if each.startswith("systemctl restart")]
    assert f"systemctl restart {LINE}" in restarted and f"systemctl restart {PAGE}" in restarted
    history = board.board.history
    assert history.trial is None and history.last.standing is PASSED and not history.refused
    assert (board.places.updates / HISTORY_NAME).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("dead", "ewaste-line.service did not come up within 30 s"),
        ("frozen", "no frames moved through the line within 30 s"),
        ("crashing", "ewaste-line.service, ewaste-panel.service did not stay up, after 6 starts"),
        ("doctor", "the doctor finds a fault: runtime"),
        ("installer", "No module named edge"),
    ],
)
def test_one_that_does_worse_is_gone_back_from(board, ready, fault, why):
    before = board.places.program.resolve()
    board.faults["0.2.0"] = fault
    with pytest.raises(Refused, match="program 0.2.0: gone back from") as refused:
        tried(board, ready)
    assert why in str(refused.value) and "\n" not in str(refused.value)
    assert board.version == "0.1.0" and board.is_whole()
    assert environments(board.places) == [before] and board.device.active >= {LINE, PAGE} - (
        {LINE} if fault == "dead" else set()
    )
    history = board.board.history
    assert history.trial is None and history.last.standing is ROLLED_BACK
    assert why in history.last.why and len(history.refused) == 1
    assert settle(board.board) is None


def test_what_failed_before_need_not_work_after(board, ready):
    """A board without a camera is updated too."""
    board.faults = {"0.1.0": "dead", "0.2.0": "dead"}
    board.wait(10)
    assert LINE not in board.device.active
    assert "in use" in tried(board, ready)
    assert board.board.history.last.standing is PASSED


def test_the_status_of_the_line_is_taken_for_hostile(board, tmp_path):
    path = board.places.state / STATUS_NAME
    for content in (b"{", b"x" * (2**20 + 1), b'{"frames": "many"}'):
        path.write_bytes(content)
        assert board.board.status() is None
    path.unlink()
    path.symlink_to("/dev/zero")
    assert board.board.status() is None


@pytest.mark.parametrize("fault", ["", "frozen"])
def test_cut_off_at_any_command_it_is_kept_or_gone_back_from(tmp_path, fault):
    cut_at, finished = 0, False
    while not finished:
        board = ProgramBoard(tmp_path / f"root{cut_at}")
        board.set_up(make_wheel(tmp_path / "old", "0.1.0", ""))
        source = ProgramSource(make_wheel(tmp_path / "new", "0.2.0", ""))
        made(board.places, python="3.11", source=source, kit=None, run=board.device.run)
        environment = board.board.environment_of(file_digest(source.path))
        board.faults["0.2.0"] = fault
        board.device.commands.clear()
        board.device.cut_at = cut_at
        try:
            tried(board, environment)
            finished = True
        except PowerCut:
            pass
        except Refused:
            finished = True
        board.device.cut_at = None
        assert board.is_whole(), "a half-made program is in use"
        board.start()
        try:
            settle(board.board)
        except Refused:
            assert fault
        history = board.board.history
        assert history.trial is None and board.is_whole()
        if history.last is None:
            assert board.version == "0.1.0", "it had not begun"
        else:
            assert board.version == ("0.1.0" if fault else "0.2.0")
        assert board.places.program.resolve() == board.places.proven.resolve()
        cut_at += 1
    assert cut_at > 10


def test_a_trial_that_is_interrupted_again_and_again_is_gone_back_from(board, ready, monkeypatch):
    """What it does may be what cuts the power."""
    monkeypatch.setattr("edge.program.trial.watch", lambda *_: (_ for _ in ()).throw(PowerCut))
    with pytest.raises(PowerCut):
        tried(board, ready)
    for _ in range(MOST_TRIES - 1):
        with pytest.raises(PowerCut):
            settle(board.board)
        assert board.version == "0.2.0"
    with pytest.raises(Refused, match="its trial was interrupted 3 times"):
        settle(board.board)
    assert board.version == "0.1.0" and board.board.history.refused


def test_a_person_who_installs_another_one_ends_the_trial(board, ready, monkeypatch, tmp_path):
    monkeypatch.setattr("edge.program.trial.watch", lambda *_: (_ for _ in ()).throw(PowerCut))
    with pytest.raises(PowerCut):
        tried(board, ready)
    third = ProgramSource(make_wheel(tmp_path, "0.3.0", ""))
    list(install(board.places, PI, third, None, board.device.run))
    assert "its trial ended, another program was installed" in settle(board.board)
    assert board.version == "0.3.0" and board.board.history.trial is None
    assert is_whole(board.places.proven) and len(environments(board.places)) == 1


def test_a_damaged_history_is_named_and_changes_nothing(board, ready):
    path = board.places.updates / HISTORY_NAME
    path.write_text(json.dumps({"trial": {"before": "../../etc"}}))
    with pytest.raises(BadInput, match=r"program.json: cannot be read \(malformed\); remove it"):
        settle(board.board)
    with pytest.raises(BadInput):
        tried(board, ready)
    assert board.version == "0.1.0"


def test_a_full_disk_leaves_the_program_before(board, ready, monkeypatch):
    def full(folder, history):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.program.board.write_program_history", full)
    with pytest.raises(EwasteError, match="No space left"):
        tried(board, ready)
    assert board.version == "0.1.0" and board.is_whole()
