"""The last few frames in memory that two processes share, without waiting for each other.

A slot is written and read under a lock of its own. A sequence number beside the pixels would not do
alone: on a weakly ordered CPU, such as ARM, a reader may see new pixels before the number that says
so. The locks are the kernel's, on ranges of the shared file: what a process stored before it gave
one back is visible to the next that gets it, on every CPU, and they end with a process that is
killed. Neither side waits for one: what cannot be locked at once is left out.
"""

import fcntl
import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

SLOTS = 3
"""The reader has the time of two frames to copy one before it is written over."""
WRITING = -1


class FrameRing:
    """`SLOTS` frames of one size, written by one process and read by another.

    Each carries its sequence number, by which the reader sees that it was written over. The locks
    are between processes: each process has at most one ring of the same memory.
    """

    def __init__(self, width: int, height: int, fd: int | None = None) -> None:
        """Share the memory behind the file descriptor `fd`; None: make it.

        The memory has no name: it is gone with the last process that has it.
        """
        self.fd = anonymous_file() if fd is None else fd
        frame_bytes = width * height * 3
        size = SLOTS * (8 + frame_bytes)
        if fd is None:
            os.ftruncate(self.fd, size)
        memory = mmap.mmap(self.fd, size)
        self._lock_fd = os.dup(self.fd)
        weakref.finalize(self, os.close, self._lock_fd)
        self._sequences = np.frombuffer(memory, np.int64, SLOTS)
        pixels = np.frombuffer(memory, np.uint8, SLOTS * frame_bytes, SLOTS * 8)
        self._pixels = pixels.reshape(SLOTS, height, width, 3)

    def write(self, sequence: int, pixels: np.ndarray) -> None:
        """Put uint8 [height, width, 3] in the place of the oldest frame.

        It is left out when the reader is just copying that one.
        """
        slot = sequence % SLOTS
        with self._locked(slot, fcntl.LOCK_EX) as locked:
            if locked:
                self._sequences[slot] = WRITING  # a writer that is killed leaves half a frame
                self._pixels[slot] = pixels
                self._sequences[slot] = sequence

    def read(self, sequence: int) -> np.ndarray | None:
        """A copy of a frame, uint8 [height, width, 3]; None when it was written over."""
        slot = sequence % SLOTS
        with self._locked(slot, fcntl.LOCK_SH) as locked:
            if not locked or self._sequences[slot] != sequence:
                return None
            return self._pixels[slot].copy()

    @contextmanager
    def _locked(self, slot: int, kind: int) -> Iterator[bool]:
        """Hold the lock of a slot, if the other process does not."""
        try:
            fcntl.lockf(self._lock_fd, kind | fcntl.LOCK_NB, 1, slot)
        except (BlockingIOError, PermissionError):
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._lock_fd, fcntl.LOCK_UN, 1, slot)

    def close(self) -> None:
        """Give back the file descriptor; what is mapped goes with the object."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def anonymous_file() -> int:
    """A file descriptor of a file in memory, or where there is none, of an unlinked one on disk."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("ewaste-frames")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
