"""How each board of a fleet is doing: one word, and why."""

from enum import Enum

from edge.bundle.history import Standing
from edge.errors import one_line
from edge.fleet.listening import HeardBoard
from edge.fleet.own import EVERY_S
from edge.fleet.report import BoardReport, LineState
from edge.update.program_history import ProgramStanding

SILENT_S = 3 * EVERY_S
"""A board that has not reported for so long is silent."""
CLOCK_S = 300.0
"""A report from so far ahead comes from a clock that is wrong."""
LONGEST_REASON = 240
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0


class Health(str, Enum):
    """How a board is doing. The value is the word that the table shows."""

    RUNNING = "running"
    PAUSED = "paused"
    ALL_MANUAL = "manual"
    ROLLED_BACK = "rolled back"
    NO_PICTURE = "blind"
    NO_POSITION = "unmeasured"
    STALLED = "stalled"
    STOPPED = "stopped"
    SILENT = "silent"
    UNREADABLE = "unreadable"


def health_of(board: HeardBoard, now: float) -> tuple[Health, str]:
    """How a board is doing, and why, one line; `now` is unix seconds."""
    report = board.report
    if report is None:
        return Health.UNREADABLE, one_line(board.problem, LONGEST_REASON)
    word = _word(report, board.offline, now)
    reasons = [_time_note(word, report, now), *_bundle_notes(word, report), _program_note(report)]
    if word is not Health.ROLLED_BACK:  # both would say the same again
        reasons += [report.refused.why if report.refused else "", report.message]
    return word, one_line("; ".join(reason for reason in reasons if reason), LONGEST_REASON)


def is_silent(report: BoardReport, offline: bool, now: float) -> bool:
    """Whether nothing is known of a board by now, though it has not stopped in order."""
    return report.state is not LineState.STOPPED and (offline or now - report.at > SILENT_S)


def in_words(seconds: float) -> str:
    """A time for people: `12 s`, `5 min`, `3 h`, `2 d`."""
    for unit_s, unit, least in ((DAY_S, "d", 2), (HOUR_S, "h", 1), (MINUTE_S, "min", 2)):
        if seconds >= least * unit_s:
            return f"{seconds // unit_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _word(report: BoardReport, offline: bool, now: float) -> Health:
    if is_silent(report, offline, now):
        return Health.SILENT
    if report.state in (LineState.RUNNING, LineState.PAUSED, LineState.ALL_MANUAL):
        newest = report.newest
        if newest is not None and newest.standing is Standing.ROLLED_BACK:
            return Health.ROLLED_BACK
    return Health(report.state.value)


def _time_note(word: Health, report: BoardReport, now: float) -> str:
    age_s = now - report.at
    if age_s < -CLOCK_S:
        return f"its clock is {in_words(-age_s)} ahead"
    return f"for {in_words(age_s)}" if word in (Health.SILENT, Health.STOPPED) else ""


def _bundle_notes(word: Health, report: BoardReport) -> list[str]:
    newest = report.newest
    if newest is None:
        return []
    if word is Health.ROLLED_BACK:
        return [f"{newest.name}: {newest.why}"]
    if newest.standing is Standing.ROLLED_BACK:
        return [f"{newest.name} rolled back: {newest.why}"]
    if newest.standing is Standing.ON_PROBATION:
        in_use = report.bundle is not None and report.bundle.digest == newest.digest
        return [f"{newest.name} {'on probation' if in_use else 'waits'}"]
    return []


def _program_note(report: BoardReport) -> str:
    """What stands out of the program that was pulled last; nothing if it runs."""
    update = report.program_update
    if update is None or update.standing is ProgramStanding.PASSED:
        return ""
    name = f"program {update.version}"
    if update.standing is ProgramStanding.ROLLED_BACK:
        return f"{name} rolled back: {update.why}"
    if update.standing is ProgramStanding.ON_PROBATION:
        return f"{name} on probation"
    return f"{name} {update.why}"
