"""How the last visit to the repository ended: one small file, for who watches the board."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.bundle.history import Moment
from edge.errors import BadInput, EwasteError, one_line
from edge.files import PRIVATE, read_bounded, write_whole

OUTCOME_NAME = "refused.json"
"""In the folder of `edge.update`; it is there only where the last visit took nothing."""
MOST_BYTES, LONGEST_WHY = 8192, 300


class FailedVisit(BaseModel):
    """The last visit, which was refused or failed.

    Attributes:
        at: unix seconds.
        why: one line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Moment
    why: Annotated[str, Field(max_length=LONGEST_WHY)]


@contextmanager
def noted(folder: Path, now: float) -> Iterator[None]:
    """Within: a visit to the repository, whose failure is written down, and is raised as it was.

    Bad input is not: it is of who asks, such as root in place of the user of the line.

    Args:
        folder: of `edge.update`; where it is missing nothing is written.
        now: unix seconds.
    """
    try:
        yield
    except BadInput:
        raise
    except EwasteError as error:
        visit = FailedVisit(at=now, why=one_line(error, LONGEST_WHY))
        with suppress(OSError):  # on a full disk the reason itself matters more
            write_whole(folder / OUTCOME_NAME, visit.model_dump_json().encode(), mode=PRIVATE)
        raise
    with suppress(OSError):
        (folder / OUTCOME_NAME).unlink(missing_ok=True)


def failed_visit(folder: Path) -> FailedVisit | None:
    """The last visit, if it was refused or failed; None: it was not, or nobody knows."""
    try:
        return FailedVisit.model_validate_json(read_bounded(folder / OUTCOME_NAME, MOST_BYTES))
    except (OSError, BadInput, ValidationError):
        return None
