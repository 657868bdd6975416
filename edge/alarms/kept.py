"""The file of alarms in a line's state folder: whole or not there, and changed by one at a time."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.alarms.alarm import Alarms
from edge.errors import BadInput, EwasteError
from edge.files import PRIVATE, read_bounded, write_whole

log = logging.getLogger(__name__)

ALARMS_NAME, LOCK_NAME = "alarms.json", "alarms.lock"
MOST_BYTES = 512 * 1024
DAMAGED = ".damaged"
PATIENCE_S, PAUSE_S = 2.0, 0.02
"""How long to wait for another page, and how often to ask, s."""
STILL_S = 60.0
"""If nothing changes, the file is written so rarely, s: it tells when somebody last looked."""
_one = threading.Lock()


def read_alarms(state: Path) -> Alarms:
    """Read the alarms; there are none where nobody has looked yet.

    Raises:
        EwasteError: the file cannot be read, or is damaged.
    """
    path = state / ALARMS_NAME
    try:
        return Alarms.model_validate_json(read_bounded(path, MOST_BYTES))
    except FileNotFoundError:
        return Alarms()
    except (OSError, ValueError, BadInput) as error:
        reason = getattr(error, "strerror", None)
        if reason:
            raise EwasteError(f"{path}: cannot be read ({reason})") from None
        raise _DamagedAlarms(f"{path}: is damaged; move it away") from None


def change_alarms(state: Path, change: Callable[[Alarms], Alarms]) -> Alarms:
    """Change the alarms; what a person did survives a power cut once this returns.

    Two pages may serve one state folder: one changes after the other.

    Raises:
        EwasteError: the file cannot be read or written, or is damaged. Nothing has changed then.
    """
    with _one, _locked(state):
        before = _read_or_set_aside(state)
        after = change(before)
        same = after.model_copy(update={"at": before.at}) == before
        if same and abs(after.at - before.at) < STILL_S:
            return before
        path = state / ALARMS_NAME
        try:
            content = after.model_dump_json().encode() + b"\n"
            write_whole(path, content, mode=PRIVATE, durable=after.events != before.events)
        except OSError as error:
            raise EwasteError(f"{path}: cannot be written ({error.strerror})") from None
        return after


def _read_or_set_aside(state: Path) -> Alarms:
    """Read the alarms; a damaged file makes room, for alarms that nobody can see are worse."""
    try:
        return read_alarms(state)
    except _DamagedAlarms as error:
        path = state / ALARMS_NAME
        log.error("%s; it is kept as %s%s", error, path.name, DAMAGED)
        try:
            path.replace(path.with_name(path.name + DAMAGED))
        except OSError:
            raise error from None
        return Alarms()


class _DamagedAlarms(EwasteError):
    """The file of alarms is damaged."""


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """Within: no other process changes the file."""
    path = state / LOCK_NAME
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        handle = os.open(path, flags, PRIVATE)
    except FileNotFoundError:
        raise BadInput(f"{state}: no state folder of a line") from None
    except OSError as error:
        raise EwasteError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        _lock(handle, path)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                raise EwasteError(f"{path}: another page holds it; end that one") from None
            time.sleep(PAUSE_S)
        except OSError:  # not every network's file system has locks
            return
        else:
            return
