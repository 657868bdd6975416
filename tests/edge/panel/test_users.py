"""The file of users, and the commands that write it."""

import asyncio
import json
import os
import pty
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge.config import PanelConfig
from edge.errors import BadInput
from edge.panel.accounts import LOOK_SECONDS, Accounts, accounts_of, require_account
from edge.panel.door import Door
from edge.panel.posted import NotDone
from edge.panel.users import (
    MOST_USERS,
    Role,
    User,
    Users,
    configured_user,
    make_user,
    read_users,
    write_users,
)
from edge.panel.visitor import Visitor

ROOT = Path(__file__).parents[3]
PASSWORD = "grüner Tee"
USER = make_user("Anna Ö.", Role.OPERATOR, PASSWORD)


def user(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "edge.cli", "user", *arguments, "--state", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60
    )


def test_users_are_added_listed_changed_and_removed(tmp_path):
    state = tmp_path / "state"
    added = user(state, "add", "anna", "--role", "operator", stdin="green tea\n")
    assert (added.returncode, added.stderr) == (0, "")
    assert user(state, "add", "bert", "--role", "viewer", stdin="black tea\r\n").returncode == 0
    path = state / "users.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "tea" not in path.read_text()
    anna = read_users(path).require("anna")
    assert anna.accepts("green tea") and not anna.accepts("black tea")
    assert read_users(path).require("bert").accepts("black tea")

    assert user(state, "passwd", "anna", stdin="white tea\n").returncode == 0
    assert user(state, "role", "bert", "--role", "admin").returncode == 0
    changed = read_users(path).require("anna")
    assert changed.accepts("white tea") and not changed.accepts("green tea")
    assert changed.salt != anna.salt and changed.role is Role.OPERATOR
    listed = user(state, "list", "--json")
    assert json.loads(listed.stdout) == [
        {"name": "anna", "role": "operator"},
        {"name": "bert", "role": "admin"},
    ]
    assert user(state, "remove", "anna").returncode == 0
    assert [each.name for each in read_users(path).users] == ["bert"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "reason"),
    [
        (("add", "anna", "--role", "viewer"), "green tea\n", "user anna: exists"),
        (("add", "bert", "--role", "king"), "green tea\n", "role king: choose one of viewer"),
        (("add", "bert", "--role", "viewer"), "short\n", "the password must be 8 to 256"),
        (("add", "bert", "--role", "viewer"), "with\ttabulator\n", "the password must be"),
        (("add", "bert", "--role", "viewer"), "x" * 300, "the password must be"),
        (("add", "bert", "--role", "viewer"), "", "the password must be"),
        (("add", "be:rt", "--role", "viewer"), "green tea\n", "must have no colon"),
        (("add", "be\x1b[31mrt", "--role", "viewer"), "green tea\n", "printable characters"),
        (("add", "b" * 65, "--role", "viewer"), "green tea\n", "printable characters"),
        (("remove", "bert"), "", "user bert: there is no such user"),
        (("passwd", "bert"), "green tea\n", "user bert: there is no such user"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_changes_nothing(
    tmp_path, arguments, stdin, reason
):
    path = tmp_path / "users.json"
    write_users(path, Users(users=(make_user("anna", Role.VIEWER, PASSWORD),)))
    before = path.read_bytes()
    done = user(tmp_path, *arguments, stdin=stdin)
    assert done.returncode == 2 and reason in done.stderr
    assert done.stderr.count("\n") == 1 and "\x1b" not in done.stderr
    assert "tea" not in done.stderr + done.stdout
    assert path.read_bytes() == before


def test_a_password_is_typed_twice_at_a_terminal(tmp_path):
    """And the terminal does not show it."""
    command = [sys.executable, "-m", "edge.cli", "user", "add"]
    for typed, code in ((("green tea", "green tea"), 0), (("green tea", "green te"), 2)):
        main, side = pty.openpty()
        name = f"anna{code}"
        process = subprocess.Popen(
            [*command, name, "--role", "viewer", "--state", str(tmp_path)],
            stdin=side,
            stdout=side,
            stderr=side,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            start_new_session=True,
        )
        os.close(side)
        seen = b""
        for prompt, text in zip((b"password: ", b"again: "), typed, strict=True):
            while prompt not in seen:
                seen += os.read(main, 1024)
            os.write(main, text.encode() + b"\n")
        assert process.wait(30) == code
        assert b"green" not in seen
        os.close(main)
    assert [each.name for each in read_users(tmp_path / "users.json").users] == ["anna0"]


def test_hashes_are_of_the_password_and_a_salt_alone():
    again = make_user(USER.name, USER.role, PASSWORD)
    assert again.password != USER.password and again.accepts(PASSWORD)
    assert (USER.cost, USER.block, USER.parallel) == (2**14, 8, 1)
    assert PASSWORD not in repr(USER) and USER.password not in repr(USER)
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), "gru\u0308ner Tee", "\udcff"):
        assert not USER.accepts(wrong)


