"""What a check of the board found."""

from dataclasses import dataclass
from enum import Enum

from edge.errors import one_line

LONGEST_DETAIL, LONGEST_FIX = 400, 300


class CheckState(Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class BoardCheck:
    """One check of the board.

    Attributes:
        name: of what was looked at; the same in every run.
        state: how it ended.
        detail: what was found, one line.
        fix: what to type or to change; empty where the state is OK.
    """

    name: str
    state: CheckState
    detail: str
    fix: str = ""


def ok(name: str, detail: str) -> BoardCheck:
    """A check that found all well."""
    return BoardCheck(name, CheckState.OK, one_line(detail, LONGEST_DETAIL))


def warning(name: str, detail: str, fix: str) -> BoardCheck:
    """A check that found what the line can run with."""
    return BoardCheck(
        name, CheckState.WARNING, one_line(detail, LONGEST_DETAIL), one_line(fix, LONGEST_FIX)
    )


def failure(name: str, detail: str, fix: str) -> BoardCheck:
    """A check that found what the line cannot run with."""
    return BoardCheck(
        name, CheckState.FAILURE, one_line(detail, LONGEST_DETAIL), one_line(fix, LONGEST_FIX)
    )


def failed_with(name: str, message: object, fix: str) -> BoardCheck:
    """A failure by a message of ours, which ends with what to do; else that is `fix`."""
    detail, _, remedy = str(message).rpartition("; ")
    return failure(name, detail, remedy) if detail else failure(name, remedy, fix)
