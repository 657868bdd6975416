"""What a measured time depends on: the processor, its cores, and the installed versions."""

import hashlib
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from edge.board import kernel_text
from edge.errors import BadInput, one_line
from edge.files import read_bounded
from edge.inference.backend import RUNTIMES, Delegate, package_versions

PROCESSORS, BOARD = Path("/proc/cpuinfo"), Path("/proc/device-tree/model")
MOST_READ, LONGEST_NAME = 2**16, 120
NUMPY, DELEGATE = "numpy", "delegate"
LARGEST_DELEGATE = 512 * 2**20


class Machine(BaseModel):
    """What computes.

    Attributes:
        processor: as the kernel calls it, with the board where it names one.
        cores: that this process may use.
        architecture: of the kernel, such as `aarch64`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str = Field(max_length=LONGEST_NAME)
    cores: int = Field(ge=1, le=4096)
    architecture: str = Field(max_length=LONGEST_NAME)

    @property
    def in_words(self) -> str:
        """The machine, one line."""
        return f"{self.processor}, {self.cores} cores, {self.architecture}"


def this_machine(processors: Path = PROCESSORS, board: Path = BOARD) -> Machine:
    """The machine that this process runs on, as the kernel's files describe it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = list(_names(kernel_text(processors, MOST_READ), kernel_text(board).rstrip("\0")))
    return Machine(
        processor=one_line(", ".join(dict.fromkeys(words)) or "unknown processor", LONGEST_NAME),
        cores=cores or 1,
        architecture=one_line(platform.machine() or "unknown", LONGEST_NAME),
    )


def versions_here(delegate: Delegate | None) -> dict[str, str]:
    """The versions of the runtimes and of numpy, and the digest of the delegate with its options.

    Raises:
        BadInput: the delegate cannot be read.
    """
    found = package_versions((*RUNTIMES.values(), NUMPY))
    if delegate is None:
        return found
    try:
        digest = hashlib.sha256(read_bounded(delegate.path, LARGEST_DELEGATE))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no name of a file"
        raise BadInput(f"{delegate.path}: the delegate cannot be read ({reason})") from None
    digest.update(repr(delegate.options).encode("utf-8", "surrogatepass"))
    return found | {DELEGATE: digest.hexdigest()}


def _names(processors: str, board: str) -> Iterator[str]:
    """The board's name, and the processor's; on ARM its kind of core stands in numbers."""
    if board:
        yield board
    for field in ("model name", "Model"):
        if found := re.search(rf"(?m)^{field}\s*:\s*(\S.*)$", processors):
            yield found[1].strip()
            return
    implementer = re.search(r"(?m)^CPU implementer\s*:\s*(\w+)", processors)
    part = re.search(r"(?m)^CPU part\s*:\s*(\w+)", processors)
    if implementer and part:
        yield f"core {part[1]} of implementer {implementer[1]}"
