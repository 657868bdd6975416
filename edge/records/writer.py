"""A thread between the line, which never waits, and the disk, which may be slow, full, or gone."""

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from edge.errors import BadInput, EwasteError
from edge.records.damage import Damaged, set_aside
from edge.records.record import ItemRecord
from edge.records.store import Store, open_store
from edge.records.walk import BATCH
from edge.worker import Worker

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.2, 2.0
PRUNE_SECONDS = 10.0
"""Time between two searches for old records, s."""
MOST_TRIES = 5
WITHOUT_CROP = 10
"""A full queue accepts this many times its capacity in records without a crop: such a record has a
few hundred bytes, a crop several kilobytes."""


@dataclass(frozen=True)
class Retention:
    """How long records are kept.

    Attributes:
        days: largest age of a record.
        megabytes: largest size of the file, MB.
    """

    days: float
    megabytes: float


@dataclass(frozen=True)
class WriterStatus:
    """How the writer is doing.

    Attributes:
        pending: number of records waiting to be written.
        written: number of records that the disk has acknowledged.
        dropped: number of records lost because the queue was full or they could not be stored.
        crops_dropped: number of records kept without their crop because the queue was full.
        error: why nothing is being written now, one line; None: no fault.
        usable: the file could be used at some time since the start.
    """

    pending: int
    written: int
    dropped: int
    crops_dropped: int
    error: str | None
    usable: bool = True


class StoreWriter(Worker):
    """Writes records, and prunes old ones.

    Only the thread uses the file. It tries again until a record is written. A record that fails
    with an unexpected exception is given up after a few tries, and counted. No exception ends the
    thread.
    """

    def __init__(
        self,
        path: Path,
        capacity: int = 1000,
        retention: Retention | None = None,
    ) -> None:
        """Check the file at `path`, creating it if need be, and start the thread.

        Args:
            path: path of the file of records.
            capacity: number of records with crops that may wait.
            retention: how long records are kept; None: forever.

        Raises:
            BadInput: `path` is somebody else's file. (A disk that is full, locked, or read-only
                does not stop the line: `status` shows it. A damaged file is set aside and replaced
                by a new one, also later.)
        """
        super().__init__("store")
        self._path, self._capacity = path, capacity
        self._usable = False
        self._error: str | None = None
        try:
            open_store(path, prove=True).close()
            self._usable = True
        except Exception as error:
            if isinstance(error, BadInput) and path.parent.is_dir():
                raise
            self._error = _line(error)  # full, read-only, or locked: the thread tries again
        self._retention, self._prune_at = retention, 0.0
        self._queue: deque[ItemRecord] = deque()
        self._lock = threading.Lock()
        self._written = self._dropped = self._crops_dropped = 0
        self._tries = 0  # at the waiting batch, that ended with an unexpected exception
        self._start()
        if self._error is not None:
            log.error("%s; nothing is recorded until it can be, the line goes on", self._error)

    @property
    def status(self) -> WriterStatus:
        """Return a snapshot."""
        with self._lock:
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

        A full queue first drops crops, then whole records.
        """
        with self._lock:
            waiting = len(self._queue)
            if self._closing.is_set() or waiting >= WITHOUT_CROP * self._capacity:
                self._dropped += 1
                return False
            if waiting >= self._capacity and record.crop:
                record = replace(record, crop=b"")
                self._crops_dropped += 1
            self._queue.append(record)
        self.wake()
        return True

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is waiting, for at most `timeout` seconds; False when some is left.

        May be called twice.
        """
        with self._lock:
            self._closing.set()  # from now on no record is accepted
        self._finish(timeout)
        return not self._queue

    def _next_batch(self, size: int) -> list[ItemRecord]:
        """Wait for records, which stay queued until they are written; empty: closed, all done."""
        while True:
            self._awake.clear()
            with self._lock:
                if self._queue or self._closing.is_set():
                    return list(islice(self._queue, size))
            self._awake.wait()

    def _done(self, count: int, stored: bool) -> None:
        with self._lock:
            for _ in range(count):
                self._queue.popleft()
            if not stored:
                self._dropped += count
                return
            self._written += count
            self._usable, self._tries = True, 0
            was_away, self._error = self._error is not None, None
        if was_away:
            log.info(
                "%s: recording again; %d lost, %d without picture",
                self._path,
                self._dropped,
                self._crops_dropped,
            )

    def _failed(self, error: str) -> None:
        with self._lock:
            is_new, self._error = error != self._error, error
        if is_new:
            log.error(error)

    def _prune(self, store: Store) -> None:
        """Delete some of what is too old or too large, if it is time for that."""
        if self._retention is None or time.monotonic() < self._prune_at:
            return
        more = store.prune(self._retention.days, self._retention.megabytes)
        self._prune_at = time.monotonic() + (0.0 if more else PRUNE_SECONDS)

    def _give_up(self, store: Store | None, error: BaseException) -> None:
        """Close a file that cannot be written; a damaged one is set aside."""
        if store is not None:
            with suppress(Exception):
                store.close()
        if store is None or not isinstance(error, Damaged):
            self._failed(_line(error))
            return
        try:
            log.error("%s; %s", error, set_aside(self._path, time.time()))
        except EwasteError as stuck:
            self._failed(str(stuck))

    def _run(self) -> None:
        store: Store | None = None
        size, pause = BATCH, FIRST_RETRY_SECONDS
        while not self._given_up.is_set() and (batch := self._next_batch(size)):
            try:
                store = store or open_store(self._path)
                store.append(batch)
            except ValueError as error:
                # One record is bad: write one by one, to lose only that one.
                if len(batch) == 1:
                    self._done(1, stored=False)
                    self._failed(str(error))
                size = 1
            except BaseException as error:  # SystemExit too would end the thread silently
                self._give_up(store, error)
                store = None
                if not isinstance(error, EwasteError):
                    # A fault of the program or of the record: the others must not wait forever.
                    self._tries += 1
                    size = 1
                    if self._tries >= MOST_TRIES:
                        self._done(1, stored=False)
                        self._tries = 0
                self._given_up.wait(pause)
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
                    pass  # the next record meets and reports it
                except BaseException as error:
                    self._prune_at = time.monotonic() + PRUNE_SECONDS
                    self._failed(f"{self._path}: old records cannot be deleted ({_line(error)})")
        if store is not None:
            store.close()


def _line(error: BaseException) -> str:
    """Return an error as one line; an unexpected one with its type."""
    text = " ".join(str(error).split())
    return text if isinstance(error, EwasteError) else f"{type(error).__name__}: {text}"
