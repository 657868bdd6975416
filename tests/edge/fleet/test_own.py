"""What a board reports of itself."""

import json
from pathlib import Path

import pytest

from edge.board import host_name
from edge.bundle.history import HISTORY_NAME, InstallEntry, InstallHistory, Standing, write_history
from edge.config import Config, PanelConfig
from edge.errors import Refused
from edge.fleet.own import EVERY_S, OwnReports, board_name, page_address
from edge.fleet.report import LineState, parse_report
from edge.operation import Mode, Order
from edge.status import Percentiles, Status
from edge.update.outcome import FailedVisit, noted
from edge.update.program_history import (
    ProgramHistory,
    ProgramOutcome,
    ProgramStanding,
    write_program_history,
)

NOW = 1_800_000_000.0
STATUS = Status(
    updated_at=NOW,
    state="running",
    bundle="autumn",
    digest="a" * 64,
    bundle_created=NOW - 1e6,
    items=40,
    per_bin={"boards": 30, "manual": 10},
    unknown=6,
    latency={"verdict": Percentiles(p50=26.0, p99=126.0)},
)
ENTRY = InstallEntry(
    number=2,
    digest="b" * 64,
    name="november",
    installed_at=NOW - 100,
    standing=Standing.ROLLED_BACK,
    why="28 of 28 unknown",
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "bundles").mkdir()
    (tmp_path / "update").mkdir()
    mqtt = {"host": "broker", "name": "line-1"}
    return Config.model_validate({"state": tmp_path, "update": {"ring": "canary"}, "mqtt": mqtt})


def test_it_has_what_a_fleet_needs(config: Config) -> None:
    write_history(config.bundles, InstallHistory(entries=(ENTRY,)))
    with pytest.raises(Refused), noted(config.updates, NOW - 50):
        raise Refused("november: was left")
    text = OwnReports(config).news(STATUS, NOW)
    assert text is not None and len(text) < 1500
    report = parse_report(text.encode())
    assert (report.board, report.ring.value) == ("line-1", "canary")
    assert report.state is LineState.RUNNING
    assert report.bundle is not None and report.bundle.name == "autumn"
    assert (report.share_by_hand, report.share_unknown, report.p99_ms) == (0.25, 0.15, 126.0)
    assert report.newest is not None and report.newest.standing is Standing.ROLLED_BACK
    assert report.newest.why == "28 of 28 unknown"
    assert report.refused is not None and report.refused.why == "november: was left"


def test_it_has_what_became_of_the_program(config: Config, tmp_path: Path) -> None:
    outcome = ProgramOutcome(
        version="0.2.0",
        digest="c" * 64,
        standing=ProgramStanding.ROLLED_BACK,
        at=NOW - 9,
        why="no frames moved",
    )
    reports = OwnReports(config, programs=tmp_path)
    assert reports.report(STATUS, NOW).program_update is None
    assert reports.news(STATUS, NOW) is not None
    failed = FailedVisit(at=NOW - 5, why="program 0.2.0: gone back from")
    write_program_history(tmp_path, ProgramHistory(last=outcome, failed=failed))
    text = reports.news(STATUS, NOW + 1)
    assert text is not None, "at once"
    report = parse_report(text.encode())
    assert report.program_update is not None and report.program_update.version == "0.2.0"
    assert report.program_update.standing is ProgramStanding.ROLLED_BACK
    assert report.refused is not None and report.refused.why == failed.why
    (tmp_path / HISTORY_NAME).write_text("{")
    (tmp_path / "program.json").write_text("{")
    assert reports.report(STATUS, NOW).program_update is None


def test_it_is_reported_at_a_change_and_once_a_minute(config: Config) -> None:
    reports = OwnReports(config)
    assert reports.news(STATUS, NOW) is not None
    more = STATUS.model_copy(update={"items": 41})
    assert reports.news(more, NOW + 1) is None, "numbers wait"
    write_history(config.bundles, InstallHistory(entries=(ENTRY,)))
    assert "rolled_back" in (reports.news(more, NOW + 2) or "")
    assert reports.news(more, NOW + 3) is None
    later = more.model_copy(update={"updated_at": NOW + 2 + EVERY_S})
    assert reports.news(later, NOW + 2 + EVERY_S) is not None
    reports.forget()
    assert reports.news(later, NOW + 3 + EVERY_S) is not None, "to another broker"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"order": Order(mode=Mode.PAUSE)}, LineState.PAUSED),
        ({"order": Order(mode=Mode.MANUAL)}, LineState.ALL_MANUAL),
        ({"state": "no picture"}, LineState.NO_PICTURE),
        ({"state": "belt not measured"}, LineState.NO_POSITION),
        ({"updated_at": NOW - 60}, LineState.STALLED),
        ({"updated_at": NOW - 60, "state": "stopped"}, LineState.STOPPED),
    ],
)
def test_the_state_of_the_line(config: Config, changes: dict, state: LineState) -> None:
    report = OwnReports(config).report(STATUS.model_copy(update=changes), NOW)
    assert report.state is state


def test_odd_and_damaged_values_harm_no_report(config: Config, logged: list[str]) -> None:
    (config.bundles / HISTORY_NAME).write_text("{")
    odd = {"bundle": "x\n" * 500, "message": "\x1b" * 9000, "latency": {}, "digest": "", "items": 0}
    reports = OwnReports(config)
    for second in range(3):
        report = reports.report(STATUS.model_copy(update=odd), NOW + second)
    assert report.bundle is None and report.newest is None and len(report.message) <= 300
    assert sum("history begins anew" in line for line in logged) == 1
    broken = STATUS.model_copy(update={"digest": "no digest"})
    assert reports.news(broken, NOW) is None and reports.news(broken, NOW) is None
    assert sum("the board cannot be reported" in line for line in logged) == 1


def test_a_board_is_named_by_its_line_or_its_host() -> None:
    unnamed = Config.model_validate({"mqtt": {"host": "x"}})
    assert unnamed.mqtt.line_name == board_name(unnamed) == board_name(Config()) == host_name()
    named = Config.model_validate({"mqtt": {"host": "x", "name": "line-7"}})
    assert board_name(named) == "line-7"


@pytest.mark.parametrize(
    ("panel", "address"),
    [
        ({}, None),
        ({"host": "0.0.0.0"}, None),
        ({"host": "0.0.0.0", "hosts": ["line-1.plant"]}, "line-1.plant:7860"),
        ({"host": "10.0.0.7", "port": 80}, "10.0.0.7:80"),
        ({"host": "fd00::7"}, "[fd00::7]:7860"),
    ],
)
def test_the_page_is_reported_where_its_address_is_known(panel: dict, address: str | None) -> None:
    assert page_address(PanelConfig.model_validate(panel)) == address


def test_the_report_is_json_without_what_is_not_known(config: Config) -> None:
    text = OwnReports(config).news(STATUS.model_copy(update={"latency": {}}), NOW)
    assert text is not None and "p99_ms" not in json.loads(text)
