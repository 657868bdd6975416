"""What is installed, as `ewaste-edge bundles` lists it; installs of packed bundles."""

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from edge.bundle.history import HISTORY_NAME, Standing, read_history
from edge.bundle.install import (
    Allowed,
    current_number,
    identity,
    install,
    installed_in,
    roll_back,
)
from edge.bundle.listing import as_rows
from edge.errors import BadInput, Refused
from tests.support.bundles import packed, reseal

ROOT = Path(__file__).parents[3]
NEW, OLD = "2026-06-01T12:00:00Z", "2026-05-01T12:00:00Z"


@pytest.fixture
def pair(tiny_bundle: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two bundles, the second one newer."""
    made = []
    for name, created in (("old", OLD), ("new", NEW)):
        made.append(Path(shutil.copytree(tiny_bundle, tmp_path / name)))
        reseal(made[-1], name=name, created=created)
    return made[0], made[1]


def ewaste(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_list_tells_what_became_of_each(pair: tuple[Path, Path], tmp_path: Path) -> None:
    store = tmp_path / "bundles"
    assert as_rows(installed_in(store)) == []
    install(pair[0], store, threads=1, now=1000.0)
    install(pair[1], store, threads=1, now=2000.0)
    new, old = as_rows(installed_in(store))
    assert (new["name"], new["installed_at"], new["active"], new["previous"]) == (
        "new",
        2000.0,
        True,
        False,
    )
    assert (new["standing"], new["on_probation"]) == ("on_probation", True)
    assert (old["standing"], old["active"], old["previous"]) == ("unwatched", False, True)
    assert new["created"] > old["created"] and new["digest"] != old["digest"]
    roll_back(store, threads=1, why="too slow", now=3000.0)
    new, old = as_rows(installed_in(store))
    assert (new["standing"], new["why"], new["active"]) == ("rolled_back", "too slow", False)
    assert old["active"] and not old["previous"] and not new["on_probation"]
    entry = read_history(store).last(new["digest"])
    assert entry is not None and (entry.installed_at, entry.ended_at) == (2000.0, 3000.0)


def test_what_a_line_rolled_back_is_not_taken_again_unless_asked_for(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    store = tmp_path / "bundles"
    install(pair[0], store, threads=1)
    install(pair[1], store, threads=1)
    roll_back(store, threads=1, why="40 of 50 items unknown")
    with pytest.raises(Refused, match=r"rolled back \(40 of 50 items unknown\).*--again"):
        install(pair[1], store, threads=1)
    assert current_number(store) == 1
    install(pair[1], store, threads=1, allowed=Allowed(again=True))
    entry = read_history(store).last(installed_in(store)[0].bundle.digest)
    assert entry is not None and entry.standing is Standing.ON_PROBATION
    # By hand is another thing: the person may try it again.
    roll_back(store, threads=1)
    install(pair[1], store, threads=1)


def test_going_back_from_another_bundle_than_was_judged_is_refused(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    store = tmp_path / "bundles"
    install(pair[0], store, threads=1)
    install(pair[1], store, threads=1)
    judged = identity(store)
    roll_back(store, threads=1)
    install(pair[1], store, threads=1)  # at the same number
    assert identity(store) != judged
    with pytest.raises(BadInput, match="another bundle is in use by now"):
        roll_back(store, threads=1, why="slow", only_from=judged)
    assert current_number(store) == 2


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"entries": [{}]}', b"\xff" * 300_000, b'{"entries": 1e999}']
)
def test_a_damaged_history_keeps_no_bundle_from_use(
    pair: tuple[Path, Path], tmp_path: Path, content: bytes, logged: list[str]
) -> None:
    store = tmp_path / "bundles"
    install(pair[0], store, threads=1)
    (store / HISTORY_NAME).write_bytes(content)
    assert as_rows(installed_in(store))[0]["standing"] is None
    install(pair[1], store, threads=1)
    assert as_rows(installed_in(store))[0]["standing"] == "on_probation"
    assert any("history begins anew" in line for line in logged)


def test_packed_bundles_as_they_are_installed(pair: tuple[Path, Path], tmp_path: Path) -> None:
    state = tmp_path / "state"
    (tmp_path / "old.zip").write_bytes(packed(pair[0]))
    with tarfile.open(tmp_path / "new.tar", "w") as archive:
        archive.add(pair[1], "new")
    done = ewaste("install", tmp_path / "new.tar", "--state", state)
    assert done.returncode == 0, done.stderr
    older = ewaste("install", tmp_path / "old.zip", "--state", state)
    assert older.returncode == 3 and older.stderr.count("\n") == 1
    assert f"{tmp_path}/old.zip: converted 2026-05-01" in older.stderr
    assert "--older" in older.stderr and ".upload" not in older.stderr
    assert ewaste("install", tmp_path / "old.zip", "--older", "--state", state).returncode == 0
    listed = json.loads(ewaste("bundles", "--json", "--state", state).stdout)
    assert [(row["name"], row["active"]) for row in listed] == [("old", True), ("new", False)]
    table = ewaste("bundles", "--state", state).stdout.splitlines()
    assert len(table) == 3 and "active" in table[1] and "previous" in table[2]
    assert "converted" not in "".join(table)
    # What is altered within an archive is named by the archive.
    (pair[1] / "model.tflite").write_bytes(b"another")
    (tmp_path / "bad.zip").write_bytes(packed(pair[1]))
    bad = ewaste("install", tmp_path / "bad.zip", "--state", state)
    assert bad.returncode == 3 and f"{tmp_path}/bad.zip/model.tflite: altered" in bad.stderr
    assert sorted(each.name for each in state.iterdir()) == ["bundles"]


def test_with_nothing_installed_the_list_says_so(tmp_path: Path) -> None:
    assert ewaste("bundles", "--json", "--state", tmp_path).stdout == "[]\n"
    assert "nothing is installed" in ewaste("bundles", "--state", tmp_path).stdout
