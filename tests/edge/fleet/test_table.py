"""The health of a board in one word with its reason, and the table of all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.history import Standing
from edge.fleet.health import SILENT_S, Health, health_of
from edge.fleet.listening import HeardBoard
from edge.fleet.report import LineState
from edge.fleet.table import as_json, as_lines, prometheus_targets
from tests.support.fleet import NOW, OLD_BUNDLE, heard_of, newest, report_of

BAD = newest(Standing.ROLLED_BACK, "items unknown or by hand: 100.0% over 28 items")
PROGRAM = {"version": "0.2.0", "digest": "c" * 64, "at": NOW}
HEALTH = {
    "well": (heard_of(), Health.RUNNING, ""),
    "paused": (heard_of(state=LineState.PAUSED), Health.PAUSED, ""),
    "stopped": (
        heard_of(state=LineState.STOPPED, at=NOW - 7200, offline=True),
        Health.STOPPED,
        "for 2 h",
    ),
    "silent": (heard_of(at=NOW - 3 * 3600), Health.SILENT, "for 3 h"),
    "just lost": (heard_of(offline=True), Health.SILENT, "for 20 s"),
    "a wrong clock": (heard_of(at=NOW + 90_000), Health.RUNNING, "its clock is 25 h ahead"),
    "rolled back": (
        heard_of(
            bundle=OLD_BUNDLE, newest=BAD, message="rolled back", refused={"at": 1, "why": "left"}
        ),
        Health.ROLLED_BACK,
        f"november: {BAD.why}",
    ),
    "rolled back, then stopped": (
        heard_of(newest=BAD, state=LineState.STOPPED),
        Health.STOPPED,
        f"for 20 s; november rolled back: {BAD.why}",
    ),
    "on probation": (
        heard_of(newest=newest(Standing.ON_PROBATION)),
        Health.RUNNING,
        "november on probation",
    ),
    "it waits": (
        heard_of(newest=newest(Standing.ON_PROBATION), bundle=OLD_BUNDLE),
        Health.RUNNING,
        "november waits",
    ),
    "no picture": (
        heard_of(state=LineState.NO_PICTURE, message="the camera is gone"),
        Health.NO_PICTURE,
        "the camera is gone",
    ),
    "refused": (
        heard_of(refused={"at": 1, "why": "what it serves has expired"}),
        Health.RUNNING,
        "what it serves has expired",
    ),
    "a program that was rolled back": (
        heard_of(program_update=PROGRAM | {"standing": "rolled_back", "why": "no frames"}),
        Health.RUNNING,
        "program 0.2.0 rolled back: no frames",
    ),
    "a program that waits": (
        heard_of(program_update=PROGRAM | {"standing": "waiting", "why": "waits until 22:00"}),
        Health.RUNNING,
        "program 0.2.0 waits until 22:00",
    ),
    "a program on probation": (
        heard_of(program_update=PROGRAM | {"standing": "on_probation"}),
        Health.RUNNING,
        "program 0.2.0 on probation",
    ),
    "unreadable": (
        HeardBoard("plant/x", None, problem="8,193 bytes"),
        Health.UNREADABLE,
        "8,193 bytes",
    ),
}


@pytest.mark.parametrize("kind", HEALTH)
def test_the_health_is_one_word_and_its_reason(kind: str) -> None:
    board, word, reason = HEALTH[kind]
    assert health_of(board, NOW) == (word, reason)


def test_a_board_is_silent_after_three_reports_that_did_not_come() -> None:
    assert health_of(heard_of(at=NOW - SILENT_S), NOW)[0] is Health.RUNNING
    assert health_of(heard_of(at=NOW - SILENT_S - 1), NOW)[0] is Health.SILENT


def test_the_table_has_a_row_for_each_board() -> None:
    boards = [board for board, _, _ in HEALTH.values()]
    lines = as_lines(boards, NOW, 200)
    assert len(lines) == len(boards) + 2 and lines[0].split()[:3] == ["board", "ring", "program"]
    well = " ".join(lines[2].split())
    assert well == "line-1 canary 0.1.0 november bbbbbbbb running 1,234 33.0% 20 s ago"
    assert all(len(line) <= 80 for line in as_lines(boards, NOW, 80))


def test_nothing_in_a_report_is_markup_or_an_escape() -> None:
    odd = heard_of(name="[bold]x[/bold]", message="[link=file:///etc/passwd]press[/link]")
    text = "\n".join(as_lines([odd, HeardBoard("plant/\x1b[2J", None)], NOW, 200))
    assert "[bold]x[/bold]" in text and "[link=file:///etc/passwd]press[/link]" in text
    assert "\x1b" not in text


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=64).filter(bool), max_size=4), st.integers(1, 300))
def test_any_names_make_a_table(names: list[str], width: int) -> None:
    boards = [HeardBoard(name, report_of(message=name), False) for name in names]
    for line in as_lines(boards, NOW, width):
        assert "\x1b" not in line and "\n" not in line


def test_the_json_has_what_the_table_has_and_more() -> None:
    rows = as_json([heard_of(), HEALTH["unreadable"][0]], NOW)["boards"]
    json.dumps(rows, allow_nan=False)
    assert rows[0]["health"] == "running" and rows[0]["share_by_hand"] == pytest.approx(407 / 1234)
    assert rows[0]["bundle"]["digest"] == "b" * 64 and rows[0]["newest"]["standing"] == "passed"
    assert rows[1] == {"topic": "plant/x", "health": "unreadable", "reason": "8,193 bytes"}


def test_prometheus_gets_the_pages_that_are_known_also_of_silent_boards() -> None:
    boards = [heard_of(page="10.0.0.7:7860", at=1.0), heard_of("line-2")]
    assert json.loads(prometheus_targets(boards)) == [
        {"targets": ["10.0.0.7:7860"], "labels": {"board": "line-1", "ring": "canary"}}
    ]
    assert json.loads(prometheus_targets([])) == []
