"""Who may read a file with a password, and what closes it."""

import grp
import os
import pwd
import shlex
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from edge import readers
from edge.doctor.check import CheckState
from edge.doctor.rights import secrets
from edge.readers import how_to_close, line_user, readable_by_others

LINE_USER, VISITOR = 64001, 64002
Account = namedtuple("Account", "pw_name pw_gid")
Group = namedtuple("Group", "gr_name gr_gid gr_mem")


@pytest.fixture
def groups(monkeypatch) -> dict[int, Group]:
    """A system where the service has a group of its own, and the visitor shares one."""
    accounts = {0: Account("root", 0), LINE_USER: Account("ewaste", 71), VISITOR: Account("v", 72)}
    found = {0: Group("root", 0, []), 71: Group("ewaste", 71, []), 72: Group("users", 72, [])}
    monkeypatch.setattr(pwd, "getpwuid", accounts.__getitem__)
    monkeypatch.setattr(grp, "getgrgid", found.__getitem__)
    return found


@pytest.fixture
def owned(tmp_path, monkeypatch):
    """Makes the file seem to belong to somebody, since only root can give files away."""
    path = tmp_path / "line.toml"
    path.touch()

    def made(owner: int, group: int, mode: int) -> Path:
        path.chmod(mode)
        found = list(path.stat())
        found[4:6] = owner, group
        real = Path.stat
        monkeypatch.setattr(
            Path,
            "stat",
            lambda self, **how: os.stat_result(found) if self == path else real(self, **how),
        )
        return path

    return made


@pytest.mark.parametrize(
    ("found", "open_to_others"),
    [
        ((0, 71, 0o640), False),  # as the installer makes it
        ((LINE_USER, 71, 0o600), False),
        ((LINE_USER, 71, 0o640), False),
        ((LINE_USER, 0, 0o640), True),
        ((0, 0, 0o640), False),
        ((0, 71, 0o644), True),
        ((0, 71, 0o604), True),
        ((0, 72, 0o640), True),
        ((VISITOR, 72, 0o640), True),
        ((0, 99, 0o640), True),  # a group without a name
    ],
)
def test_the_group_of_the_line_alone_may_read(groups, owned, found, open_to_others):
    assert readable_by_others(owned(*found), user=LINE_USER) == open_to_others


def test_a_group_with_other_members_is_open_to_others(groups, owned):
    path = owned(0, 71, 0o640)
    groups[71] = Group("ewaste", 71, ["ewaste"])
    assert not readable_by_others(path, user=LINE_USER)
    groups[71] = Group("ewaste", 71, ["ewaste", "v"])
    assert readable_by_others(path, user=LINE_USER)


def test_what_is_not_there_is_read_by_nobody(tmp_path):
    assert not readable_by_others(tmp_path / "absent", user=0)


def test_the_line_runs_as_the_owner_of_its_state_or_as_the_service(tmp_path, monkeypatch):
    assert line_user(tmp_path) == os.geteuid()
    accounts = {"ewaste": pwd.struct_passwd(("ewaste", "x", LINE_USER, 71, "", "/", "/"))}
    monkeypatch.setattr(pwd, "getpwnam", accounts.__getitem__)
    for asking, found in ((0, LINE_USER), (VISITOR, VISITOR)):
        monkeypatch.setattr(readers.os, "geteuid", lambda asking=asking: asking)
        assert line_user(tmp_path / "absent") == found
    accounts.clear()
    monkeypatch.setattr(readers.os, "geteuid", lambda: 0)
    assert line_user(tmp_path / "absent") == 0


def test_the_fix_is_for_the_user_of_the_line(groups, monkeypatch):
    path = Path("/etc/my line.toml")
    closed = how_to_close(path, user=LINE_USER)
    assert (
        closed == "sudo chown root:ewaste '/etc/my line.toml' && sudo chmod 640 '/etc/my line.toml'"
    )
    assert how_to_close(path, user=VISITOR).startswith(f"sudo chown {VISITOR} ")
    monkeypatch.setattr(readers.os, "geteuid", lambda: VISITOR)
    assert how_to_close(path, user=VISITOR) == "chmod 600 '/etc/my line.toml'"


def test_doctor_warns_and_its_fix_closes_the_file(tmp_path):
    user, path = os.geteuid(), tmp_path / "pass word"
    path.touch()
    path.chmod(0o644)
    check = secrets([path], user=user)
    assert check.state is CheckState.WARNING and str(path) in check.detail
    subprocess.run(["sh", "-c", check.fix], check=True)
    assert path.stat().st_mode & 0o777 == 0o600 and shlex.split(check.fix)[-1] == str(path)
    assert not readable_by_others(path, user=user)
    assert secrets([], user=user).state is CheckState.OK
