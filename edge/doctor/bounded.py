"""Checks in child processes: one that hangs or crashes costs its own time, and nothing else.

A camera's driver, a disk on a network that is gone, or native code may wait for ever, and Python
cannot interrupt any of them. So each task is done in a forked child, which is killed with all that
it has started when its time is up, and is not waited for: a process that hangs in a driver ends
when the driver lets go.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from edge.doctor.check import BoardCheck, CheckState, failed_with, failure
from edge.errors import EwasteError, one_line

MOST_BYTES = 2**20
"""Of what a child answers."""
PIECE = 2**16
GRACE_S = 1.0
"""So much later a child ends by itself, if whoever would kill it was killed."""
STANDARD_STREAMS = (0, 1, 2)


@dataclass(frozen=True)
class Task:
    """Checks that are made together.

    Attributes:
        name: of the check that stands for them if they come to no end.
        limit_s: how long they may take, s.
        make: makes them.
        fix: what to do if they come to no end.
        late: what it means if they take longer.
    """

    name: str
    limit_s: float
    make: Callable[[], Sequence[BoardCheck]]
    fix: str
    late: CheckState = CheckState.FAILURE


def run_bounded(tasks: Sequence[Task]) -> list[BoardCheck]:
    """Do the tasks at the same time, each in a child of its own; their checks, in order.

    It takes about as long as the longest of the limits, at most. What the children print is thrown
    away.

    Raises:
        EwasteError: no process can be started.
    """
    children: list[_Child] = []
    try:
        for task in tasks:
            children.append(_Child(task))
        return [check for child in children for check in child.checks()]
    finally:
        for child in children:
            child.end()


class _Child:
    """The process that does one task."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._reader, writer = os.pipe()
        self._until = time.monotonic() + task.limit_s
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            self._process = os.fork()
        except OSError as error:
            os.close(self._reader)
            os.close(writer)
            raise EwasteError(
                f"no process can be started ({error.strerror}); free some memory"
            ) from None
        if not self._process:
            _be_child(task, writer)
        os.close(writer)
        with suppress(OSError):  # the child does so too; whoever is first
            os.setpgid(self._process, self._process)

    def checks(self) -> list[BoardCheck]:
        """What the child found, or that it came to no end."""
        answer = self._answer()
        name, fix = self._task.name, self._task.fix
        if answer is None:
            reason = f"no answer within {self._task.limit_s:g} s"
            return [BoardCheck(name, self._task.late, reason, fix)]
        try:
            return [
                BoardCheck(row[0], CheckState(row[1]), row[2], row[3]) for row in json.loads(answer)
            ]
        except (ValueError, TypeError, IndexError):
            return [failure(name, "the process that looked crashed", fix)]

    def end(self) -> None:
        """Kill what still runs, the child's own children too."""
        os.close(self._reader)
        with suppress(OSError):
            os.killpg(self._process, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._process, os.WNOHANG)

    def _answer(self) -> bytes | None:
        """All that the child wrote; None: it has not ended in time."""
        readable, answer = select.poll(), b""
        readable.register(self._reader, select.POLLIN)
        while len(answer) <= MOST_BYTES:
            if not readable.poll(max(0.0, self._until - time.monotonic()) * 1000):
                return None
            piece = os.read(self._reader, PIECE)
            if not piece:
                return answer
            answer += piece
        return b""


def _be_child(task: Task, writer: int) -> NoReturn:
    """Do a task, write its checks as JSON, and end this process without any clean-up."""
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, task.limit_s + GRACE_S)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in STANDARD_STREAMS:
            os.dup2(nowhere, stream)
        rows = [(each.name, each.state.value, each.detail, each.fix) for each in _made(task)]
        with os.fdopen(writer, "wb") as file:
            file.write(json.dumps(rows).encode())
    finally:
        os._exit(0)


def _made(task: Task) -> Sequence[BoardCheck]:
    try:
        return task.make()
    except EwasteError as error:
        return [failed_with(task.name, error, task.fix)]
    # Whatever comes out of drivers and native code is what was found.
    except Exception as error:
        return [failure(task.name, one_line(f"{type(error).__name__}: {error}", 300), task.fix)]
