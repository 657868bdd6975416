"""Who may write the state folder, open camera and pins, and read passwords."""

import grp
import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from edge.doctor.check import BoardCheck, failure, ok, warning
from edge.doctor.disk import existing_part
from edge.readers import ROOT_USER, how_to_close

MOST_GROUPS = 1000


def state_folder(folder: Path, *, user: int) -> BoardCheck:
    """Whether the state folder can be written, and by nobody else read.

    Args:
        folder: it; where it is missing the line makes it.
        user: the effective user id that the check runs as.
    """
    name = "state folder"
    there = existing_part(folder)
    if not there.is_dir():
        return failure(name, f"{there}: is no folder", "set another state")
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        fix = f"sudo chown -R {user} {there}, or run as the user of the line, or set another state"
        return failure(name, f"{there}: user {user} cannot write to it", fix)
    if there != folder.absolute():
        return ok(name, f"{folder}: the line makes it at its start")
    found = there.stat()
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        reason = f"{folder}: others on this machine can enter it, and see its pictures"
        return warning(name, reason, f"chmod 700 {folder}")
    if found.st_uid != user and user != ROOT_USER:  # root looks at that of the services
        reason = f"{folder}: belongs to user {found.st_uid}, this check runs as {user}"
        return warning(
            name, reason, "run it as the user of the line: sudo -u USER ewaste-edge doctor"
        )
    return ok(name, f"{folder}: private, can be written")


def secrets(readable: Sequence[Path], *, user: int) -> BoardCheck:
    """Whether passwords stay with the line.

    Args:
        readable: files with a password that others on this machine can read.
        user: id of the user that the line runs as.
    """
    name = "secrets"
    if not readable:
        return ok(name, "no file with a password can be read by others")
    listed = ", ".join(map(str, readable))
    fix = " && ".join(how_to_close(path, user=user) for path in readable)
    return warning(name, f"{listed}: others on this machine can read the password in it", fix)


def own_groups() -> set[str]:
    """The names of the groups that this process is in."""
    names = set()
    for number in [*os.getgroups(), os.getegid()][:MOST_GROUPS]:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return names


def known_groups() -> set[str]:
    """The names of the groups of this system."""
    return {each.gr_name for each in grp.getgrall()}


def groups(
    needed: Collection[str], held: Collection[str], known: Collection[str], *, user: int
) -> BoardCheck:
    """Whether the user is in the groups that camera and pins are for.

    Args:
        needed: their names.
        held: names of the groups that the user is in.
        known: names of the groups of this system; one that it does not have is not needed.
        user: the effective user id.
    """
    if not needed:
        return ok("groups", "neither camera nor pins of this board are configured")
    listed = ", ".join(sorted(needed))
    if user == ROOT_USER:
        return ok("groups", f"root needs none of {listed}")
    missing = sorted({*needed} & {*known} - {*held})
    if missing:
        fix = f"sudo usermod -aG {','.join(missing)} $USER, then log in again"
        return warning("groups", f"user {user} is not in {', '.join(missing)}", fix)
    return ok("groups", f"in those needed here of {listed}")
