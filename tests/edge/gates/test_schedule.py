from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.gates.schedule import GateCommand, GateSchedule, GateSpec, Opening

GATES = (GateSpec("a", 600.0), GateSpec("b", 900.0), GateSpec("c", 1200.0))


def schedule(max_open_s=5.0, lead_mm=30.0):
    return GateSchedule(GATES, lead_mm, max_open_s)


def windows(gates, readings, speed=250.0):
    """The stretches of the belt over which each gate was open."""
    opened, found = {}, []
    for at_mm in readings:
        for command in gates.due(at_mm, at_mm / speed):
            if command.open:
                opened[command.bin] = at_mm
            else:
                found.append((command.bin, opened.pop(command.bin), at_mm))
    assert not opened
    return found


def test_gate_opens_while_its_item_passes():
    gates = schedule()
    assert gates.schedule(1000.0, 100.0, "b", encoder_mm=1200.0) is Opening.PLANNED
    assert windows(gates, range(1200, 3000)) == [("b", 1820, 1980)]
    assert windows(gates, range(3000, 4000)) == []


def test_windows_of_neighbors_for_one_bin_merge():
    gates = schedule()
    gates.schedule(1000.0, 100.0, "a", 1100.0)
    gates.schedule(1140.0, 100.0, "a", 1100.0)
    assert windows(gates, range(1100, 3000)) == [("a", 1520, 1820)]


def test_no_gate_opens_on_belt_that_nobody_saw():
    gates = schedule()
    gates.unseen_before(960.0)
    assert gates.schedule(1000.0, 100.0, "b", 1000.0) is Opening.PLANNED
    assert windows(gates, range(1200, 3000)) == [("b", 1860, 1980)]
    gates.unseen_before(3000.0)
    assert gates.schedule(2999.0, 100.0, "a", 3000.0) is Opening.UNSEEN


def test_too_late_or_without_a_gate_is_refused():
    gates = schedule()
    assert gates.schedule(1000.0, 100.0, "a", encoder_mm=1521.0) is Opening.LATE
    assert gates.schedule(2000.0, 100.0, "manual", encoder_mm=1521.0) is Opening.NO_GATE
    assert windows(gates, range(1521, 5000)) == []


def test_neighbor_bound_elsewhere_clips_the_window_between_the_two():
    gates = schedule(lead_mm=100.0)
    assert gates.schedule(1000.0, 100.0, "a", 1000.0) is Opening.PLANNED
    assert gates.schedule(1120.0, 100.0, "manual", 1000.0) is Opening.NO_GATE  # 20 mm behind
    assert gates.schedule(860.0, 100.0, "b", 1000.0) is Opening.PLANNED  # 40 mm ahead
    assert windows(gates, range(1000, 4000)) == [("a", 1530, 1660), ("b", 1610, 1830)]


def test_items_side_by_side_bound_for_different_bins_both_go_to_manual():
    gates = schedule()
    assert gates.schedule(1000.0, 100.0, "a", 1000.0) is Opening.PLANNED
    assert gates.schedule(1010.0, 80.0, "b", 1000.0) is Opening.BESIDE
    assert windows(gates, range(1000, 4000)) == []


def test_it_tells_whether_an_item_found_its_gate_open():
    gates = schedule(max_open_s=2.0)
    for item, at_mm in (("first", 1000.0), ("second", 1400.0)):
        gates.schedule(at_mm, 100.0, "a", 1000.0, item)
    gates.schedule(1300.0, 100.0, "manual", 1000.0, "nowhere")
    reported = []
    for at_mm, now in [(1599, 1), (1600, 1.1), (1700, 1.5), (1950, 2), (1950, 5), (2000, 6)]:
        gates.due(at_mm, now)
        reported.append(gates.passed())
    # The belt stopped before the second one for longer than the gate may be open.
    assert reported == [[], [("first", True)], [], [], [], [("second", False)]]