RECORD = USER.model_dump(mode="json")
DAMAGED = {
    "nothing": b"",
    "cut off": json.dumps({"users": [RECORD]}).encode()[:-20],
    "a list": b"[]",
    "no object": b"7",
    "an unknown key": json.dumps({"users": [], "open": True}).encode(),
    "an unknown role": json.dumps({"users": [{**RECORD, "role": "king"}]}).encode(),
    "a short hash": json.dumps({"users": [{**RECORD, "password": "00"}]}).encode(),
    "no hash": json.dumps({"users": [{**RECORD, "password": ""}]}).encode(),
    "two of a name": json.dumps({"users": [RECORD, RECORD]}).encode(),
    "a costly hash": json.dumps({"users": [{**RECORD, "cost": 2**30}]}).encode(),
    "a cheap hash": json.dumps({"users": [{**RECORD, "cost": 2}]}).encode(),
    "no power of two": json.dumps({"users": [{**RECORD, "cost": 2**14 + 1}]}).encode(),
    "a line in a name": json.dumps({"users": [{**RECORD, "name": "a\nb"}]}).encode(),
    "too many": json.dumps(
        {"users": [{**RECORD, "name": f"u{each}"} for each in range(MOST_USERS + 1)]}
    ).encode(),
    "too large": b" " * 100_000,
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_lets_nobody_in(tmp_path, kind):
    path = tmp_path / "users.json"
    path.write_bytes(DAMAGED[kind])
    with pytest.raises(BadInput, match=r"users\.json: .*nobody can log in") as caught:
        read_users(path)
    assert "\n" not in str(caught.value) and USER.password not in str(caught.value)
    accounts = Accounts(path, configured_user("line", "secret"))
    assert accounts.needed and accounts.error
    assert accounts.find(USER.name) is None and accounts.find("line") is None
    require_account(PanelConfig(), "0.0.0.0", tmp_path)  # it serves, and lets nobody in


def test_the_page_follows_the_file_and_never_opens_by_itself(tmp_path):
    path, now = tmp_path / "users.json", [0.0]
    accounts = Accounts(path, now=lambda: now[0])
    assert not accounts.needed

    def later(change) -> None:
        change()
        now[0] += 2 * LOOK_SECONDS

    later(lambda: write_users(path, Users(users=(USER,))))
    assert accounts.needed and accounts.by_form and accounts.find(USER.name) == USER
    later(lambda: path.write_bytes(b"{"))
    assert accounts.needed and accounts.find(USER.name) is None
    later(lambda: write_users(path, Users(users=(USER,))))
    assert accounts.error is None and accounts.find(USER.name) == USER
    later(path.unlink)
    assert accounts.needed and accounts.find(USER.name) is None


def test_a_page_for_the_network_needs_a_user_or_the_configured_account(tmp_path):
    with pytest.raises(BadInput, match=r"everybody on the network .*ewaste-edge user add"):
        require_account(PanelConfig(), "0.0.0.0", tmp_path)
    require_account(PanelConfig(), "127.0.0.1", tmp_path)
    elsewhere = tmp_path / "elsewhere.json"
    write_users(elsewhere, Users(users=(USER,)))
    require_account(PanelConfig(users_file=elsewhere), "0.0.0.0", tmp_path)
    (tmp_path / "secret").write_text("black tea\n")
    panel = PanelConfig(user="line", password_file=tmp_path / "secret")
    require_account(panel, "0.0.0.0", tmp_path)
    accounts = accounts_of(panel, tmp_path)
    found = accounts.find("line")
    assert found is not None and found.role is Role.OPERATOR and found.accepts("black tea")
    assert accounts.needed and not accounts.by_form


def test_a_line_whose_page_everybody_could_see_does_not_start(tmp_path):
    (tmp_path / "line.toml").write_text('[panel]\nhost = "0.0.0.0"\n')
    command = [sys.executable, "-m", "edge.cli", "run", "--camera", str(tmp_path / "film.avi")]
    done = subprocess.run(
        [*command, "--config", str(tmp_path / "line.toml"), "--state", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: panel host 0.0.0.0: everybody on the network")


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator gives files away")
def test_what_an_administrator_writes_is_of_the_service(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 12345, 12345)
    write_users(state / "users.json", Users(users=(USER,)))
    found = (state / "users.json").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12345, 12345, 0o600)


def test_an_unknown_name_costs_a_hash_too_and_one_hash_is_made_at_a_time(tmp_path, monkeypatch):
    write_users(tmp_path / "users.json", Users(users=(USER,)))
    monkeypatch.setattr("edge.panel.door.GUESS_SECONDS", 0)
    hashed, running, most = [], [0], [0]
    accepts = User.accepts

    def counted(self, password):
        running[0] += 1
        most[0] = max(most[0], running[0])
        hashed.append((self.name, threading.current_thread().name))
        try:
            return accepts(self, password)
        finally:
            running[0] -= 1

    monkeypatch.setattr(User, "accepts", counted)

    async def attempts() -> list[object]:
        door = Door(Accounts(tmp_path / "users.json"))
        tries = [(f"10.0.0.{each}", name) for each in range(4) for name in (USER.name, "nobody")]
        return await asyncio.gather(
            *(door.attempt(Visitor(address), name, "wrong tea") for address, name in tries),
            return_exceptions=True,
        )

    answers = asyncio.run(attempts())
    assert all(isinstance(each, NotDone) and each.status == 401 for each in answers)
    assert len({str(each) for each in answers}) == 1
    assert len(hashed) == 8 and most == [1]
    assert all(thread.startswith("scrypt") for _, thread in hashed)
