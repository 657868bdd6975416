"""What became of the programs that a board pulled: one small file, which root alone writes.

The link `/opt/ewaste-edge` says which program is in use. This file says which one is being tried,
what to go back to, and which ones were gone back from. The line reads it, to report it.
"""

from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.bundle.history import Moment
from edge.errors import BadInput
from edge.files import read_bounded, write_whole
from edge.update.outcome import LONGEST_WHY, FailedVisit
from edge.update.program_offer import Digest

PROGRAM_UPDATES = Path("/var/lib/ewaste-edge-program")
"""The folder of root's own part of the updates."""
HISTORY_NAME = "program.json"
READABLE = 0o644
MOST_BYTES, MOST_REFUSED = 2**18, 50
EnvironmentName = Annotated[str, Field(pattern=r"^ewaste-edge-[0-9a-f]{12}$")]
Why = Annotated[str, Field(max_length=LONGEST_WHY)]
Version = Annotated[str, Field(max_length=40)]


class ProgramStanding(str, Enum):
    """Where a program stands that a board pulled."""

    WAITING = "waiting"
    ON_PROBATION = "on_probation"
    PASSED = "passed"
    ROLLED_BACK = "rolled_back"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProgramOutcome(_Part):
    """Where the program stands that was pulled last.

    Attributes:
        version, digest: of the program.
        standing: where it stands.
        at: since when, unix seconds.
        why: one line.
    """

    version: Version
    digest: Digest
    standing: ProgramStanding
    at: Moment
    why: Why = ""


class ProgramTrial(_Part):
    """A program that is being tried.

    Attributes:
        version, digest: of the program.
        before: the environment that was in use, and that is gone back to.
        after: that of the program which is tried.
        began_at: when it began, unix seconds.
        tries: how often it began; more than once after a power cut.
        services: that ran before, and must run again.
        moving: whether frames moved through the line before, and must move again.
        failed_checks: of the doctor, which failed before.
        returning: why it is gone back from; empty: it is not.
    """

    version: Version
    digest: Digest
    before: EnvironmentName
    after: EnvironmentName
    began_at: Moment
    tries: Annotated[int, Field(ge=1, le=1000)] = 1
    services: Annotated[tuple[str, ...], Field(max_length=10)] = ()
    moving: bool = False
    failed_checks: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    returning: Why = ""


class ProgramHistory(_Part):
    """What is remembered of the programs that were pulled.

    Attributes:
        trial: the one that is being tried; None: none is.
        last: where the last one stands.
        failed: the last visit, if it took nothing because it failed; None: it did not.
        refused: digests of those that were gone back from, the oldest first.
    """

    trial: ProgramTrial | None = None
    last: ProgramOutcome | None = None
    failed: FailedVisit | None = None
    refused: Annotated[tuple[Digest, ...], Field(max_length=MOST_REFUSED)] = ()


def read_program_history(folder: Path) -> ProgramHistory:
    """The history in a folder; an empty one where there is none.

    Raises:
        BadInput: it is damaged, or cannot be read.
    """
    path = folder / HISTORY_NAME
    try:
        return ProgramHistory.model_validate_json(read_bounded(path, MOST_BYTES))
    except FileNotFoundError:
        return ProgramHistory()
    except (OSError, ValidationError) as error:
        reason = getattr(error, "strerror", "malformed")
        raise BadInput(f"{path}: cannot be read ({reason}); remove it") from None


def write_program_history(folder: Path, history: ProgramHistory) -> None:
    """Replace the history; it survives a power cut.

    Raises:
        OSError: it cannot be written.
    """
    content = history.model_dump_json(indent=1).encode() + b"\n"
    write_whole(folder / HISTORY_NAME, content, mode=READABLE)
