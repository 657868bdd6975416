"""Whether the disk of the state folder takes what the configuration lets the line keep."""

import os
from pathlib import Path

from edge.config import RecordsConfig
from edge.doctor.check import BoardCheck, failure, ok, warning
from edge.records.database import MEGABYTE

NAME = "disk"
LEAST_FREE_MB = 100
"""With less the records of the next days may find no room: one with its picture takes some KB."""


def existing_part(path: Path) -> Path:
    """The path, or the nearest folder above it that is there and may be looked at."""
    path = path.absolute()
    while not os.path.exists(path) and path != path.parent:  # noqa: PTH110 (never raises)
        path = path.parent
    return path


def disk(state: Path, records: Path, kept: RecordsConfig) -> BoardCheck:
    """Whether the disk can be written, and has room for the records that are to be kept.

    Args:
        state: the state folder; where it is missing, the disk that it would be made on counts.
        records: the file of the records in it, which may be missing.
        kept: how much is to be kept.

    Raises:
        OSError: the disk does not answer.
    """
    found = os.statvfs(existing_part(state))
    if found.f_flag & os.ST_RDONLY:
        return failure(
            NAME,
            f"{state}: the disk is read-only; nothing can be recorded",
            "sudo mount -o remount,rw its mount point; if it comes back read-only, the card or "
            "disk is worn out: replace it",
        )
    free_mb = found.f_bavail * found.f_frsize / MEGABYTE
    used_mb = records.stat().st_size / MEGABYTE if records.is_file() else 0.0
    missing_mb = max(0.0, kept.megabytes - used_mb)
    figures = f"{state}: {free_mb:,.0f} MB are free"
    if free_mb < LEAST_FREE_MB:
        fix = f"free at least {LEAST_FREE_MB} MB there, or set another state"
        return failure(NAME, f"{figures}, at least {LEAST_FREE_MB} MB are needed", fix)
    if free_mb - LEAST_FREE_MB < missing_mb:
        possible_mb = max(10.0, used_mb + free_mb - LEAST_FREE_MB)
        return warning(
            NAME,
            f"{figures}, and the records may grow by {missing_mb:,.0f} MB",
            f"set [records] megabytes = {possible_mb:.0f}, or free some room",
        )
    return ok(NAME, f"{figures}, the records may grow by {missing_mb:,.0f} MB")
