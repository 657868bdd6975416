"""What a board reports of itself to who watches the fleet: one small retained message.

The board writes it under `TOPIC/board`, and `ewaste-edge fleet` and `convert/publish.py` read it.
Who reads it takes it for hostile: sizes and ranges are bounded, numbers are finite, and texts are
one line without control characters.
"""

from enum import Enum
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edge.bundle.history import Moment, Standing
from edge.bundle.manifest import LONGEST_NAME
from edge.errors import Refused, first_problem, one_line
from edge.update.offer import Ring
from edge.update.program_history import ProgramStanding

BOARD = "board"
"""The last level of the topic of a report."""
MOST_REPORT_BYTES = 8192
LONGEST_BOARD, LONGEST_PROGRAM, LONGEST_TEXT, LONGEST_ADDRESS = 64, 40, 300, 270


def text_of(longest: int) -> AfterValidator:
    """Make a text one line of so many characters at most, without what a terminal acts on."""
    return AfterValidator(partial(one_line, longest=longest))


Text = Annotated[str, Field(max_length=LONGEST_TEXT), text_of(LONGEST_TEXT)]
BundleName = Annotated[str, Field(max_length=LONGEST_NAME), text_of(LONGEST_NAME)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=10**12)]
Milliseconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Celsius = Annotated[float, Field(ge=-100, le=200, allow_inf_nan=False)]


class LineState(str, Enum):
    """How the line of a board works. The value is what the report holds and the table shows."""

    RUNNING = "running"
    PAUSED = "paused"
    ALL_MANUAL = "manual"
    NO_PICTURE = "blind"
    NO_POSITION = "unmeasured"
    STALLED = "stalled"
    STOPPED = "stopped"


class _Part(BaseModel):
    """Part of a report. Keys of later versions are passed over."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class BundleInUse(_Part):
    """The bundle by which a line decides.

    Attributes:
        name: of the bundle.
        digest: of the bundle.
        created: when it was converted, unix seconds; None: not known.
    """

    name: BundleName
    digest: Digest
    created: Moment | None = None


class NewestBundle(_Part):
    """The bundle that was installed last, which need not be in use.

    Attributes:
        name: of the bundle.
        digest: of the bundle.
        standing: where it stands.
        why: what ended its probation, or its use.
    """

    name: BundleName
    digest: Digest
    standing: Standing
    why: Text = ""


class ProgramUpdate(_Part):
    """The program that the board pulled last from the repository.

    Attributes:
        version, digest: of the program.
        standing: where it stands.
        at: since when, unix seconds.
        why: what it waits for, or what ended its trial.
    """

    version: Annotated[str, Field(max_length=LONGEST_PROGRAM), text_of(LONGEST_PROGRAM)]
    digest: Digest
    standing: ProgramStanding
    at: Moment
    why: Text = ""


class RefusedUpdate(_Part):
    """The last visit to the repository, for a bundle or the program, which took nothing.

    Attributes:
        at: when it was, unix seconds.
        why: it took nothing.
    """

    at: Moment
    why: Text


class BoardReport(_Part):
    """What a board reports of itself.

    Attributes:
        board: its name.
        at: when it reported, unix seconds, by its own clock.
        program: version of the program.
        ring: that it is in.
        state: of its line.
        bundle: in use; None: the line has not named it yet.
        items: that the line counted since its start, like all counts.
        by_hand: items that went to `manual`.
        unknown: items without a label.
        p99_ms: time from the first picture of an item to its verdict that 99 % stay below, ms;
            None: there was no item yet.
        temperature_c: of the processor; None: the board does not tell.
        newest: bundle that was installed last; None: none was.
        program_update: program that was pulled last; None: none was.
        refused: last visit to the repository, if it was refused or failed; None: it was not.
        message: what a person should know or do; empty when all is well.
        page: host and port under which others reach the page of the board; None: it knows none.
    """

    board: Annotated[str, Field(min_length=1, max_length=LONGEST_BOARD), text_of(LONGEST_BOARD)]
    at: Moment
    program: Annotated[str, Field(max_length=LONGEST_PROGRAM), text_of(LONGEST_PROGRAM)]
    ring: Ring
    state: LineState
    bundle: BundleInUse | None = None
    items: Count = 0
    by_hand: Count = 0
    unknown: Count = 0
    p99_ms: Milliseconds | None = None
    temperature_c: Celsius | None = None
    newest: NewestBundle | None = None
    program_update: ProgramUpdate | None = None
    refused: RefusedUpdate | None = None
    message: Text = ""
    page: (
        Annotated[str, Field(max_length=LONGEST_ADDRESS, pattern=r"^[0-9A-Za-z._:\[\]-]+:\d{1,5}$")]
        | None
    ) = None

    @property
    def share_by_hand(self) -> float | None:
        """The share of the items that went to `manual`, 0 to 1; None: there were none."""
        return _share(self.by_hand, self.items)

    @property
    def share_unknown(self) -> float | None:
        """The share of the items without a label, 0 to 1; None: there were none."""
        return _share(self.unknown, self.items)


def _share(counted: int, items: int) -> float | None:
    return min(1.0, counted / items) if items else None


def parse_report(payload: bytes) -> BoardReport:
    """Read the report of a board.

    Raises:
        Refused: it is too long or malformed.
    """
    if len(payload) > MOST_REPORT_BYTES:
        raise Refused(f"{len(payload):,} bytes, more than {MOST_REPORT_BYTES:,}")
    try:
        return BoardReport.model_validate_json(payload)
    except ValidationError as error:
        raise Refused(first_problem(error)) from None
