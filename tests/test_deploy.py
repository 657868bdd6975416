"""deploy.py against a real sshd: what a board gets in one line, and each failure by name."""

import getpass
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from convert.board import ASK, Board, remote_path
from convert.deploy import Deployed, deploy
from convert.ssh import Login, parse_login, ssh_command
from edge.bundle.bundle import load_bundle
from edge.bundle.packed import pack
from edge.bundle.signature import make_key
from edge.cli import app
from edge.errors import BadInput, EwasteError, Refused
from tests.support.bundles import reseal, sign_bundle
from tests.support.servers import free_port
from tests.support.ssh_server import SSHD, CutCable, SshBoard, SshServer, make_ssh_key
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests/data/tiny-bundle"
OLD, NEW = "2026-05-01T12:00:00Z", "2026-06-01T12:00:00Z"
USER = getpass.getuser()
TO = f"{USER}@127.0.0.1"
pytestmark = pytest.mark.e2e


def bundle(folder: Path, name: str, created: str) -> Path:
    made = Path(shutil.copytree(TINY, folder / name))
    reseal(made, name=name.split()[0], created=created)
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    if SSHD is None:
        pytest.skip("no sshd (apt install openssh-server)")
    served = SshServer(tmp_path_factory.mktemp("ssh") / "server")
    served.start()
    yield served
    served.kill()


@pytest.fixture
def board(tmp_path: Path) -> SshBoard:
    """A board that runs the old bundle."""
    made = SshBoard(tmp_path / "board")
    old = bundle(tmp_path, "old", OLD)
    app(["install", str(old), "--config", str(made.config)], standalone_mode=False)
    assert made.runs == "old"
    return made


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return bundle(tmp_path, "new $(touch pwned) `touch pwned`; 'it' \x1b[31m", NEW)


def run_deploy(server: SshServer, board: SshBoard, *words: object) -> subprocess.CompletedProcess:
    places = {
        "--port": server.port,
        "--identity": server.identity,
        "--known-hosts": server.known_hosts,
        "--program": board.program,
        "--config": board.config,
        "--scratch": board.scratch,
    }
    given = [word for pair in places.items() for word in pair]
    command = [sys.executable, ROOT / "convert/deploy.py", *given, *words]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=ROOT)


def deploy_to(server: SshServer, board: SshBoard, bundle: Path, **changes: object) -> Deployed:
    """Deploy within this process; `changes` are other values of a login or of a board."""
    login = Login(USER, "127.0.0.1", server.port, server.identity, server.known_hosts)
    login = replace(login, **{name: changes.pop(name) for name in {*vars(login)} & {*changes}})
    there = Board(
        login=login,
        program=str(board.program),
        sudo=True,
        options=("--config", str(board.config)),
        state=str(board.state),
        scratch=str(board.scratch),
        seconds=300,
    )
    return deploy(load_bundle(bundle), replace(there, **changes), bundle, [])


def fails(
    kind: type[EwasteError],
    match: str,
    server: SshServer,
    board: SshBoard,
    bundle: Path,
    **changes: object,
) -> None:
    """It says in one line what was wrong, and the board is as it was."""
    with pytest.raises(kind, match=match) as caught:
        deploy_to(server, board, bundle, **changes)
    assert type(caught.value) is kind and "\n" not in str(caught.value), caught.value
    wait_until(lambda: board.left == [])
    assert board.runs == "old"


def test_a_bundle_comes_into_use_and_the_board_tells_its_figures(server, board, new):
    done = run_deploy(server, board, new, TO)
    assert done.returncode == 0, done.stderr
    lines = [line.partition("127.0.0.1: ")[2] for line in done.stdout.splitlines()]
    assert lines[0].startswith("ewaste-edge ")
    assert lines[1] == f"{board.state}/bundles/2: new, in use"
    assert lines[2].startswith("model: ") and "px" in lines[2]
    assert lines[3].startswith("golden outputs: ") and "steps off" in lines[3]
    assert lines[4].startswith("speed: ") and lines[4].endswith("ms an image")
    assert board.runs == "new" and board.left == [] and not (ROOT / "pwned").exists()


def test_a_packed_bundle_into_another_state_folder_with_figures_as_json(
    server, board, new, tmp_path
):
    archive, state = tmp_path / "new.zip", board.folder / "other"
    archive.write_bytes(pack(load_bundle(new).contents))
    done = run_deploy(server, board, "--json", "--state", state, archive, TO)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["checks"]["ok"] and figures["checks"]["digest"] == load_bundle(new).digest
    assert figures["checks"]["checks"]["golden outputs"]["passed"] and board.runs == "old"
    assert (state / "bundles/current/manifest.json").exists() and board.left == []


