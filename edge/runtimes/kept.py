"""What was measured on this board, in its state folder: its own verdict on the runtimes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import BadInput, EwasteError
from edge.files import make_private_folder, read_bounded, write_whole
from edge.inference.backend import RUNTIMES
from edge.runtimes.machine import Machine

CHOICE_NAME = "runtime.json"
READABLE = 0o644
"""Its rights: what an administrator wrote, the service must be able to read."""
MOST_BYTES = 64 * 1024
LONGEST_REASON = 500

Milliseconds = Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Threads = Annotated[int, Field(ge=1, le=64)]
Short = Annotated[str, Field(max_length=100)]
Runtime = Annotated[str, Field(pattern=f"^({'|'.join(RUNTIMES)})$")]


class KeptTrial(BaseModel):
    """What became of a candidate (`edge.runtimes.trial.RuntimeTrial`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime: Runtime
    threads: Threads
    delegate: bool
    refused: Annotated[str, Field(max_length=LONGEST_REASON)] = ""
    steps_off: Annotated[int, Field(ge=0, le=2**31)] | None = None
    median_ms: Milliseconds | None = None
    p95_ms: Milliseconds | None = None


class KeptChoice(BaseModel):
    """The runtime that was the quickest, and what it holds for.

    Attributes:
        format: of this file.
        bundle: digest of the bundle that it was measured with.
        machine: that it was measured on.
        versions: of the runtimes and of numpy; of a delegate the digest.
        runtime, threads: what was chosen.
        measured_at: unix seconds.
        trials: all that were tried.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    bundle: Digest
    machine: Machine
    versions: Annotated[Mapping[Short, Short], Field(max_length=20)]
    runtime: Runtime
    threads: Threads
    measured_at: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
    trials: Annotated[tuple[KeptTrial, ...], Field(max_length=200)]

    @property
    def chosen(self) -> KeptTrial | None:
        """The trial of what was chosen; None: the file was written by somebody else."""
        with_delegate = "delegate" in self.versions
        for each in self.trials:
            if (each.runtime, each.threads, each.delegate) == (
                self.runtime,
                self.threads,
                with_delegate,
            ):
                return each
        return None


class BrokenChoice(EwasteError):
    """The file of the choice cannot be used."""


def read_choice(path: Path) -> KeptChoice | None:
    """Read what was chosen; None: nothing was yet.

    Raises:
        BrokenChoice: the file cannot be read, or holds anything else.
    """
    try:
        choice = KeptChoice.model_validate_json(read_bounded(path, MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValidationError, BadInput, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is no choice of a runtime"
        raise BrokenChoice(f"{path}: {reason}") from None
    if choice.chosen is None or choice.chosen.refused:
        raise BrokenChoice(f"{path}: chooses what was not tried")
    return choice


def write_choice(path: Path, choice: KeptChoice) -> None:
    """Write what was chosen, whole or not at all.

    Raises:
        EwasteError: it cannot be written.
    """
    content = choice.model_dump_json(indent=2).encode() + b"\n"
    try:
        make_private_folder(path.parent, (path.name,))
        write_whole(path, content, mode=READABLE)
    except OSError as error:
        raise EwasteError(
            f"{path}: cannot be written ({error.strerror}); check space and rights"
        ) from None
