"""Programs from a repository, over HTTP on loopback: what boards take, and each attack by name."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("tuf")

from convert.program import read_program
from convert.repository import promote, publish
from edge.errors import BadInput, EwasteError, Refused
from edge.setup.kit import LIST
from edge.standstill import BeltRest
from edge.update import program_offer
from edge.update.offer import Ring
from edge.update.program_history import ProgramStanding
from tests.support.program_board import ProgramBoard, upstream_of
from tests.support.programs import BUILT, COMMON, PURE, make_kit, make_wheel
from tests.support.repositories import place_in
from tests.support.web_server import WebServer, bytes_of, seconds_of

ROOT = Path(__file__).parents[1]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("no_proxy", "*")
    (tmp_path / "repository").mkdir()
    served = WebServer(tmp_path / "repository")
    yield served
    served.close()


@pytest.fixture
def board(tmp_path: Path, server: WebServer) -> ProgramBoard:
    """A canary board whose line runs 0.1.0, and whose repository offers 0.2.0."""
    offer(tmp_path, "0.2.0")
    shutil.copyfile(tmp_path / "repository/metadata/1.root.json", tmp_path / "root.json")
    found = ProgramBoard(tmp_path / "root")
    found.set_up(make_wheel(tmp_path / "first", "0.1.0", ""))
    return found


def offer(folder: Path, version: str, ring: Ring = Ring.CANARY, **of_kit: object) -> None:
    kit = make_kit(folder / f"kit-{version}", version, **of_kit)
    publish(place_in(folder), program=read_program(kit), ring=ring)


def visit(
    board: ProgramBoard, server: WebServer, patience_s: float = 0.0, **changes: object
) -> str:
    folder = board.places.root.parent
    upstream = upstream_of(server.url, folder / "root.json", folder / "unused", **changes)
    return board.visit(upstream, patience_s)


def fetched(server: WebServer) -> list[str]:
    """The files of programs that were asked for since the last time."""
    names = [path.rpartition("/")[2].partition(".")[2] for path in server.asked]
    server.asked.clear()
    return [name for name in names if name.startswith("file-")]


def test_a_board_takes_a_newer_program_once_and_fetches_what_it_lacks(board, server, tmp_path):
    assert visit(board, server) == "program 0.2.0: in use"
    assert board.version == "0.2.0" and len(fetched(server)) == 4
    assert visit(board, server).endswith("ring canary: program 0.2.0, in use already")
    assert not fetched(server)
    offer(tmp_path, "0.3.0")
    assert visit(board, server) == "program 0.3.0: in use"
    assert len(fetched(server)) == 2, "the program, and the wheel that changed"
    promote(place_in(tmp_path))
    assert visit(board, server, ring=Ring.ALL).endswith("program 0.3.0, in use already")


def test_a_board_takes_only_what_its_own_ring_offers(board, server):
    assert visit(board, server, ring=Ring.ALL).endswith("ring all: offers no program yet")
    assert board.version == "0.1.0" and not fetched(server)


def test_it_waits_for_the_belt_with_all_made_ready(board, server):
    board.belt = BeltRest.MOVES
    board.wait(1)
    assert visit(board, server, patience_s=60).endswith("0.2.0, waits until the belt stands")
    assert board.version == "0.1.0"
    assert board.board.history.last.standing is ProgramStanding.WAITING
    fetched(server)
    board.belt = BeltRest.STANDS
    board.wait(1)
    assert visit(board, server) == "program 0.2.0: in use" and not fetched(server)


def test_one_that_was_gone_back_from_is_not_taken_again_and_the_next_one_is(
    board, server, tmp_path
):
    board.faults["0.2.0"] = "frozen"
    with pytest.raises(Refused, match="gone back from.*no frames moved"):
        visit(board, server)
    fetched(server)
    with pytest.raises(Refused, match="0.2.0: was tried here and gone back from"):
        visit(board, server)
    assert not fetched(server) and board.version == "0.1.0"
    assert "was tried here" in board.board.history.failed.why
    offer(tmp_path, "0.2.1")
    assert visit(board, server) == "program 0.2.1: in use"
    assert board.board.history.failed is None


def refuses(board: ProgramBoard, server: WebServer, kind: type, match: str, **changes) -> None:
    """It takes nothing, says why in one line, and leaves the program and its history alone."""
    before, history = board.places.program.resolve(), board.board.history
    with pytest.raises(EwasteError, match=match) as caught:
        visit(board, server, **changes)
    assert type(caught.value) is kind and "\n" not in str(caught.value)
    assert board.places.program.resolve() == before and board.is_whole()
    assert board.board.history.trial is None and board.board.history.last == history.last


def file_of(folder: Path, content: bytes) -> Path:
    """The target with this content."""
    targets = folder / "repository/targets"
    return next(path for path in targets.iterdir() if path.read_bytes() == content)


def test_a_tampered_wheel_is_refused(board, server, tmp_path):
    file_of(tmp_path, COMMON).write_bytes(COMMON[:-1] + b"!")
    refuses(board, server, Refused, "a file is not the one that was signed")
    assert not (board.places.updates / "kit" / LIST).exists()
    file_of(tmp_path, COMMON[:-1] + b"!").write_bytes(COMMON)
    assert visit(board, server) == "program 0.2.0: in use"


def test_a_wheel_that_is_missing_comes_with_the_next_visit(board, server, tmp_path):
    path = file_of(tmp_path, COMMON)
    path.rename(tmp_path / "away")
    refuses(board, server, EwasteError, "does not serve it .HTTP status 404")
    (tmp_path / "away").rename(path)
    fetched(server)
    assert visit(board, server) == "program 0.2.0: in use" and len(fetched(server)) < 4


def test_endless_data_end_at_the_length_that_was_signed(board, server):
    for ending in (".whl", "program-canary.json", "timestamp.json"):
        server.answers[ending] = server.endless
        refuses(board, server, Refused, "sends more bytes than were signed")
        server.answers.clear()
    assert server.sent < 10**9


def test_a_server_that_is_slow_is_given_up(board, server):
    for answer in (server.silent, server.dripping):
        server.answers[".whl"] = answer
        took = seconds_of(
            lambda: refuses(board, server, EwasteError, "too slow, given up", timeout_s=2.0)
        )
        assert took < 20
    server.answers.clear()


def test_a_file_of_a_ring_that_somebody_else_wrote_is_refused(board, server):
    server.answers["program-canary.json"] = bytes_of(b'{"version": "9.0.0"}')
    refuses(board, server, Refused, "a file is not the one that was signed")


def test_an_older_program_is_refused_also_when_it_is_signed(board, server, tmp_path):
    shutil.rmtree(tmp_path / "repository/targets")
    shutil.rmtree(tmp_path / "repository/metadata")
    offer(tmp_path, "0.0.9")
    root = next((tmp_path / "repository/metadata").glob("*.root.json"))
    shutil.copyfile(root, tmp_path / "root.json")
    refuses(board, server, Refused, "0.0.9: is older than 0.1.0, which is in use")
    assert not fetched(server)


def test_older_metadata_are_refused(board, server, tmp_path):
    shutil.copytree(tmp_path / "repository", tmp_path / "before")
    offer(tmp_path, "0.3.0")
    visit(board, server)
    shutil.copyfile(
        tmp_path / "before/metadata/timestamp.json", tmp_path / "repository/metadata/timestamp.json"
    )
    refuses(board, server, Refused, "older than what this board has seen")


def test_a_kit_for_another_architecture_is_refused(board, server, tmp_path):
    wheels = {PURE: COMMON, BUILT.replace("aarch64", "x86_64"): b"other"}
    offer(tmp_path, "0.3.0", wheels=wheels, platform="x86_64")
    refuses(board, server, Refused, "0.3.0: for x86_64-3.11, and this is aarch64-3.11")
    assert not fetched(server)


def test_one_that_does_not_take_the_configuration_is_refused_before_the_exchange(board, server):
    board.faults["0.2.0"] = "check"
    board.device.commands.clear()
    refuses(board, server, Refused, "does not take the configuration here .*no such key")
    assert not any("restart" in each for each in board.device.commands)


def test_more_than_a_board_has_room_for_is_refused(board, server, monkeypatch):
    monkeypatch.setattr("edge.program.staging.MOST_PROGRAM_BYTES", 1000)
    refuses(board, server, Refused, "program 0.2.0: more than 0 MB")
    monkeypatch.setattr("edge.update.repository.MOST_FILE_BYTES", 1000)
    refuses(board, server, Refused, "bytes, more than 1,000")
    assert program_offer.MOST_FILE_BYTES < program_offer.MOST_PROGRAM_BYTES


def test_a_root_that_is_none_is_bad_input(board, server, tmp_path):
    (tmp_path / "root.json").write_text("{}")
    with pytest.raises(BadInput, match="no root metadata of a repository"):
        visit(board, server)


def why_not_nobody() -> str:
    """Why no process can be started as nobody; empty when it can."""
    if os.geteuid() != 0:
        return "only root can give rights up"
    try:
        subprocess.run([sys.executable, "-c", ""], user="nobody", check=True)
    except (OSError, KeyError, subprocess.SubprocessError):
        return "nobody may not run this Python"
    return ""


@pytest.mark.skipif(bool(why_not_nobody()), reason=why_not_nobody() or "can be started")
def test_who_fetches_for_root_is_another_user(tmp_path):
    """The process that speaks to the network has neither root's user nor its groups."""
    from edge.update.fetched_apart import fetched_apart

    with fetched_apart(5.0, "nobody") as fetcher:
        status = Path(f"/proc/{fetcher._process.pid}/status").read_text()
        rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert "0" not in rows["Uid"].split() and "0" not in rows["Gid"].split()
        assert not rows["Groups"].split() and int(rows["CapEff"], 16) == 0
        path = tmp_path / "secret"
        path.write_bytes(b"secret")
        path.chmod(0o600)
        with pytest.raises(Exception, match="Permission denied"):
            list(fetcher.fetch(path.as_uri()))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["", "frozen"])
