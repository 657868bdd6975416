"""What the canary boards must report before a bundle is promoted."""

import re
from datetime import datetime, timezone

import pytest

from edge.bundle.history import Standing
from edge.errors import Refused
from edge.fleet.canaries import canary_results, require_passed
from edge.fleet.listening import HeardBoard
from edge.update.offer import Offer, Ring
from edge.update.program_offer import ProgramOffer
from tests.support.fleet import NEW, NOW, OLD, OLD_BUNDLE, heard_of, newest

OFFER = Offer(
    bundle=f"bundle-{NEW[:16]}.zip",
    name="november",
    digest=NEW,
    created=datetime(2026, 11, 20, tzinfo=timezone.utc),
)
PASSED = heard_of("line-1")
ON_PROBATION = heard_of("line-2", newest=newest(Standing.ON_PROBATION))
ROLLED_BACK = heard_of(
    "line-3", bundle=OLD_BUNDLE, newest=newest(Standing.ROLLED_BACK, "28 of 28 unknown")
)


def promoted(*boards: HeardBoard, least: int | None = None) -> list[str]:
    return require_passed(canary_results(boards, OFFER, NOW), OFFER, least)


def test_all_canary_boards_must_have_passed_and_others_do_not_count() -> None:
    all_ring = heard_of("line-9", ring=Ring.ALL, bundle=OLD_BUNDLE, newest=None)
    assert promoted(PASSED, all_ring) == ["line-1: passed (20 of 200 items unknown or by hand)"]
    with pytest.raises(Refused, match=r"1 of 2 canary boards passed; line-2: on probation$"):
        promoted(PASSED, ON_PROBATION)
    assert promoted(PASSED, ON_PROBATION, least=1)
    with pytest.raises(Refused, match="1 of 2 canary boards passed"):
        promoted(PASSED, least=2)


def test_one_that_rolled_it_back_counts_against_it_also_when_it_is_silent() -> None:
    for silent in (False, True):
        bad = HeardBoard(ROLLED_BACK.topic, ROLLED_BACK.report, offline=silent)
        with pytest.raises(Refused, match=r"line-3: rolled back \(28 of 28 unknown\)"):
            promoted(PASSED, bad, least=1)


NOT_PASSED = {
    "no board": ((), "0 of 1 canary boards passed; no other board reports in the ring canary"),
    "silent": ((heard_of(at=NOW - 7200),), "line-1: silent for 2 h"),
    "lost": ((heard_of(offline=True),), "line-1: silent for 20 s"),
    "the old one runs": (
        (heard_of(bundle=OLD_BUNDLE, newest=newest(Standing.PASSED, digest=OLD)),),
        "line-1: runs autumn, digest aaaaaaaaaaaa$",
    ),
    "it waits": (
        (heard_of(bundle=OLD_BUNDLE, newest=newest(Standing.ON_PROBATION)),),
        "line-1: runs autumn, digest aaaaaaaaaaaa, and has it waiting",
    ),
    "no bundle": ((heard_of(bundle=None, newest=None),), "line-1: runs nothing yet"),
    "left": ((heard_of(newest=newest(Standing.LEFT)),), "line-1: left by a person"),
    "unwatched": ((heard_of(newest=newest(Standing.UNWATCHED)),), "line-1: not watched"),
    "another one after it": (
        (heard_of(newest=newest(Standing.ROLLED_BACK, digest=OLD)),),
        "another bundle was installed after it",
    ),
    "unreadable": (
        (PASSED, HeardBoard("plant/x", None, problem="no JSON")),
        r"plant/x: its report cannot be read \(no JSON\)",
    ),
}


@pytest.mark.parametrize("kind", NOT_PASSED)
def test_what_has_not_passed_is_named(kind: str) -> None:
    boards, reason = NOT_PASSED[kind]
    with pytest.raises(Refused, match=reason) as caught:
        promoted(*boards)
    assert "\n" not in str(caught.value)


def test_many_boards_are_one_line_of_a_few() -> None:
    boards = [heard_of(f"line-{n}", newest=newest(Standing.ON_PROBATION)) for n in range(200)]
    with pytest.raises(Refused, match=r"and 195 more$"):
        promoted(*boards)


PROGRAM = ProgramOffer(
    version="0.2.0",
    digest="c" * 64,
    machines=("aarch64-3.11",),
    files=({"path": "ewaste_edge-0.2.0-py3-none-any.whl", "digest": "c" * 64},),
)
PULLED = {"version": "0.2.0", "digest": "c" * 64, "at": NOW, "why": "all that ran before runs"}


@pytest.mark.parametrize(
    ("program", "update", "answer"),
    [
        ("0.2.0", PULLED | {"standing": "passed"}, "line-1: passed .all that ran before runs.$"),
        ("0.1.0", None, "line-1: runs program 0.1.0$"),
        ("0.2.0", None, "line-1: runs program 0.2.0, which it did not pull$"),
        ("0.1.0", PULLED | {"standing": "passed"}, "line-1: program 0.2.0 passed$"),
        ("0.2.0", PULLED | {"standing": "on_probation"}, "line-1: program 0.2.0 on probation$"),
        ("0.1.0", PULLED | {"standing": "rolled_back"}, "line-1: rolled back .all that"),
        ("0.2.0", PULLED | {"standing": "passed", "digest": "d" * 64}, "which it did not pull$"),
    ],
)
def test_a_program_passed_where_it_runs_and_was_tried(program, update, answer) -> None:
    boards = [heard_of(program=program, program_update=update)]
    results = canary_results(boards, PROGRAM, NOW)
    if "passed .all" in answer:
        assert re.search(answer, require_passed(results, PROGRAM, None)[0])
        return
    with pytest.raises(Refused, match="program 0.2.0, digest cccccccccccc: not promoted") as no:
        require_passed(results, PROGRAM, None)
    assert re.search(answer, str(no.value))
