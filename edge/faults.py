"""The history of a line's faults: a small file of JSON lines in the state folder.

The line writes it from a thread of its own and never waits for it: what the disk does not take is
counted, and that is all. The page reads it. It is bounded; the oldest lines go.
"""

import os
import secrets
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import BadInput
from edge.files import PRIVATE, read_bounded, write_whole
from edge.worker import Worker

FAULTS_NAME = "faults.jsonl"
"""The file of the history in a line's state directory."""
MOST_BYTES = 256 * 1024
"""From here on the older half is dropped, bytes."""
MOST_READ = 4 * MOST_BYTES
MOST_WAITING = 256
MOST_A_MINUTE = 60
"""A contact that comes and goes writes at most so many lines a minute; the rest is counted."""
LONGEST_REASON, LONGEST_KIND = 300, 60


class Mark(str, Enum):
    """What a line of the history says."""

    STARTED = "started"
    STOPPED = "stopped"
    BEGAN = "began"
    ENDED = "ended"


class FaultLine(BaseModel):
    """One line of the history.

    Attributes:
        at: Unix seconds.
        run: name of the run of the line that wrote it.
        mark: what it says.
        kind: what is at fault: `camera`, `belt`, `records`, or the name of an output; empty for the
            run itself.
        reason: in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
    run: str = Field(max_length=32)
    mark: Mark
    kind: str = Field(default="", max_length=LONGEST_KIND)
    reason: str = Field(default="", max_length=LONGEST_REASON)


@dataclass(frozen=True)
class FaultSpan:
    """One fault.

    Attributes:
        kind: what was at fault; empty: the line itself, which ended without an order.
        reason: in words.
        began_at: Unix seconds; of the line itself, when it last wrote something.
        ended_at: Unix seconds; None: it lasts, or nobody saw its end.
        lasts: it has not ended, as far as the line says.
    """

    kind: str
    reason: str
    began_at: float
    ended_at: float | None
    lasts: bool = False


class FaultLog(Worker):
    """Writes what begins and ends; no method waits for the disk, and none fails by it.

    Attributes:
        dropped: lines that were too many, or that the disk did not take.
    """

    def __init__(self, folder: Path, now: float) -> None:
        """Begin a run of the line; `now` is Unix seconds."""
        super().__init__("faults")
        self._path = folder / FAULTS_NAME
        self._run_name = secrets.token_hex(6)
        self._open: dict[str, str] = {}
        self._waiting: deque[FaultLine] = deque()
        self._lock = threading.Lock()
        self._minute, self._in_minute = now, 0
        self.dropped = 0
        self._put(now, Mark.STARTED)
        self._start()

    def see(self, faults: Mapping[str, str], now: float) -> None:
        """Take in what is at fault now: kind -> reason; returns at once. `now` is Unix seconds."""
        for kind in [kind for kind in self._open if kind not in faults]:
            reason = self._open.pop(kind)
            self._put(now, Mark.ENDED, kind, reason)
        for kind, reason in faults.items():
            if kind not in self._open:
                self._open[kind] = reason
                self._put(now, Mark.BEGAN, kind, reason)

    def end(self, now: float) -> None:
        """Say that the line ended in order, and stop; may be called twice."""
        if not self._closing.is_set():
            self._put(now, Mark.STOPPED)
        self._finish(2.0)

    def _put(self, now: float, mark: Mark, kind: str = "", reason: str = "") -> None:
        if abs(now - self._minute) >= 60:
            self._minute, self._in_minute = now, 0
        self._in_minute += 1
        line = FaultLine(
            at=max(0.0, now),
            run=self._run_name,
            mark=mark,
            kind=kind[:LONGEST_KIND],
            reason=reason[:LONGEST_REASON],
        )
        with self._lock:
            many = self._in_minute > MOST_A_MINUTE or len(self._waiting) >= MOST_WAITING
            if many and mark is not Mark.STOPPED:
                self.dropped += 1
                return
            self._waiting.append(line)
        self.wake()

    def _run(self) -> None:
        while True:
            self._awake.wait()
            self._awake.clear()
            last = self._closing.is_set()
            with self._lock:
                lines, self._waiting = list(self._waiting), deque()
            if lines:
                try:
                    append_lines(self._path, lines)
                except Exception:  # whatever a disk says: the line goes on
                    self.dropped += len(lines)
            if last:
                return


def append_lines(path: Path, lines: Iterable[FaultLine]) -> None:
    """Append to the history; of one that is too long, the older half goes.

    Raises:
        OSError: it cannot be written.
    """
    content = "".join(f"{line.model_dump_json()}\n" for line in lines).encode()
    with suppress(FileNotFoundError):
        if path.lstat().st_size + len(content) > MOST_BYTES:
            try:
                kept = read_bounded(path, MOST_READ)[-MOST_BYTES // 2 :]
            except BadInput:
                kept = b""  # not ours, or grown beyond all: begin anew
            write_whole(path, kept[kept.find(b"\n") + 1 :], mode=PRIVATE, durable=False)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    handle = os.open(path, flags, PRIVATE)
    with os.fdopen(handle, "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(handle, 1, size - 1) != b"\n":
            content = b"\n" + content  # a power cut tore the last line
        file.write(content)
        os.fsync(handle)


def read_faults(folder: Path) -> list[FaultSpan]:
    """Read the faults, the oldest first; lines that are damaged are left out.

    A fault that a killed line left open has no end.

    Raises:
        BadInput: the file is no regular file, or greater than any line makes it.
        OSError: it cannot be read.
    """
    try:
        content = read_bounded(folder / FAULTS_NAME, MOST_READ)
    except FileNotFoundError:
        return []
    lines = []
    for text in content.splitlines():
        with suppress(ValidationError, ValueError, RecursionError):
            lines.append(FaultLine.model_validate_json(text))
    return spans_of(lines)


def spans_of(lines: Iterable[FaultLine]) -> list[FaultSpan]:
    """Join beginnings and ends."""
    found: list[FaultSpan] = []
    running: dict[str, FaultLine] = {}
    before: FaultLine | None = None
    for line in lines:
        if before is not None and line.run != before.run:
            found += [_left(each) for each in running.values()]
            running = {}
            if before.mark is not Mark.STOPPED:
                found.append(FaultSpan("", "", before.at, line.at))
        before = line
        if line.mark is Mark.BEGAN:
            running[line.kind] = line
        elif line.mark is Mark.ENDED and (began := running.pop(line.kind, None)):
            found.append(FaultSpan(began.kind, began.reason, began.at, line.at))
        elif line.mark is Mark.STOPPED:
            found += [
                FaultSpan(each.kind, each.reason, each.at, line.at) for each in running.values()
            ]
            running = {}
    found += [FaultSpan(each.kind, each.reason, each.at, None, True) for each in running.values()]
    return sorted(found, key=lambda fault: fault.began_at)


def _left(line: FaultLine) -> FaultSpan:
    return FaultSpan(line.kind, line.reason, line.at, None)