def test_what_is_wrong_here_is_one_line_before_ssh_is_asked(server, board, new, tmp_path):
    make_key(tmp_path / "key")
    sign_bundle(new, tmp_path / "key")
    signature = (new / "manifest.sig").read_text()
    signer, _, _ = signature.partition(" ")
    (new / "manifest.sig").write_text(f"{signer} {'A' * 86}==\n")
    for code, named, words in (
        (3, "manifest.sig: not of this manifest", (new, TO)),
        (2, "not a bundle", (tmp_path, TO)),
        (2, "give user@host", ("--", new, "-oProxyCommand=touch pwned")),
        (2, "--scratch '-rf': give an absolute path", ("--scratch", "-rf", new, TO)),
        (2, "no such file", ("--identity", tmp_path / "gone", TINY, TO)),
    ):
        done = run_deploy(server, board, *words)
        assert done.returncode == code and done.stderr.count("\n") == 1, done.stderr
        assert named in done.stderr and done.stdout == "" and not (ROOT / "pwned").exists()


@pytest.mark.parametrize("case", ["other host key", "no host key", "user", "key", "port", "host"])
def test_who_cannot_log_in_gets_one_line(case, server, board, new, tmp_path):
    other = make_ssh_key(tmp_path / "other")
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:* {(tmp_path / 'other.pub').read_text()}")
    (tmp_path / "empty").touch()
    changes, named = {
        "other host key": ({"known_hosts": known}, "its host key is not the known one"),
        "no host key": ({"known_hosts": tmp_path / "empty"}, "its host key is not known"),
        "user": ({"user": "nobody"}, "does not let this user in"),
        "key": ({"identity": other}, "does not let this user in"),
        "port": ({"port": free_port()}, "Connection refused"),
        "host": ({"host": "board.invalid"}, "cannot be reached"),
    }[case]
    fails(EwasteError, named, server, board, new, **changes)


def test_a_board_without_its_program_or_folders(server, board, new):
    gone = str(board.folder / "gone")
    fails(EwasteError, f"no program at {gone}", server, board, new, program=gone)
    fails(BadInput, f"no folder {gone}", server, board, new, scratch=gone)
    fails(BadInput, f"{gone}.*cannot be read", server, board, new, options=("--config", gone))


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("yes '\x1b]0;title\x07'", "answers more than"),
        ("echo 'sudo: a password is required' >&2; exit 1", "sudo does not run"),
        ("printf 'error: \\033[31mred\\n' >&2; exit 1", r"\?\[31mred"),
        ("echo ewaste-edge", "does not run there"),
        (f'[ "$1" = verify ] && echo {"[" * 10_000}; echo ewaste-edge 0.1.0', "otherwise than"),
        ("exit 255", "does not run there"),
        ('[ "$1" = install ] && exec sleep 5; echo ewaste-edge 0.1.0', "no answer within 4 s"),
    ],
)
def test_what_a_board_answers_is_bounded_and_no_escape_reaches_the_terminal(
    line, named, server, board, new
):
    board.write_program(line)
    seconds = 2 if "sleep" in line else 60
    with pytest.raises(EwasteError, match=named) as caught:
        deploy_to(server, board, new, seconds=seconds)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600
    wait_until(lambda: board.left == [], seconds=30)
    assert board.runs == "old"


