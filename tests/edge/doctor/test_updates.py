"""The check of updates, with real stores."""

import shutil
import time
from pathlib import Path

import pytest

from edge.bundle.install import install, roll_back
from edge.config import Config
from edge.doctor.check import BoardCheck, CheckState
from edge.doctor.updates import update_source
from edge.standstill import BeltRest
from edge.status import RUNNING, Status
from tests.support.bundles import reseal


def line(state: Path, **sections: object) -> Config:
    return Config.model_validate({"state": state, "belt": {"encoder": "camera"}, **sections})


def checked(config: Config, status: Status | None = None) -> BoardCheck:
    check = update_source(config, status, time.time())
    assert check.name == "update source" and bool(check.fix) is (check.state is not CheckState.OK)
    return check


def test_where_bundles_come_from_and_when_they_are_taken(tiny_bundle: Path, tmp_path: Path) -> None:
    config = line(tmp_path / "state")
    check = checked(config)
    assert check.state is CheckState.OK and "nothing is installed" in check.detail
    assert "no key is trusted" in check.detail and "while the belt stands;" in check.detail
    assert not (tmp_path / "state").exists(), "it changes nothing"
    install(tiny_bundle, config.bundles, threads=1)
    night = line(tmp_path / "state", update={"window": "22:00-05:00"})
    check = checked(night)
    assert "is in use" in check.detail and "stands or at 22:00-05:00;" in check.detail


def test_what_keeps_a_bundle_from_use_is_named_with_its_fix(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    named = line(tmp_path / "state", classifier={"bundle": tiny_bundle})
    assert "nothing that is installed" in checked(named).detail
    timed = line(tmp_path / "state", belt={"encoder": "time"})
    check = checked(timed)
    assert check.state is CheckState.WARNING and "[update] window" in check.fix
    config = line(tmp_path / "state")
    waits = Status(updated_at=time.time(), state=RUNNING, belt=BeltRest.MOVES, waiting="0" * 64)
    check = checked(config, waits)
    assert "waits until the belt stands" in check.detail and "install --now" in check.fix
    assert checked(config, waits.stopped()).state is CheckState.OK
    second = Path(shutil.copytree(tiny_bundle, tmp_path / "second"))
    reseal(second, name="second")
    install(tiny_bundle, config.bundles, threads=1)
    install(second, config.bundles, threads=1)
    roll_back(config.bundles, threads=1, why="too slow")
    check = checked(config)
    assert "second, was rolled back by the line: too slow" in check.detail


def test_a_store_that_takes_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = line(tmp_path / "state")
    monkeypatch.setattr("edge.doctor.updates.NEEDED_MB", 10**9)
    check = checked(config)
    assert check.state is CheckState.WARNING and "may take 1000000000 MB" in check.detail
    (tmp_path / "state").write_text("no folder")
    assert "is no folder" in checked(config).detail


def test_a_repository_that_is_not_asked_or_expired_is_named(tmp_path: Path) -> None:
    pytest.importorskip("tuf")
    root = tmp_path / "root.json"
    given = {"repository": "https://bundles.example/fleet", "root": root, "ring": "canary"}
    config = line(tmp_path / "state", update=given)
    assert "root.json: missing" in checked(config).detail
    root.write_text("{}")
    check = checked(config)
    assert "never answered" in check.detail and "ewaste-update.timer" in check.fix
    timestamp = config.updates / "metadata/timestamp.json"
    timestamp.parent.mkdir(parents=True)
    for content in ("{", "[]", '{"signed": {"expires": 1}}', "[" * 10_000):
        timestamp.write_text(content)
        assert "never answered" in checked(config).detail
    timestamp.write_text('{"signed": {"expires": "2026-01-02T03:04:05Z"}}')
    assert "expired on 2026-01-02 03:04 UTC" in checked(config).detail
    timestamp.write_text('{"signed": {"expires": "2999-01-02T03:04:05Z"}}')
    check = checked(config)
    assert check.state is CheckState.OK
    assert "https://bundles.example/fleet (ring canary, valid until 2999" in check.detail
