"""Keeping the device process small; without effect outside Linux with glibc."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # glibc, <malloc.h>
LARGE_BYTES = 256 * 1024


def return_freed_memory() -> None:
    """Let the allocator give freed frames back at once; call it before threads start.

    By itself glibc keeps blocks of the size of a frame, for each thread, once one was freed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if sys.platform == "linux" and mallopt is not None:
        for option, value in (
            (M_ARENA_MAX, 1),
            (M_MMAP_THRESHOLD, LARGE_BYTES),
            (M_TRIM_THRESHOLD, LARGE_BYTES),
        ):
            mallopt(option, value)
