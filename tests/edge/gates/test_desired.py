import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.errors import EwasteError
from edge.gates.desired import DesiredGates
from edge.gates.schedule import GateCommand

BINS = ("a", "b")


def carry_out(desired: DesiredGates, now: float) -> list[GateCommand]:
    commands = desired.due(now)
    for command in commands:
        desired.done(command)
    return commands


def test_everything_is_closed_first_and_again_after_the_output_was_lost():
    desired = DesiredGates(BINS)
    assert carry_out(desired, 0.0) == [GateCommand("a", False), GateCommand("b", False)]
    desired.want("b", True, 1.0)
    assert carry_out(desired, 1.0) == [GateCommand("b", True)]
    assert carry_out(desired, 1.0) == []
    desired.forget()
    assert carry_out(desired, 1.1) == [GateCommand("a", False), GateCommand("b", False)]
    assert (desired.opened, desired.dropped) == (1, 1)


def test_an_opening_that_comes_too_late_is_given_up():
    desired = DesiredGates(BINS, latest_opening_s=0.1)
    carry_out(desired, 0.0)
    desired.want("a", True, 1.0)
    desired.heard(1.2)
    assert carry_out(desired, 1.2) == [] and desired.dropped == 1
    desired.want("a", False, 1.3)
    assert carry_out(desired, 1.3) == [] and desired.dropped == 1


def test_a_gate_that_is_to_close_and_to_open_again_before_either_was_done_stays_open():
    desired = DesiredGates(BINS, latest_opening_s=0.1)
    carry_out(desired, 0.0)
    desired.want("a", True, 1.0)
    carry_out(desired, 1.0)
    desired.want("a", False, 1.5)
    desired.want("a", True, 1.51)
    assert carry_out(desired, 1.52) == [GateCommand("a", True)]
    assert carry_out(desired, 1.9) == [] and desired.dropped == 0


def test_a_line_that_falls_silent_has_its_gates_closed():
    desired = DesiredGates(BINS, dead_man_s=1.0)
    carry_out(desired, 0.0)
    desired.want("a", True, 1.0)
    carry_out(desired, 1.0)
    desired.heard(1.9)
    assert carry_out(desired, 2.8) == []
    assert carry_out(desired, 3.0) == [GateCommand("a", False)]


def test_an_unknown_gate_is_named():
    with pytest.raises(EwasteError, match="'screens'"):
        DesiredGates(BINS).want("screens", True, 0.0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "close", "alive", "carry out", "fail", "doubt", "close all"]),
        st.sampled_from(BINS),
        st.floats(0.0, 1.5),
    ),
    max_size=40,
)


OPEN_LATE_AND_ANEW = [
    ("open", "a", 0.0),
    ("carry out", "a", 1.0),
    ("open", "a", 0.0),
    ("carry out", "a", 0.0),
]
OPEN_ANEW_AFTER_A_FAULT = [
    ("open", "a", 0.0),
    ("carry out", "a", 0.0),
    ("fail", "a", 0.5),
    ("open", "a", 0.0),
    ("carry out", "a", 0.0),
]
OPEN_ANEW_AFTER_SILENCE = [
    ("open", "a", 0.0),
    ("carry out", "a", 0.0),
    ("carry out", "a", 1.5),
    ("open", "a", 0.0),
    ("carry out", "a", 0.0),
]


@settings(deadline=None)
@given(STEPS)
@example(OPEN_LATE_AND_ANEW)
@example(OPEN_ANEW_AFTER_A_FAULT)
@example(OPEN_ANEW_AFTER_SILENCE)
def test_no_gate_is_opened_late_or_against_the_lines_last_word(steps):
    """An output that fails at any moment: what it does never goes against the line's last word."""
    desired = DesiredGates(BINS, latest_opening_s=0.1, dead_man_s=1.0)
    now, heard_at = 0.0, None
    asked: dict[str, float | None] = dict.fromkeys(BINS)  # since when the line wants it open
    carried_out: set[str] = set()  # whose wish to be open was
    really = dict.fromkeys(BINS, False)
    openings = 0
    for what, bin_name, passed in steps:
        now += passed
        if what == "open":
            if asked[bin_name] is None:
                asked[bin_name] = now
            desired.want(bin_name, True, now)
            heard_at = now
        elif what == "close":
            asked[bin_name] = None
            desired.want(bin_name, False, now)
            heard_at = now
        elif what == "alive":
            desired.heard(now)
            heard_at = now
        elif what == "close all":
            desired.want_all_closed()
            asked = dict.fromkeys(BINS)
        elif what == "doubt":
            desired.doubt_closed()
        elif what == "fail":
            desired.forget()
            for gate in carried_out:  # the item is lost with the output
                asked[gate] = None
        else:
            silent = heard_at is None or now - heard_at > 1.0
            for gate, since in asked.items():
                late = since is not None and gate not in carried_out and now - since > 0.1
                if silent or late:  # given up, so the line may ask for it anew
                    asked[gate] = None
            for command in desired.due(now):
                if command.open:
                    assert asked[command.bin] is not None and now - asked[command.bin] <= 0.1 + 1e-9
                    openings += 1
                    carried_out.add(command.bin)
                really[command.bin] = command.open
                desired.done(command)
            for gate, is_open in really.items():
                assert not (is_open and (asked[gate] is None or silent))
            assert desired.due(now) == []
        carried_out &= {gate for gate, since in asked.items() if since is not None}
    assert desired.opened == openings
