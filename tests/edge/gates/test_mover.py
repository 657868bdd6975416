import pytest

from edge.belt.tracker import Extent, TrackedItem
from edge.errors import EwasteError
from edge.gates.mover import GateMover, Passed
from edge.gates.null import NullGates
from edge.gates.schedule import GateSchedule, GateSpec, Opening


class BrokenGates(NullGates):
    def close_all(self) -> None:
        raise EwasteError("no answer")


def item(number: int, position_mm: float) -> TrackedItem:
    along = Extent(position_mm - 50, position_mm + 50, low_seen=True, high_seen=True)
    across = Extent(-40, 40, low_seen=True, high_seen=True)
    return TrackedItem(number, along, across, 0.0, 0.0, 2, along, 0.0)


def mover(gates: NullGates) -> GateMover:
    schedule = GateSchedule([GateSpec("a", 500), GateSpec("b", 800)], lead_mm=20, max_open_s=10)
    return GateMover(schedule, gates)


def test_a_gate_opens_for_its_item_alone_and_the_item_is_reported_once():
    gates = NullGates(("a", "b"))
    line = mover(gates)
    assert line.plan(item(1, 0.0), "a", 0.0, "first") is Opening.PLANNED
    opened_at = []
    passed = []
    for encoder_mm in range(0, 1000, 10):
        line.move(encoder_mm, encoder_mm / 250)
        assert not gates.is_open["b"] and line.is_open == {
            name: is_open for name, is_open in gates.is_open.items() if name in line.is_open
        }
        opened_at += [encoder_mm] if gates.is_open["a"] else []
        passed += line.passed()
    assert (opened_at[0], opened_at[-1]) == (430, 560)
    assert passed == [Passed("first", was_open=True)]


def test_an_item_whose_gate_was_closed_in_the_meantime_is_reported_as_such():
    line = mover(NullGates(("a", "b")))
    line.plan(item(1, 0.0), "b", 0.0, "first")
    line.close_all()
    line.move(900, 3.6)
    assert line.passed() == [Passed("first", was_open=False)] and line.passed() == []


def test_openings_are_given_up_even_when_the_gates_cannot_be_reached():
    line = mover(BrokenGates(("a", "b")))
    line.plan(item(1, 0.0), "a", 0.0, "first")
    line.move(500, 2.0)
    assert line.is_open == {"a": True}
    with pytest.raises(EwasteError, match="no answer"):
        line.close_all()
    assert line.is_open == {"a": False, "b": False}
    assert line.passed() == [Passed("first", was_open=False)]


def test_a_verdict_must_fall_before_the_item_reaches_the_first_gate():
    line = mover(NullGates(("a", "b")))
    first = item(1, 100.0)
    assert line.deadline_mm(first) == 100 + 500 - 50 - 20
    assert line.plan(first, "a", line.deadline_mm(first) + 1) is Opening.LATE
    assert line.plan(first, "nowhere", 0.0) is Opening.NO_GATE
