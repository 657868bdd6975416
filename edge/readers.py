"""Who may read a file with a password: the user of the line, and root.

A file that only root writes cannot be changed by a service that was taken over. So the installer
gives the configuration to root, and lets the group of the service's user alone read it.
"""

import grp
import os
import pwd
import shlex
import stat
from pathlib import Path

ROOT_USER = 0
SERVICE_USER = "ewaste"
"""Name of the user that the installer makes, and that the services run as."""


def line_user(state: Path) -> int:
    """The id of the user that the line runs as.

    It is whose state folder it is. Where that is not there, root asks for the services, if this
    system has them, and everybody else for themselves.
    """
    asking = os.geteuid()
    try:
        return state.stat().st_uid
    except OSError:
        if asking != ROOT_USER:
            return asking
    try:
        return pwd.getpwnam(SERVICE_USER).pw_uid
    except KeyError:
        return asking


def readable_by_others(path: Path, *, user: int) -> bool:
    """Whether other people on this machine may read a file.

    Args:
        path: the file; nobody reads one that is not there.
        user: id of the user who is meant to read it. A group of this user alone may.
    """
    try:
        found = path.stat()
    except OSError:
        return False
    if not found.st_mode & stat.S_IRGRP:
        return bool(found.st_mode & stat.S_IROTH)
    alone = _own_group(user) == found.st_gid or _own_group(found.st_uid) == found.st_gid
    return bool(found.st_mode & stat.S_IROTH) or not alone


def how_to_close(path: Path, *, user: int) -> str:
    """What to type so that only a user, and root, may read a file."""
    named = shlex.quote(str(path))
    if user == os.geteuid():
        return f"chmod 600 {named}"
    group = _own_group(user)
    if group is None:
        return f"sudo chown {user} {named} && sudo chmod 600 {named}"
    return f"sudo chown root:{grp.getgrgid(group).gr_name} {named} && sudo chmod 640 {named}"


def _own_group(user: int) -> int | None:
    """The group of a user that has the user's name and no other member; None: there is none."""
    try:
        account = pwd.getpwuid(user)
        group = grp.getgrgid(account.pw_gid)
    except KeyError:
        return None
    is_own = group.gr_name == account.pw_name and set(group.gr_mem) <= {account.pw_name}
    return group.gr_gid if is_own else None
