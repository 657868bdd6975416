"""A thread between the line, which never waits, and the disk, which may be slow, full or gone."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from edge.errors import BadInput, EwasteError
from edge.records.store import BATCH, Damaged, ItemRecord, Store, open_store, set_aside

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.2, 2.0
PRUNE_SECONDS = 10.0
"""How often old records are looked for."""
MOST_TRIES = 5
WITHOUT_CROP = 10
"""A full queue takes this many times its capacity in records that gave up their crop: such a
record is a few hundred bytes, a crop several kilobytes."""


@dataclass(frozen=True)
class Retention:
    """How long records are kept: for at most `days`, in at most `megabytes`."""

    days: float
    megabytes: float


@dataclass(frozen=True)
class WriterStatus:
    """How the writer is doing.

    Attributes:
        pending: records waiting to be written.
        written: records acknowledged by the disk.
        dropped: records lost because the queue was full or they could not be stored.
        crops_dropped: records kept without their crop because the queue was full.
        error: why nothing is being written at the moment, one line; None when all is well.
        usable: whether the file could be used at any time since the start.
    """

    pending: int
    written: int
    dropped: int
    crops_dropped: int
    error: str | None
    usable: bool = True


class StoreWriter:
    """Writes the records that are put, and prunes old ones.

    The file belongs to the thread. What cannot be written is tried again until it can; a record at
    which the writing fails in a way nobody has thought of is given up after a few tries, and
    counted. Nothing that is raised there ends the thread.
    """

    def __init__(
        self,
        path: Path,
        capacity: int = 1000,
        on_error: Callable[[str], None] | None = None,
        retention: Retention | None = None,
    ) -> None:
        """Check the file at `path`, creating it if need be, and start the thread.

        Args:
            path: the file of records.
            capacity: how many records with crops may wait.
            on_error: gets one line, in the writer's thread, when a new error starts, and when it is
                over.
            retention: what is kept; None: everything.

        Raises:
            BadInput: `path` is somebody else's file. (A disk that is full, locked or not to be
                written to is no reason to hold up the line: it shows in `status`. A damaged file
                is set aside and a new one begun, also later.)
        """
        self._path, self._capacity, self._on_error = path, capacity, on_error
        self._usable, self._error = False, None
        try:
            open_store(path, self._tell, prove=True).close()
            self._usable = True
        except Exception as error:
            if isinstance(error, BadInput) and path.parent.is_dir():
                raise
            self._error = _line(error)  # full, read-only or locked: the thread meets it again
        self._retention, self._prune_at = retention, 0.0
        self._queue: deque[ItemRecord] = deque()
        self._changed = threading.Condition()
        self._giving_up = threading.Event()
        self._closing = False
        self._written = self._dropped = self._crops_dropped = 0
        self._tries = 0  # at the batch that waits, failing in ways nobody has thought of
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()
        if self._error is not None:
            self._tell(f"{self._error}; nothing is recorded until it can be, the line goes on")

    @property
    def status(self) -> WriterStatus:
        """A snapshot."""
        with self._changed:
            return WriterStatus(
                len(self._queue),
                self._written,
                self._dropped,
                self._crops_dropped,
                self._error,
                self._usable,
            )

    def put(self, record: ItemRecord) -> bool:
        """Queue `record` without waiting for the disk; False when it was dropped.

        A full queue first gives up crops, then whole records.
        """
        with self._changed:
            waiting = len(self._queue)
            if self._closing or waiting >= WITHOUT_CROP * self._capacity:
                self._dropped += 1
                return False
            if waiting >= self._capacity and record.crop:
                record = replace(record, crop=b"")
                self._crops_dropped += 1
            self._queue.append(record)
            self._changed.notify()
            return True

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is waiting, for at most `timeout` seconds; False when some was left.

        Safe to call twice.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        self._giving_up.set()
        return not self._queue

    def _next_batch(self, size: int) -> list[ItemRecord]:
        """Wait for records; they stay queued until they are written. Empty: closed, all done."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            return list(islice(self._queue, size))

    def _done(self, count: int, stored: bool) -> None:
        with self._changed:
            for _ in range(count):
                self._queue.popleft()
            if not stored:
                self._dropped += count
                return
            self._written += count
            self._usable, self._tries = True, 0
            was_away, self._error = self._error is not None, None
        if was_away:
            lost = f"; {self._dropped} lost, {self._crops_dropped} without picture"
            self._tell(f"{self._path}: recording again{lost}")

    def _failed(self, error: str) -> None:
        with self._changed:
            is_new, self._error = error != self._error, error
        if is_new:
            self._tell(error)

    def _tell(self, line: str) -> None:
        if self._on_error is not None:
            with suppress(Exception):  # telling must not end the writing
                self._on_error(line)

    def _prune(self, store: Store) -> None:
        """Delete a part of what is too old or too much, if it is time for that."""
        if self._retention is None or time.monotonic() < self._prune_at:
            return
        more = store.prune(self._retention.days, self._retention.megabytes)
        self._prune_at = time.monotonic() + (0.0 if more else PRUNE_SECONDS)

    def _give_up(self, store: Store | None, error: BaseException) -> None:
        """Close a file that cannot be written; one that proved damaged makes way for a new one."""
        if store is not None:
            with suppress(Exception):
                store.close()
        if store is None or not isinstance(error, Damaged):
            self._failed(_line(error))
            return
        try:
            self._tell(f"{error}; {set_aside(self._path, time.time())}")
        except EwasteError as stuck:
            self._failed(str(stuck))

    def _run(self) -> None:
        store: Store | None = None
        size, pause = BATCH, FIRST_RETRY_SECONDS
        while not self._giving_up.is_set() and (batch := self._next_batch(size)):
            try:
                store = store or open_store(self._path, self._tell)
                store.append(batch)
            except ValueError as error:
                # One record is bad: go one by one, to lose only that one.
                if len(batch) == 1:
                    self._done(1, stored=False)
                    self._failed(str(error))
                size = 1
            except BaseException as error:  # SystemExit, too, would end the thread in silence
                self._give_up(store, error)
                store = None
                if not isinstance(error, EwasteError):
                    # A fault of the program or of the record: the others must not wait for ever.
                    self._tries += 1
                    size = 1
                    if self._tries >= MOST_TRIES:
                        self._done(1, stored=False)
                        self._tries = 0
                self._giving_up.wait(pause)
                pause = min(2 * pause, LONGEST_RETRY_SECONDS)
            else:
                self._done(len(batch), stored=True)
                size, pause = BATCH, FIRST_RETRY_SECONDS
                try:
                    self._prune(store)
                except Damaged as error:
                    self._give_up(store, error)
                    store = None
                except EwasteError:
                    pass  # the next record meets it and tells
                except BaseException as error:
                    self._prune_at = time.monotonic() + PRUNE_SECONDS
                    self._failed(f"{self._path}: old records cannot be deleted ({_line(error)})")
        if store is not None:
            store.close()


def _line(error: BaseException) -> str:
    """What went wrong in one line; of what nobody has thought of, its kind too."""
    text = " ".join(str(error).split())
    return text if isinstance(error, EwasteError) else f"{type(error).__name__}: {text}"
