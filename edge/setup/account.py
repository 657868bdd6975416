"""The user that the services run as, and what belongs to it."""

from collections.abc import Iterator

from edge.errors import EwasteError
from edge.setup.commands import Runner
from edge.setup.places import USER, Places
from edge.setup.report import Step, already, done

GROUPS = ("video", "gpio")
"""Who may use cameras, and the pins of a Raspberry Pi; other systems have no group gpio."""
ASKED_S = 60.0
NO_SHELL = "/usr/sbin/nologin"


def account(places: Places, run: Runner) -> Iterator[Step]:
    """Make the user and its group, and put it into the groups that this system has.

    Raises:
        EwasteError: it cannot be made.
    """
    if _has("passwd", USER, run):
        yield already("user", USER)
    else:
        named = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", NO_SHELL)
        run((*named, "--home-dir", places.state, USER), seconds=ASKED_S)
        yield done("user", f"{USER}, without a password or a shell")
    there = [name for name in GROUPS if _has("group", name, run)]
    joined = run(("id", "-nG", USER), seconds=ASKED_S).split()
    lacking = [name for name in there if name not in joined]
    if lacking:
        run(("usermod", "-a", "-G", ",".join(lacking), USER), seconds=ASKED_S)
        yield done("groups", ", ".join(lacking))
    else:
        yield already("groups", ", ".join(there) or "this system has none for cameras and pins")


def _has(base: str, name: str, run: Runner) -> bool:
    try:
        return bool(run(("getent", base, name), seconds=ASKED_S))
    except EwasteError:
        return False