def test_older_bundles_and_bad_signatures_are_refused_by_the_board(server, board, new, tmp_path):
    older = bundle(tmp_path, "older", "2026-04-01T12:00:00Z")
    fails(
        Refused, f"@127.0.0.1: {older}: converted 2026-04-01 .* with --older", server, board, older
    )
    make_key(tmp_path / "key")
    make_key(tmp_path / "other")
    trusted = sign_bundle(new, tmp_path / "key")
    board.configure(f'[trust]\nkeys = ["{trusted}"]')
    sign_bundle(new, tmp_path / "other")
    fails(Refused, "signed by an untrusted key", server, board, new)
    (new / "manifest.sig").unlink()
    fails(Refused, "manifest.sig: missing", server, board, new)
    sign_bundle(new, tmp_path / "key")
    assert deploy_to(server, board, new).checks.ok and board.runs == "new"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Mounts small disks, and takes them off."""
    mounted: list[Path] = []

    def mount(name: str, options: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no disk can be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_of_the_board(server, board, new, small_disk, injected):
    tight, nameless = small_disk("tight", "size=64k"), small_disk("nameless", "nr_inodes=1")
    fails(EwasteError, "MB are free, .* room there", server, board, new, scratch=str(tight))
    fails(EwasteError, "MB are free, .* room there", server, board, new, state=str(tight))
    full = "No space left on device"
    fails(EwasteError, f"copied there .*{full}", server, board, new, scratch=str(nameless))
    options = ("--config", str(board.config), "--state", str(tight / "state"))
    fails(EwasteError, full, server, board, new, options=options)
    assert [*nameless.iterdir()] == [] and not (tight / "state/bundles/current").exists()
    injected("board's disk full, deploy.py", "one line, the old bundle runs, no copy left")


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_connection_that_is_cut_while_the_bundle_is_copied(share, server, board, new, injected):
    archive = pack(load_bundle(new).contents)
    assert len(archive) > 50_000
    cable = CutCable(server.port, 8_000 + int(share * len(archive)))
    fails(EwasteError, "cut before the bundle was copied", server, board, new, port=cable.port)
    cable.close()
    assert cable.cuts == 1
    injected("cable to the board cut, deploy.py", "one line, the old bundle runs, no copy left")


def test_a_connection_that_is_cut_while_the_board_installs(server, board, new):
    line = board.program.read_text().splitlines()[1]
    board.write_program(f'[ "$1" = install ] && kill -9 $(ps -o ppid= -p $PPID); {line}')
    with pytest.raises(EwasteError, match="the old bundle or the new one, whole"):
        deploy_to(server, board, new)
    wait_until(lambda: board.runs == "new" and board.left == [], seconds=120)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("given", "called"), [("sudo -n", ["-n"]), ("", [])])
def test_who_is_not_root_runs_the_program_by_sudo(given, called, tmp_path):
    board = SshBoard(tmp_path / "board")
    board.write_program('echo "ewaste-edge 0.1.0 $CALLED"')
    sudo = tmp_path / "bin/sudo"
    sudo.parent.mkdir()
    sudo.write_text('#!/bin/sh\nCALLED="$*"\nexport CALLED\nshift\nexec "$@"\n')
    sudo.chmod(0o755)
    for folder in (board.folder, *board.folder.parents[:-2]):
        folder.chmod(0o755)
    command = ["setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c", ASK, "ewaste-deploy"]
    command += [str(board.program), given, str(board.scratch), str(board.state)]
    path = {"PATH": f"{sudo.parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, env=path)
    assert done.returncode == 0, done.stderr
    words = [*called, str(board.program), "--version"] if called else []
    assert done.stdout.splitlines()[0].split() == ["ewaste-edge", "0.1.0", *words]


HOSTILE_LOGINS = (
    "-oProxyCommand=touch pwned",
    "-oProxyCommand=x@host",
    "root@-oProxyCommand=x",
    "a b@host",
    "root@host name",
    "root@host\n",
    "root@host;id",
    "$(id)@host",
    "ssh://root@host",
    "",
    "root@",
    "@host",
    "root@h" + "o" * 300,
)


@pytest.mark.parametrize("text", HOSTILE_LOGINS)
def test_a_hostile_board_is_refused_before_ssh_sees_it(text: str) -> None:
    with pytest.raises(BadInput, match=r"give user@host") as caught:
        parse_login(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["board", "pi@board.local", "pi@10.0.0.7", "pi@fe80::1%eth0"])
def test_plain_boards_are_taken(text: str) -> None:
    user, host = parse_login(text)
    assert text == (f"{user}@{host}" if user else host)


@pytest.mark.parametrize("path", ["relative", "-rf", "", "/a\nb", "/\x1b[31m", "/" + "a" * 4000])
def test_hostile_paths_on_the_board_are_refused(path: str) -> None:
    with pytest.raises(BadInput, match="--state .*: give an absolute path on the board"):
        remote_path(path, "--state")


def test_host_keys_are_always_checked_and_nothing_is_asked_for() -> None:
    words = ssh_command(Login("pi", "board"), 'printf %s "$1"', ("a 'b' $(id)",))
    assert "StrictHostKeyChecking=yes" in words and "BatchMode=yes" in words
    assert words[-3:-1] == ["--", "pi@board"]
    done = subprocess.run(["sh", "-c", words[-1]], capture_output=True, text=True)
    assert done.stdout == "a 'b' $(id)"