def test_stopped_belt_closes_the_gate_for_good():
    gates = schedule(max_open_s=2.0)
    gates.schedule(1000.0, 100.0, "a", 1000.0)
    assert gates.due(1600.0, now=10.0) == [GateCommand("a", open=True)]
    assert gates.due(1600.0, now=11.9) == []
    assert gates.due(1600.0, now=12.0) == [GateCommand("a", open=False)]
    assert gates.due(1600.0, now=20.0) == []
    assert gates.due(1620.0, now=21.0) == []  # the item is still passing
    gates.schedule(1300.0, 100.0, "a", 1620.0)
    assert gates.due(1700.0, now=22.0) == []
    assert gates.due(1900.0, now=23.0) == [GateCommand("a", open=True)]


def test_jog_back_opens_again_and_far_items_are_forgotten():
    gates = schedule()
    gates.schedule(1000.0, 100.0, "a", 1000.0)
    assert windows(gates, [*range(1000, 1700), *range(1700, 1400, -1)]) == [
        ("a", 1520, 1680),
        ("a", 1679, 1519),
    ]
    gates.due(5000.0, now=99.0)
    assert windows(gates, range(1000, 4000)) == []


def test_close_all_gives_up_what_is_on_its_way():
    gates = schedule()
    gates.schedule(1000.0, 100.0, "a", 1000.0)
    gates.schedule(1300.0, 100.0, "b", 1000.0, "b's")
    gates.due(1600.0, now=1.0)
    assert gates.passed() == []
    assert gates.close_all() == [GateCommand(gate.bin, open=False) for gate in GATES]
    assert gates.due(1601.0, now=1.1) == []
    assert gates.passed() == [("b's", False)] and gates.passed() == []
    assert gates.schedule(1400.0, 100.0, "a", 1601.0) is Opening.PLANNED


items = st.lists(
    st.tuples(
        st.floats(0, 2000),
        st.floats(40, 220),
        st.sampled_from(["a", "b", "c", "manual"]),
    ),
    max_size=8,
)
steps = st.lists(st.tuples(st.sampled_from([-5, -1, 0, 2, 5]), st.integers(1, 60)), max_size=8)


@settings(max_examples=200, deadline=None)
@given(items=items, steps=steps, lead_mm=st.floats(20, 120), max_open_s=st.floats(0.1, 3.0))
@example([(466.0, 40.0, "a"), (476.0, 40.0, "a"), (454.0, 41.0, "b")], [], 20.0, 1.0)
def test_no_center_bound_elsewhere_passes_an_open_gate(items, steps, lead_mm, max_open_s):
    gates = schedule(max_open_s, lead_mm)
    accepted = {
        index
        for index, (at, length, bin_name) in enumerate(items)
        if gates.schedule(at, length, bin_name, 0, str(index)) is Opening.PLANNED
    }
    encoder, now, opened_at, passed, reported = 400.0, 0.0, {}, set(), []
    backwards = sum(max(0, -step) * count for step, count in steps)
    for step, count in [*steps, (5, 700 + backwards // 5)]:
        for _ in range(count):
            before, encoder, now = encoder, encoder + step, now + 0.02
            low, high = min(before, encoder), max(before, encoder)
            for gate in GATES:
                for index, (at, _, bin_name) in enumerate(items):
                    if low < at + gate.distance_mm <= high and gate.bin in opened_at:
                        assert bin_name == gate.bin
                        passed.add(index)
            for command in gates.due(encoder, now):
                if command.open:
                    opened_at[command.bin] = now
                else:
                    del opened_at[command.bin]
            reported += gates.passed()
            assert all(now - since <= max_open_s + 0.021 for since in opened_at.values())
    assert not opened_at
    assert passed <= accepted
    assert sorted(item for item, _ in reported) == sorted(map(str, accepted)), "each once"
    assert passed >= {int(item) for item, was_open in reported if was_open}
