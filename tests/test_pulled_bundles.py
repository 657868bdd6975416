"""Bundles from a repository, over HTTP on loopback: what a board takes, and each attack by name."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

pytest.importorskip("tuf")

from convert.repository import Place, promote, publish, rotate
from convert.role_keys import KeyFolders
from convert.roles import DAYS, Role
from edge.bundle.bundle import load_bundle
from edge.bundle.install import CURRENT, current_number, roll_back
from edge.bundle.signature import make_key
from edge.cli import app
from edge.config import read_config
from edge.errors import BadInput, EwasteError, Refused
from edge.update.outcome import OUTCOME_NAME, failed_visit
from edge.update.upstream import upstream_of, visited
from tests.support.bundles import reseal
from tests.support.web_server import WebServer, bytes_of, seconds_of

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests/data/tiny-bundle"
OLD, NEW = "2026-05-01T12:00:00Z", "2026-06-01T12:00:00Z"


def now() -> datetime:
    return datetime.now(timezone.utc)


def place(folder: Path, **changes: object) -> Place:
    keys = KeyFolders(online=folder / "keys", root=folder / "keys/root")
    return replace(Place(folder / "repository", keys, now(), DAYS), **changes)


def bundle(folder: Path, name: str, created: str):
    made = Path(shutil.copytree(TINY, folder / name))
    reseal(made, name=name, created=created)
    return load_bundle(made)


@pytest.fixture
def old(tmp_path):
    return bundle(tmp_path, "old", OLD)


@pytest.fixture
def new(tmp_path):
    return bundle(tmp_path, "new", NEW)


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[WebServer]:
    monkeypatch.setenv("no_proxy", "*")
    (tmp_path / "repository").mkdir()
    served = WebServer(tmp_path / "repository")
    yield served
    served.close()


class Board:
    """A board with a configuration and a state of its own."""

    def __init__(self, folder: Path, url: str, ring: str = "canary", timeout_s: float = 60) -> None:
        folder.mkdir()
        self.folder, self.state = folder, folder / "state"
        self.config = folder / "line.toml"
        self.root = folder / "root.json"
        self.sections = {"repository": url, "ring": ring, "timeout_s": timeout_s}
        self.write()

    def write(self, trust: str = "", **changes: object) -> None:
        self.sections |= {"root": str(self.root), **changes}
        rows = "\n".join(f"{key} = {json.dumps(each)}" for key, each in self.sections.items())
        self.config.write_text(f'state = "{self.state}"\n{trust}\n[update]\n{rows}\n')

    def trust(self, repository: Path) -> "Board":
        shutil.copyfile(repository / "metadata/1.root.json", self.root)
        return self

    def update(self) -> None:
        app(["update", "--config", str(self.config)], standalone_mode=False)

    @property
    def runs(self) -> str | None:
        """The name of the bundle in use."""
        manifest = self.state / "bundles" / CURRENT / "manifest.json"
        return json.loads(manifest.read_text())["name"] if manifest.exists() else None

    def refuses(self, kind: type[EwasteError], match: str) -> None:
        """It takes nothing, says why in one line, and leaves nothing of it behind."""
        before = self.runs
        with pytest.raises(kind, match=match) as caught:
            self.update()
        assert type(caught.value) is kind and "\n" not in str(caught.value), caught.value
        assert self.runs == before
        left = {path.name for path in (self.state / "update").iterdir()}
        assert left <= {"metadata", OUTCOME_NAME}, left


@pytest.fixture
def board(tmp_path, server, old) -> Board:
    """A canary board whose repository has the old bundle."""
    publish(place(tmp_path), old)
    return Board(tmp_path / "board", server.url).trust(tmp_path / "repository")


def test_a_ring_gets_its_bundle_once_and_all_get_it_by_promotion(
    tmp_path, server, board, new, capsys
):
    board.update()
    assert board.runs == "old" and "old, in use" in capsys.readouterr().out
    fetched = [path for path in server.asked if "bundle-" in path]
    board.update()
    assert (
        "in use already" in capsys.readouterr().out and current_number(board.state / "bundles") == 1
    )
    assert [path for path in server.asked if "bundle-" in path] == fetched, "fetched again"

    other = Board(tmp_path / "other", server.url, ring="all").trust(tmp_path / "repository")
    other.update()
    assert other.runs is None and "ring all: offers nothing yet" in capsys.readouterr().out
    promote(place(tmp_path))
    publish(place(tmp_path), new)
    board.update()
    other.update()
    assert (board.runs, other.runs) == ("new", "old")
    promote(place(tmp_path))
    other.update()
    assert other.runs == "new"


def test_a_folder_serves_as_well_as_a_server(tmp_path, board):
    board.write(repository=f"file://{tmp_path}/repository")
    board.update()
    assert board.runs == "old"
    board.write(repository=f"file://{tmp_path}/nowhere")
    board.refuses(EwasteError, "HTTP status 404")


def test_a_tampered_target(tmp_path, server, board):
    for ending in (".zip", ".canary.json"):
        (path,) = (tmp_path / "repository/targets").glob(f"*{ending}")
        content = path.read_bytes()
        server.answers[ending] = bytes_of(content[:-1] + bytes([content[-1] ^ 1]))
        board.refuses(Refused, "a file is not the one that was signed")
        del server.answers[ending]
    board.update()
    assert board.runs == "old"


def test_an_older_repository(tmp_path, server, board, new):
    """Rollback: metadata that were valid, and are so still, but older than what was seen."""
    repository = tmp_path / "repository"
    timestamp = repository / "metadata/timestamp.json"
    before = timestamp.read_bytes()
    publish(place(tmp_path), new)
    board.update()
    server.answers["timestamp.json"] = bytes_of(before)
    board.refuses(Refused, "older than what this board has seen")
    assert board.runs == "new"


def test_an_older_bundle(tmp_path, server, board, old, new):
    """It is refused before it is fetched; nor does the publisher let a ring go back."""
    promote(place(tmp_path))
    publish(place(tmp_path), new)
    board.update()
    board.write(ring="all")
    asked = len(server.asked)
    board.refuses(Refused, "converted 2026-05-01 12:00:00, before the one in use")
    assert not any("bundle-" in path for path in server.asked[asked:])
    with pytest.raises(Refused, match="boards take no older one"):
        publish(place(tmp_path), old)


@pytest.mark.parametrize("role", list(Role))
def test_expired_metadata(tmp_path, server, old, role):
    days = {**dict.fromkeys(Role, 365.0), role: 1.0}
    publish(place(tmp_path, now=now() - timedelta(days=2), days=days), old)
    board = Board(tmp_path / "board", server.url).trust(tmp_path / "repository")
    board.refuses(Refused, "what it serves has expired")
    publish(place(tmp_path))
    board.update()
    assert board.runs == "old"


def test_a_freeze(tmp_path, server, old):
    """The server goes on serving what was valid, and hides what came after."""
    days = {**DAYS, Role.TIMESTAMP: 6 / 86_400}
    publish(place(tmp_path, days=days), old)
    began = time.monotonic()
    board = Board(tmp_path / "board", server.url).trust(tmp_path / "repository")
    board.update()
    assert board.runs == "old"
    time.sleep(max(0.0, 7.5 - (time.monotonic() - began)))
    board.refuses(Refused, "what it serves has expired: it is held back")


def test_a_wrong_key(tmp_path, server, board, new):
    """Somebody else's metadata on the same server: a whole repository, or single files of it."""
    other = tmp_path / "somebody"
    publish(place(other), new)
    files = {path.name: path for path in (other / "repository/metadata").iterdir()}
    server.answers["timestamp.json"] = bytes_of(files["timestamp.json"].read_bytes())
    board.refuses(Refused, "not signed by the keys that this board trusts")
    server.answers["2.root.json"] = bytes_of(files["1.root.json"].read_bytes())
    board.refuses(Refused, "not signed by the keys that this board trusts")
    server.answers.clear()
    Board(tmp_path / "outsider", server.url).trust(other / "repository").refuses(
        Refused, "not signed by the keys"
    )


