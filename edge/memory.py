"""Keeping the device process small; without effect outside Linux with glibc."""

import ctypes
import sys
from pathlib import Path

MADV_DONTNEED = 4  # Linux, <bits/mman-linux.h>
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


def release_mapped(path: Path) -> None:
    """Drop the resident pages of `path` from this process.

    A TFLite runtime maps the model and copies the weights into a layout of its own; a small device
    has better use for the pages of the first copy.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    mapped = str(path.resolve())
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, *_, name = line.split(None, 5)
        # Read-only pages are the file's; private ones that were written to must stay.
        if name == mapped and "w" not in rights:
            start, end = (int(address, 16) for address in addresses.split("-"))
            madvise(start, end - start, MADV_DONTNEED)
