import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import EwasteError
from edge.gates.schedule import GateSchedule, GateSpec, Opening
from edge.simulator.layout import PlacedItem
from edge.simulator.plant import SimulatedPlant

GATES = (GateSpec("b", 900.0), GateSpec("a", 600.0))


def placed(*positions, length_mm=100.0):
    return [
        PlacedItem("Mouse", position, 0.0, length_mm, 80.0, lambda: np.zeros((1, 1, 4), np.uint8))
        for position in positions
    ]


def test_items_fall_into_the_gate_that_is_open_when_their_center_passes():
    gone = []
    plant = SimulatedPlant(placed(0.0, 150.0, 300.0), GATES, gone.append)
    plant.open("a")
    plant.advance(600.0)  # the first reading only says where the belt is
    plant.advance(599.0)
    plant.advance(700.0)
    plant.close("a")
    plant.advance(760.0)
    assert plant.routed == ["a", None, None]
    plant.open("b")
    plant.advance(1100.0)
    plant.close_all()
    assert plant.routed == ["a", "b", None]
    plant.advance(1499.0)
    assert plant.routed == ["a", "b", None]
    plant.advance(1500.0)
    assert plant.routed == ["a", "b", "manual"]
    assert gone == [0, 1, 2]


def test_a_long_step_passes_the_gates_in_order():
    plant = SimulatedPlant(placed(100.0), GATES)
    plant.advance(0.0)
    plant.open("a")
    plant.open("b")
    assert plant.open_gates == {"a", "b"}
    plant.advance(5000.0)
    assert plant.routed == ["a"]


def test_item_that_jogs_back_past_an_open_gate_falls_into_it():
    plant = SimulatedPlant(placed(0.0), GATES)
    plant.advance(0.0)
    plant.advance(650.0)
    plant.open("a")
    plant.advance(550.0)
    assert plant.routed == ["a"]


def test_unknown_gate_is_an_error():
    with pytest.raises(EwasteError, match="'c'"):
        SimulatedPlant([], GATES).open("c")


@settings(max_examples=100, deadline=None)
@given(
    items=st.lists(
        st.tuples(st.floats(40, 200), st.floats(50, 220), st.sampled_from(["a", "b", "manual"])),
        min_size=1,
        max_size=12,
    ),
    step_mm=st.floats(0.5, 40.0),
)
def test_schedule_and_plant_sort_items_that_lie_apart(items, step_mm):
    """Each window begins and ends more than 40 mm from a center, so steps may be as long."""
    end, on_belt = 0.0, []
    for gap, length, _ in items:
        on_belt += placed(end + gap + length / 2, length_mm=length)
        end += gap + length
    plant = SimulatedPlant(on_belt, GATES)
    schedule = GateSchedule(GATES, lead_mm=20.0, max_open_s=60.0)
    for item, (_, _, bin_name) in zip(on_belt, items, strict=True):
        opening = schedule.schedule(item.position_mm, item.length_mm, bin_name, 0.0)
        assert (opening is Opening.PLANNED) == (bin_name != "manual")
    encoder = 0.0
    plant.advance(encoder)
    while encoder < end + 1200.0:
        encoder += step_mm
        plant.advance(encoder)
        for command in schedule.due(encoder, now=encoder / 250):
            (plant.open if command.open else plant.close)(command.bin)
    assert plant.routed == [bin_name for _, _, bin_name in items]
    assert not plant.open_gates


def test_a_gate_that_swings_diverts_only_what_passes_when_it_is_half_open():
    time = [0.0]
    plant = SimulatedPlant(placed(0.0, 40.0, 80.0, 120.0), GATES, travel_s=0.4, now=lambda: time[0])

    def move(belt_mm, at):
        time[0] = at
        plant.advance(belt_mm)

    move(590.0, 0.0)
    plant.open("a")  # half open at 0.2 s, at 610 mm when the belt goes 100 mm/s
    move(660.0, 0.7)
    assert plant.routed == [None, "a", None, None]
    move(670.0, 0.8)
    plant.close("a")  # half closed at 1.0 s, at 690 mm
    move(800.0, 2.1)
    assert plant.routed == [None, "a", "a", None]