@pytest.mark.parametrize("ending", ["/timestamp.json", "/2.root.json", ".targets.json", ".zip"])
def test_endless_data(server, board, ending):
    server.answers[ending] = server.endless
    assert seconds_of(lambda: board.refuses(Refused, "more bytes than were signed")) < 30
    assert server.sent < 16 * 2**20, "much was read before it was refused"


@pytest.mark.parametrize("way", ["silent", "dripping", "dripping_head"])
@pytest.mark.parametrize("ending", ["/timestamp.json", ".zip"])
def test_a_slow_or_hanging_server(server, board, way, ending):
    server.answers[ending] = getattr(server, way)
    board.write(timeout_s=2.0)
    assert seconds_of(lambda: board.refuses(EwasteError, "too slow, given up after 2 s")) < 15
    server.answers.clear()
    board.write(timeout_s=60.0)
    board.update()
    assert board.runs == "old"


def test_two_years_switched_off(tmp_path, server, old, new, monkeypatch):
    """The root keys change every week meanwhile; each new one is vouched for by the one before."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    began = now() - timedelta(days=730)
    publish(place(tmp_path, now=began), old)
    board = Board(tmp_path / "board", server.url).trust(tmp_path / "repository")
    for week in range(1, 105):
        rotate(place(tmp_path, now=began + timedelta(weeks=week)), [Role.ROOT])
    rotate(place(tmp_path), [Role.TARGETS, Role.SNAPSHOT, Role.TIMESTAMP])
    publish(place(tmp_path), new)
    board.update()
    assert board.runs == "new"
    assert [path for path in server.asked if "root" in path] == [
        f"/metadata/{version}.root.json" for version in range(2, 108)
    ]
    server.asked.clear()
    board.update()
    assert [path for path in server.asked if "root" in path] == ["/metadata/107.root.json"]


def test_stolen_online_keys(tmp_path, server, board, new):
    """A thief runs the versions up, so that boards would refuse what comes after."""
    thief, served = tmp_path / "thief", tmp_path / "repository"
    shutil.copytree(served, thief / "repository")
    shutil.copytree(tmp_path / "keys", thief / "keys", ignore=shutil.ignore_patterns("root"))
    for day in range(5):
        far = {**DAYS, Role.SNAPSHOT: 1.0 + day, Role.TARGETS: 1.0 + day}
        publish(place(thief, now=now() + timedelta(days=day), days=far))
    own = Path(shutil.copytree(served, tmp_path / "own"))
    shutil.copytree(thief / "repository", served, dirs_exist_ok=True)
    board.update()
    shutil.rmtree(served)
    shutil.copytree(own, served)
    board.refuses(Refused, "older than what this board has seen")
    rotate(place(tmp_path), [Role.TARGETS, Role.SNAPSHOT, Role.TIMESTAMP])
    publish(place(tmp_path), new)
    board.update()
    assert board.runs == "new"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 10_000, b'{"signed": 1e999}', b"\xff\xfe", b"null"]
)
def test_malformed_metadata(server, board, content):
    server.answers["timestamp.json"] = bytes_of(content)
    board.refuses(Refused, "its metadata are malformed")


def test_a_connection_that_breaks_off_and_a_server_that_fails(server, board):
    server.answers[".zip"] = bytes_of(b"half", length=1000)
    board.refuses(EwasteError, "does not serve it")
    server.answers[".zip"] = lambda handler: handler.send_error(500)
    board.refuses(EwasteError, "HTTP status 500")
    server.close()
    board.refuses(EwasteError, "does not serve it")


def test_a_bundle_that_was_left_is_not_fetched_again(tmp_path, server, board, new):
    board.update()
    publish(place(tmp_path), new)
    board.update()
    roll_back(board.state / "bundles", threads=1, why="40 of 50 items unknown")
    asked = len(server.asked)
    board.refuses(Refused, r"was left \(40 of 50 items unknown\)")
    visit = failed_visit(board.state / "update")
    assert visit is not None and "40 of 50 items unknown" in visit.why
    assert board.runs == "old" and not any("bundle-" in path for path in server.asked[asked:])


def test_two_updates_do_not_work_at_once(board):
    with visited(upstream_of(read_config(board.config))):
        board.refuses(BadInput, "another update is at work")
    board.update()
    assert board.runs == "old"


def test_it_is_verified_like_any_install(tmp_path, board):
    """The keys of a repository are no keys of bundles."""
    public = make_key(tmp_path / "bundles.pem")
    board.write(trust=f'[trust]\nkeys = ["{public}"]')
    board.refuses(Refused, "only bundles signed by a trusted key are accepted")


def test_what_cannot_be_used_is_named_in_one_line(tmp_path, server, board):
    board.root.write_text("{}")
    board.refuses(BadInput, "no root metadata of a repository")
    board.root.unlink()
    board.refuses(BadInput, r"root.json: cannot be read .*copy metadata/1.root.json")
    board.config.write_text(f'state = "{board.state}"\n')
    with pytest.raises(BadInput, match=r"set \[update\] repository and root"):
        board.update()
    board.write()
    program = "import sys; sys.modules['tuf'] = None; from edge.cli import main; main()"
    command = [sys.executable, "-c", program, "update", "--config", str(board.config)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "updates need python-tuf, which is missing; run: pip install" in done.stderr
