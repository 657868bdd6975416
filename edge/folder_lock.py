"""A folder that one process at a time works with."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import BadInput


@contextmanager
def folder_lock(
    folder: Path,
    busy: str = "another line works with it; end that one or give another --state",
) -> Iterator[None]:
    """Within: no other process gets past here with `folder`.

    The folder itself is locked, so that nothing has to be written, on a read-only or full disk
    either; the system releases it when this process ends, however it does. Where a folder cannot be
    locked (some network file systems) there is no lock. `busy` says in words that another has it.

    Raises:
        BadInput: another process has it.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"{folder}: {busy}") from None
        except OSError:
            pass
        yield
    finally:
        os.close(handle)


def is_locked(folder: Path) -> bool:
    """Whether another process works with `folder` at this moment, as far as locks can tell."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared: two that only ask do not get into each other's way.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    finally:
        os.close(handle)
    return False
