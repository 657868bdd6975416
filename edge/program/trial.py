"""A program on trial: taken into use, watched, and kept or gone back from.

What is being done is written down before it is done. So whatever happens to this process or to the
power, the link to the program names a whole environment, and the next visit goes on or goes back.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from edge.errors import EwasteError, Refused, one_line
from edge.program.board import LINE, UpdatedBoard
from edge.setup.environment import others, prove, remove, replace_link
from edge.setup.places import NAME
from edge.setup.services import START_S
from edge.status import NO_PICTURE
from edge.update.outcome import LONGEST_WHY
from edge.update.program_history import (
    MOST_REFUSED,
    ProgramOutcome,
    ProgramStanding,
    ProgramTrial,
)

log = logging.getLogger(__name__)

MOST_TRIES = 3
"""A trial that is interrupted so often may be what interrupts it."""
MOST_CHANGES = 12
TAKE_S, DOCTOR_S = 1800.0, 120.0
ESSENTIAL = ("python", "runtime", "bundle", "state folder", "service", "page service", "doctor")
"""Checks of the doctor that a program must not fail which the one before did not."""


def begin(board: UpdatedBoard, version: str, digest: str, after: Path) -> str:
    """Take a program into use on trial; returns what became of it.

    Args:
        board: where.
        version: of the program.
        digest: of the program.
        after: its environment, whole.

    Raises:
        Refused: it was gone back from.
        EwasteError: nothing can be written.
    """
    before = board.places.program.resolve()
    status, services = board.status(), board.active()
    at_work = status is not None and status.is_at_work(board.now())
    moving = at_work and status is not None and status.frames > 0 and status.state != NO_PICTURE
    trial = ProgramTrial(
        version=version,
        digest=digest,
        before=before.name,
        after=after.name,
        began_at=board.now(),
        services=services,
        moving=moving and LINE in services,
        failed_checks=_failed_checks(board, before),
    )
    _note(board, trial, ProgramStanding.ON_PROBATION, goes_on=True)
    return _go_on(board, trial)


def settle(board: UpdatedBoard) -> str | None:
    """Finish a trial that was interrupted; None: none was, or it had not begun.

    Raises:
        Refused: the program was gone back from.
        EwasteError: nothing can be written.
    """
    trial = board.history.trial
    if trial is None:
        return None
    used = board.places.program.resolve().name
    if used not in (trial.before, trial.after):  # a person installed another one
        board.remember(trial=None)
        return f"program {trial.version}: its trial ended, another program was installed"
    if trial.returning:
        return _go_back(board, trial, trial.returning, again=True)
    if board.places.proven.resolve().name == trial.after:
        return _keep(board, trial)
    if used == trial.before:  # it was not in use yet; the visit that begins now waits for the belt
        board.remember(trial=None, last=None)
        return None
    if trial.tries >= MOST_TRIES:
        why = f"its trial was interrupted {trial.tries} times"
        return _go_back(board, trial, why, again=True)
    trial = trial.model_copy(update={"tries": trial.tries + 1, "began_at": board.now()})
    board.remember(trial=trial)
    return _go_on(board, trial, again=True)


def _go_on(board: UpdatedBoard, trial: ProgramTrial, again: bool = False) -> str:
    """Take it, watch it, and keep it or go back."""
    problem = _take(board, trial.after, trial.services if again else ())
    problem = problem or watch(board, trial) or _new_faults(board, trial)
    return _go_back(board, trial, problem) if problem else _keep(board, trial)


def _take(board: UpdatedBoard, name: str, restarted: tuple[str, ...]) -> str:
    """Take an environment into use, by its own installer; returns what is wrong.

    `restarted` are services that may still run the other one.
    """
    program = board.places.programs / name / "bin" / NAME
    try:
        board.run((program, "setup", "--on-trial"), seconds=TAKE_S)
        for service in restarted:
            board.run(("systemctl", "restart", service), seconds=START_S)
    except EwasteError as error:
        return str(error)
    return ""


def watch(board: UpdatedBoard, trial: ProgramTrial) -> str:
    """See that what ran before runs again, and goes on; returns what is wrong, or nothing."""
    bounds, started = board.bounds, board.now()
    seen = _Seen(moved_at=started)
    up_since: float | None = None
    while True:
        now = board.now()
        seen, problem = _look(board, trial, seen, now)
        up_since = None if problem else up_since or now
        if up_since is not None and now - up_since >= bounds.stays_s:
            return ""
        if up_since is None and now - started > bounds.up_s:
            return f"{problem} within {bounds.up_s:g} s"
        if seen.changes >= MOST_CHANGES:
            return f"{', '.join(trial.services)} did not stay up, after {seen.changes // 2} starts"
        board.wait(bounds.look_s)


@dataclass(frozen=True)
class _Seen:
    """What the last look found.

    Attributes:
        moved_at: when there was a new frame, unix seconds.
        frames: that the line had looked at; -1: nobody knows.
        processes: main processes of the services.
        changes: how often one of these was another; a start is two, an end and a beginning.
    """

    moved_at: float
    frames: int = -1
    processes: tuple[str, ...] = ()
    changes: int = 0


def _look(board: UpdatedBoard, trial: ProgramTrial, seen: _Seen, now: float) -> tuple[_Seen, str]:
    """Look once; returns what was found, and what is wrong."""
    status, active = board.status(), board.active()
    processes = tuple(board.main_process(each) for each in trial.services)
    moved_at, frames = seen.moved_at, seen.frames
    if status is not None and status.updated_at > trial.began_at and status.is_at_work(now):
        moved_at = now if 0 <= frames != status.frames else moved_at
        frames = status.frames
    changes = seen.changes + (processes != seen.processes)
    found = _Seen(moved_at, frames, processes, changes)
    lacking = [each for each in trial.services if each not in active]
    if lacking:
        return found, f"{', '.join(lacking)} did not come up"
    if trial.moving and (frames < 1 or now - moved_at > board.bounds.moves_s):
        return found, "no frames moved through the line"
    if processes != seen.processes:
        return found, f"{', '.join(trial.services)} did not stay up"
    return found, ""


def _new_faults(board: UpdatedBoard, trial: ProgramTrial) -> str:
    """Essential checks of the doctor that fail, and did not before, in words."""
    failed = _failed_checks(board, board.places.programs / trial.after)
    new = [name for name in failed if name in ESSENTIAL and name not in trial.failed_checks]
    return f"the doctor finds a fault: {', '.join(new)}" if new else ""


def _failed_checks(board: UpdatedBoard, environment: Path) -> tuple[str, ...]:
    """The checks that the doctor of an environment finds a failure in."""
    program = environment / "bin" / NAME
    where = ("--config", board.places.settings, "--state", board.state)
    # A doctor that finds a failure ends with 3, and what it printed counts.
    command = ("sh", "-c", '"$@" || [ $? = 3 ]', "sh", program, "doctor", "--json", *where)
    try:
        rows = json.loads(board.run(command, seconds=DOCTOR_S))["checks"]
        failed = [row["name"] for row in rows if row["state"] == "failure"]
        return tuple(one_line(name, 40) for name in failed)[:100]
    except (EwasteError, ValueError, LookupError, TypeError):
        return ("doctor",)


def _keep(board: UpdatedBoard, trial: ProgramTrial) -> str:
    """Let it be what updates run from, and remove the one before."""
    prove(board.places)
    why = "all that ran before runs, and the doctor finds no new fault"
    _note(board, trial, ProgramStanding.PASSED, why)
    _remove_others(board)
    return f"program {trial.version}: in use"


def _go_back(board: UpdatedBoard, trial: ProgramTrial, problem: str, again: bool = False) -> str:
    """Take the one before into use again.

    Raises:
        Refused: it was done.
    """
    places, why = board.places, one_line(problem, LONGEST_WHY)
    trial = trial.model_copy(update={"returning": why})
    _note(board, trial, ProgramStanding.ON_PROBATION, goes_on=True)
    failed = _take(board, trial.before, trial.services if again else ())
    if failed or places.program.resolve().name != trial.before:
        log.warning("the installer before does not work (%s); the link is put back", failed)
        replace_link(places.program, Path(trial.before))
        for service in trial.services:
            try:
                board.run(("systemctl", "restart", service), seconds=START_S)
            except EwasteError as error:
                log.warning("%s", error)
    _note(board, trial, ProgramStanding.ROLLED_BACK, why)
    _remove_others(board)
    raise Refused(
        f"program {trial.version}: gone back from, to {trial.before}: {why}; publish another"
    )


def _note(
    board: UpdatedBoard,
    trial: ProgramTrial,
    standing: ProgramStanding,
    why: str = "",
    *,
    goes_on: bool = False,
) -> None:
    """Write down where a trial stands, and whether it goes on."""
    last = ProgramOutcome(
        version=trial.version, digest=trial.digest, standing=standing, at=board.now(), why=why
    )
    refused = board.history.refused
    if standing is ProgramStanding.ROLLED_BACK and trial.digest not in refused:
        refused = (*refused, trial.digest)[-MOST_REFUSED:]
    board.remember(trial=trial if goes_on else None, last=last, refused=refused)


def _remove_others(board: UpdatedBoard) -> None:
    """Remove environments that are not in use; what cannot be removed is tried again later."""
    for folder in others(board.places):
        try:
            remove(folder)
        except OSError as error:
            log.warning("%s: cannot be removed (%s)", folder, error.strerror)
