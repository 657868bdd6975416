import pytest
from hypothesis import given, settings
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
    assert (desired.opened, desired.missed) == (1, 1)


def test_an_opening_that_comes_too_late_is_given_up():
    desired = DesiredGates(BINS, latest_opening_s=0.1)
    carry_out(desired, 0.0)
    desired.want("a", True, 1.0)
    desired.heard(1.2)
    assert carry_out(desired, 1.2) == [] and desired.missed == 1
    desired.want("a", False, 1.3)
    assert carry_out(desired, 1.3) == [] and desired.missed == 1


def test_a_line_that_falls_silent_has_its_gates_closed():
    desired = DesiredGates(BINS, dead_man_s=1.0)
    carry_out(desired, 0.0)
    desired.want("a", True, 1.0)
    carry_out(desired, 1.0)
    desired.heard(1.9)
    assert carry_out(desired, 2.8) == []
    assert carry_out(desired, 3.0) == [GateCommand("a", False)]
    assert desired.stalls == 1


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


@settings(deadline=None)
@given(STEPS)
def test_no_gate_is_opened_late_or_against_the_lines_last_word(steps):
    """An output that fails at any moment: what it does never goes against the line's last word."""
    desired = DesiredGates(BINS, latest_opening_s=0.1, dead_man_s=1.0)
    now, heard_at = 0.0, None
    asked: dict[str, float | None] = dict.fromkeys(BINS)  # since when the line wants it open
    really = dict.fromkeys(BINS, False)
    openings = 0
    for what, bin, passed in steps:
        now += passed
        if what in ("open", "close"):
            was_open = asked[bin] is not None
            asked[bin] = (asked[bin] if was_open else now) if what == "open" else None
            desired.want(bin, what == "open", now)
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
        else:
            for command in desired.due(now):
                if command.open:
                    assert asked[command.bin] is not None and now - asked[command.bin] <= 0.1 + 1e-9
                    openings += 1
                really[command.bin] = command.open
                desired.done(command)
            silent = heard_at is None or now - heard_at > 1.0
            for gate, is_open in really.items():
                assert not (is_open and (asked[gate] is None or silent))
            assert desired.due(now) == []
    assert desired.opened == openings
