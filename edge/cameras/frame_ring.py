"""The last few frames in memory that two processes share, without waiting for each other."""

import mmap
import os
import tempfile

import numpy as np

SLOTS = 3
"""The reader has the time of two frames to copy one before it is written over."""
WRITING = -1


class FrameRing:
    """`SLOTS` frames of one size, written by one process and read by another.

    Each carries its sequence number, by which the reader sees that it was written over.
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
        self._sequences = np.frombuffer(memory, np.int64, SLOTS)
        pixels = np.frombuffer(memory, np.uint8, SLOTS * frame_bytes, SLOTS * 8)
        self._pixels = pixels.reshape(SLOTS, height, width, 3)

    def write(self, sequence: int, pixels: np.ndarray) -> None:
        """Put uint8 [height, width, 3] in the place of the oldest frame."""
        slot = sequence % SLOTS
        self._sequences[slot] = WRITING
        self._pixels[slot] = pixels
        self._sequences[slot] = sequence

    def read(self, sequence: int) -> np.ndarray | None:
        """A copy of a frame, uint8 [height, width, 3]; None when it was written over."""
        slot = sequence % SLOTS
        if self._sequences[slot] != sequence:
            return None
        pixels = self._pixels[slot].copy()
        return pixels if self._sequences[slot] == sequence else None

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