def test_killed_at_random_moments_a_whole_program_is_in_use(board, server, tmp_path, fault):
    """A process is killed with SIGKILL while it fetches, installs, exchanges, and goes back."""
    rng = random.Random(7)
    program = ROOT / "tests/support/program_board.py"
    faults = json.dumps({"0.2.0": fault})
    command = [sys.executable, program, board.places.root, tmp_path / "repository", faults]
    moments = []
    began = time.monotonic()
    while len(moments) < 10 and time.monotonic() - began < 120:
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        for _ in range(rng.randint(0, 30)):
            process.stdout.readline()
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.wait()
        process.stdout.close()
        assert board.is_whole(), "a half-made program is in use"
        history = board.board.history
        moments.append(history.trial and (history.trial.returning or board.version))
        if history.last is not None and history.trial is None:
            break
    board.faults["0.2.0"] = fault
    board.start()
    try:
        visit(board, server)
    except Refused as error:
        assert fault or "interrupted 3 times" in str(error) or "was tried here" in str(error)
    history = board.board.history
    passed = history.last.standing is ProgramStanding.PASSED
    assert history.trial is None and passed is not bool(history.refused)
    assert passed or fault or "interrupted 3 times" in history.last.why
    assert board.version == ("0.2.0" if passed else "0.1.0") and board.is_whole()
    assert board.places.program.resolve() == board.places.proven.resolve()
    print(f"killed {len(moments)} times; in use on trial: {moments}")
