"""Items of true size on the simulated belt, and what their size tells the line."""

from collections import Counter

import numpy as np
import pytest

from edge.belt.geometry import Geometry
from edge.bundle.sizes import TYPICAL_SIZES
from edge.clock import VirtualClock
from edge.config import Config
from edge.conveyor import assemble
from edge.decision.decide import DecisionRules
from edge.decision.voting import Voting
from edge.gates.null import NullGates
from edge.gates.schedule import GateSchedule, GateSpec
from edge.inference.classifier import Prediction
from edge.inference.worker import InlineInference
from edge.simulator.camera import SimulatedCamera
from edge.simulator.layout import place_items
from edge.simulator.motion import BeltMotion, Stretch
from edge.simulator.pieces import drawn_pieces, true_sizes
from edge.simulator.scenario import Load, read_scenario
from edge.simulator.scene import Scene
from edge.simulator.simulate import config_for_scenario, with_simulated_sizes

WIDE = Geometry(640, 360, 3.0)
LABELS = ("Mobile", "Television", "PCB", "Mouse")


class Torn:
    """A model that cannot tell a television from a mobile, and prefers the mobile."""

    def predict(self, view: np.ndarray) -> Prediction:
        shares = np.array([0.52, 0.44, 0.02, 0.02], np.float32)
        return Prediction(np.log(shares), shares, np.zeros(4, np.float32))


def verdicts(placed, *, sizes) -> Counter[str]:
    clock, motion = VirtualClock(), BeltMotion([Stretch(60, 400)])
    scene = Scene(placed, WIDE, seed=1)
    bins = {label: f"bin of {label}" for label in LABELS}
    gates = [GateSpec(name, 1200 + 200 * place) for place, name in enumerate(bins.values())]
    records = []
    conveyor = assemble(
        camera=SimulatedCamera(scene, motion, clock, 10.0, scene.end_mm),
        encoder=motion,
        clock=clock,
        geometry=WIDE,
        inference=InlineInference(Torn()),
        rules=DecisionRules(LABELS, bins, dict.fromkeys(LABELS, 0.4), {}, sizes=sizes),
        voting=Voting(2, 100.0),
        schedule=GateSchedule(gates, lead_mm=40, max_open_s=3),
        gates=NullGates(bins.values()),
        bundle="digest",
        record=records.append,
        longest_item_mm=900.0,
    )
    conveyor.run()
    assert len(records) == len(placed)
    for record in records:
        assert 100 < record.longer_mm < 910
    return Counter(record.label for record in records)


@pytest.mark.parametrize("label", ["Mobile", "Television"])
def test_the_size_tells_a_television_from_a_mobile_where_the_model_cannot(label):
    pieces = drawn_pieces(2, WIDE, (label,), true_sizes(WIDE))
    placed = place_items(pieces, 4, 2, WIDE, gap_mm=(150, 200))
    assert verdicts(placed, sizes={}) == {"Mobile": 4}
    assert verdicts(placed, sizes=TYPICAL_SIZES) == {label: 4}


def test_items_of_true_size_are_as_large_as_real_ones_as_far_as_the_belt_is_wide():
    narrow = Geometry()
    longest_mm = {
        label: [true_sizes(WIDE)(label, np.random.default_rng(n)) for n in range(200)]
        for label in ("Mobile", "Television")
    }
    assert 105 < min(longest_mm["Mobile"]) < 120 and 155 < max(longest_mm["Mobile"]) < 170
    assert 440 < min(longest_mm["Television"]) < 500 and 800 < max(longest_mm["Television"]) < 910
    piece = next(drawn_pieces(0, narrow, ("Television",), true_sizes(narrow)))
    assert max(piece.length_mm, piece.width_mm) <= 0.9 * narrow.height_mm + 1


def test_a_simulated_line_knows_how_large_its_items_are_unless_the_configuration_says():
    scaled = with_simulated_sizes(Config(), Load(), ("Television", "Fridge"))
    assert set(scaled.sizes) == {"Television"}
    assert scaled.sizes["Television"].high_mm == pytest.approx(220)
    true = with_simulated_sizes(Config(), Load(sizes="true"), ("Television",))
    assert true.sizes["Television"] == TYPICAL_SIZES["Television"]
    own = {"sizes": {"Television": {"median_mm": 300.0, "spread": 0.1}}}
    kept = with_simulated_sizes(Config.model_validate(own), Load(), ("Television",))
    assert kept.sizes["Television"].median_mm == 300


def test_the_scenario_of_true_sizes_has_a_belt_that_is_wide_enough():
    scenario = read_scenario("true-sizes")
    geometry = config_for_scenario(Config(), scenario).geometry
    assert geometry.height_mm > TYPICAL_SIZES["Television"].high_mm
    assert config_for_scenario(Config(), read_scenario("even")).geometry == Config().geometry
