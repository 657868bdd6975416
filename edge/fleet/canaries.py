"""Whether the boards of the ring canary have tried a bundle or program and kept it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from edge.bundle.history import Standing
from edge.errors import Refused
from edge.fleet.health import in_words, is_silent
from edge.fleet.listening import HeardBoard
from edge.fleet.report import BoardReport
from edge.update.offer import Offer, Ring
from edge.update.program_history import ProgramStanding
from edge.update.program_offer import ProgramOffer

MOST_NAMED = 5
NOT_YET = {
    Standing.UNWATCHED: "not watched: it has no bundle before it to compare with",
    Standing.ON_PROBATION: "on probation",
    Standing.LEFT: "left by a person",
}


class CanaryTrial(Enum):
    """The result of a bundle at a canary board."""

    PASSED = "passed"
    OPEN = "open"
    REJECTED = "rejected"


@dataclass(frozen=True)
class CanaryResult:
    """A bundle at a canary board.

    Attributes:
        board: its name.
        trial: whether it passed.
        why: one line.
    """

    board: str
    trial: CanaryTrial
    why: str


def canary_results(
    boards: Sequence[HeardBoard], offer: Offer | ProgramOffer, now: float
) -> tuple[CanaryResult, ...]:
    """The result of a bundle or program at each board in the ring canary, or not readable.

    Args:
        boards: of the fleet.
        offer: of the bundle or program.
        now: unix seconds.
    """
    found = []
    for board in boards:
        report = board.report
        if report is None:
            unreadable = f"its report cannot be read ({board.problem})"
            found.append(CanaryResult(board.name, CanaryTrial.OPEN, unreadable))
        elif report.ring is Ring.CANARY:
            silent = is_silent(report, board.offline, now)
            trial, why = _trial(report, offer)
            if silent and trial is not CanaryTrial.REJECTED:
                trial, why = CanaryTrial.OPEN, f"silent for {in_words(now - report.at)}"
            found.append(CanaryResult(report.board, trial, why))
    return tuple(found)


def require_passed(
    results: Sequence[CanaryResult], offer: Offer | ProgramOffer, least: int | None
) -> list[str]:
    """See that the canary boards have kept what is offered; returns a line for each that has.

    A board that rolled it back counts against it, however many others passed.

    Args:
        results: of the bundle or program.
        offer: that names it.
        least: how many boards must have passed; None: all that report, and at least one.

    Raises:
        Refused: they have not.
    """
    passed = [each for each in results if each.trial is CanaryTrial.PASSED]
    others = [each for each in results if each.trial is not CanaryTrial.PASSED]
    rejected = any(each.trial is CanaryTrial.REJECTED for each in others)
    needed = max(1, len(results)) if least is None else least
    if len(passed) < needed or rejected:
        named = [f"{each.board}: {each.why}" for each in others[:MOST_NAMED]]
        more = [f"and {len(others) - MOST_NAMED} more"] if len(others) > MOST_NAMED else []
        reasons = "; ".join([*named, *more]) or "no other board reports in the ring canary"
        raise Refused(
            f"{offer.name}, digest {offer.digest[:12]}: not promoted, {len(passed)} of {needed} "
            f"canary boards passed; {reasons}"
        )
    return [f"{each.board}: passed ({each.why})" for each in passed]


def _trial(report: BoardReport, offer: Offer | ProgramOffer) -> tuple[CanaryTrial, str]:
    """What became of it at a board that reports."""
    if isinstance(offer, ProgramOffer):
        return _program_trial(report, offer)
    return _bundle_trial(report, offer.digest)


def _bundle_trial(report: BoardReport, digest: str) -> tuple[CanaryTrial, str]:
    newest, in_use = report.newest, report.bundle
    tried = newest if newest is not None and newest.digest == digest else None
    if tried is not None and tried.standing is Standing.ROLLED_BACK:
        return CanaryTrial.REJECTED, f"rolled back ({tried.why})"
    if in_use is None or in_use.digest != digest:
        runs = "nothing yet" if in_use is None else f"{in_use.name}, digest {in_use.digest[:12]}"
        waits = ", and has it waiting" if tried is not None else ""
        return CanaryTrial.OPEN, f"runs {runs}{waits}"
    if tried is None:
        return CanaryTrial.OPEN, "another bundle was installed after it"
    if tried.standing is Standing.PASSED:
        return CanaryTrial.PASSED, tried.why
    return CanaryTrial.OPEN, NOT_YET[tried.standing]


def _program_trial(report: BoardReport, offer: ProgramOffer) -> tuple[CanaryTrial, str]:
    update = report.program_update
    tried = update if update is not None and update.digest == offer.digest else None
    if tried is None:
        by_hand = ", which it did not pull" if report.program == offer.version else ""
        return CanaryTrial.OPEN, f"runs program {report.program}{by_hand}"
    if tried.standing is ProgramStanding.ROLLED_BACK:
        return CanaryTrial.REJECTED, f"rolled back ({tried.why})"
    if tried.standing is ProgramStanding.PASSED and report.program == offer.version:
        return CanaryTrial.PASSED, tried.why
    return CanaryTrial.OPEN, f"program {tried.version} {tried.standing.value.replace('_', ' ')}"
