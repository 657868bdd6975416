"""The loop on a real simulated belt; only the model is replaced, by one that reads colors."""

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest

from edge.cameras.camera import Frame, NoFrame
from edge.clock import VirtualClock
from edge.conveyor import Conveyor, assemble
from edge.decision.decider import Decider
from edge.decision.voting import Voting
from edge.errors import EwasteError
from edge.gates.schedule import GateSchedule
from edge.inference.classifier import Prediction
from edge.inference.worker import InlineInference
from edge.labels import MANUAL, UNKNOWN
from edge.operation import Mode
from edge.simulator.camera import SimulatedCamera
from edge.simulator.layout import PlacedItem
from edge.simulator.motion import BeltMotion, Stretch
from edge.simulator.plant import SimulatedPlant
from edge.simulator.scene import Scene
from edge.simulator.score import score
from edge.simulator.simulate import PacedInference
from edge.standstill import STILL_SECONDS, BeltRest
from edge.verdict import Reason
from tests.support.colored_belt import (
    BINS,
    GATES,
    GEOMETRY,
    MIXED,
    RULES,
    ColorClassifier,
    belt_of,
)


@dataclass
class Line:
    conveyor: Conveyor
    plant: SimulatedPlant
    records: list
    moved: list
    placed: list[PlacedItem]
    classifier: ColorClassifier

    def bins(self) -> list[str]:
        """Where each item went by the last word of its records, in their order."""
        last = {record.item_id: record.bin for record in [*self.records, *self.moved]}
        return [last[record.item_id] for record in self.records]

    def run(self):
        self.conveyor.run()
        return score(
            self.placed,
            self.records,
            self.plant.routed,
            BINS,
            {"Battery"},
        )


class PlantCamera:
    """Moves the plant's belt before each frame, as time does."""

    def __init__(self, camera, plant, encoder, clock) -> None:
        self._camera, self._plant, self._encoder, self._clock = camera, plant, encoder, clock

    def read(self) -> Frame | None:
        frame = self._camera.read()
        self._plant.advance(self._encoder.position_mm(self._clock.now()))
        return frame

    def close(self) -> None:
        self._camera.close()


def line_of(
    placed,
    segments=(Stretch(1e9, 250),),
    *,
    takes_s=0.0,
    fps=15,
    end_mm=None,
    voting=Voting(views=3, spacing_mm=60),
    inference=lambda classifier, clock: InlineInference(classifier),
    wrap=lambda camera, plant, encoder, clock: camera,
    gates=lambda plant: plant,
    record=None,
    realtime=False,
    asked=lambda clock: Mode.SORT,
    offered=lambda records: None,
) -> Line:
    clock, encoder = VirtualClock(), BeltMotion(segments, repeated=False)
    scene = Scene(placed, GEOMETRY, seed=1)
    plant = SimulatedPlant(placed, GATES, scene.remove)
    end_mm = scene.end_mm + 1500 if end_mm is None else end_mm
    camera = SimulatedCamera(scene, encoder, clock, fps, end_mm, realtime=realtime or takes_s > 0)
    records, moved = [], []
    classifier = ColorClassifier(clock, takes_s)
    conveyor = assemble(
        camera=wrap(PlantCamera(camera, plant, encoder, clock), plant, encoder, clock),
        encoder=encoder,
        clock=clock,
        geometry=GEOMETRY,
        inference=inference(classifier, clock),
        rules=RULES,
        voting=voting,
        schedule=GateSchedule(GATES, lead_mm=40, max_open_s=3),
        gates=gates(plant),
        bundle="digest",
        record=record or records.append,
        on_rerouted=moved.append,
        asked=lambda: asked(clock),
        offered=lambda rest: offered(records),
    )

    return Line(conveyor, plant, records, moved, placed, classifier)


def test_every_item_is_counted_once_labeled_and_sorted():
    line = line_of(belt_of(MIXED))
    result = line.run()
    assert (result.items, result.counted, result.right) == (8, 8, 8)
    assert (result.duplicates, result.false_positives, result.missed) == (0, 0, 0)
    assert (result.routed_right, result.hazard_leaks, result.deadlines_missed) == (8, 0, 0)
    assert {record.views for record in line.records} == {3} and line.classifier.asked == 24
    assert len({record.item_id for record in line.records}) == 8
    assert all(record.crop[:2] == b"\xff\xd8" for record in line.records)


def test_the_line_knows_when_its_belt_stands_with_nothing_under_way():
    """It stops with items under way, goes on, and stops when all have come to their gates."""
    placed, rests = belt_of(MIXED), []
    way_mm = max(piece.position_mm for piece in placed) + 1500
    stop = Stretch(5, 0)
    segments = (Stretch(8, 250), stop, Stretch(way_mm / 250 - 8, 250), stop, Stretch(99, 250))

    def asked(clock):
        rests.append((clock.now(), line.conveyor.rest))
        return Mode.SORT

    line = line_of(placed, segments, asked=asked, end_mm=way_mm + 250)
    result = line.run()
    assert (result.counted, result.right) == (8, 8)
    kinds = [rest for rest, _ in itertools.groupby(rest for _, rest in rests)]
    assert kinds == [
        BeltRest.NOT_MEASURED,
        *(BeltRest.MOVES, BeltRest.CARRIES, BeltRest.MOVES, BeltRest.STANDS, BeltRest.MOVES),
    ]
    stood_at = [at for at, rest in rests if rest is BeltRest.CARRIES]
    assert 8 + STILL_SECONDS <= stood_at[0] <= 8 + STILL_SECONDS + 0.5


@pytest.mark.parametrize("takes_s", [0.0, 0.3])
@pytest.mark.parametrize("after", range(1, 12, 2))
def test_another_model_takes_over_between_two_items(after, takes_s):
    """Every item is decided by one of the two, and its record names which."""
    placed, offers, boards = belt_of(MIXED * 2), [], dict.fromkeys(BINS, "boards")
    second = ColorClassifier()

    def offered(records):
        if len(records) < after or offers:
            return None
        offers.append(Decider("second", second, replace(RULES, bins=boards), 260.0))
        return offers[0]

    line = line_of(
        placed,
        offered=offered,
        end_mm=None if not takes_s else 6000,
        inference=lambda model, clock: (
            PacedInference(model, clock, takes_s, 0.04) if takes_s else InlineInference(model)
        ),
    )
    result = line.run()
    assert (result.items, result.counted, result.right) == (16, 16, 16)
    assert (result.duplicates, result.false_positives, result.missed) == (0, 0, 0)
    by = [record.bundle for record in sorted(line.records, key=lambda each: each.position_mm)]
    first = by.count("digest")
    assert after <= first < after + 4, "what one model had begun, it decided"
    assert by == ["digest"] * first + ["second"] * (16 - first)
    sorted_to = {record.bin for record in line.records if record.bundle == "second"}
    assert sorted_to <= {"boards", MANUAL} and second.asked >= 16 - first
    assert {record.views for record in line.records} <= {1, 2, 3}


@pytest.mark.parametrize(
    ("fps", "speed_mm_s", "looked_at"),
    [(30, 300, 0.5), (30, 1900, 0.5), (30, 2500, 1), (15, 300, 1)],
)
def test_no_more_frames_are_looked_at_than_the_belt_needs(fps, speed_mm_s, looked_at):
    line = line_of(belt_of(MIXED * 3), (Stretch(1e9, speed_mm_s),), fps=fps)
    result = line.run()
    assert (result.counted, result.right, result.duplicates, result.false_positives) == (
        24,
        24,
        0,
        0,
    )
    tally = line.conveyor.tally
    looks = len(tally.latencies["detect"])
    assert looks == pytest.approx(looked_at * tally.frames, rel=0.02, abs=1)


def test_a_belt_that_stops_and_jogs_back_counts_nothing_twice():
    jogging = [Stretch(4, 250), Stretch(2, 0), Stretch(3, -200), Stretch(1, 0), Stretch(1e9, 250)]
    result = line_of(belt_of(MIXED), jogging).run()
    assert (result.counted, result.right, result.duplicates, result.false_positives) == (8, 8, 0, 0)
    assert result.hazard_leaks == 0


def test_late_verdicts_go_to_manual_and_are_counted():
    line = line_of(belt_of(MIXED), takes_s=6.0, end_mm=6000)
    result = line.run()
    assert result.deadlines_missed > 0
    late = [record for record in line.records if record.late]
    assert late and all(record.bin == MANUAL and "too late" in record.detail for record in late)
    assert result.hazard_leaks == 0


def test_a_touching_pair_is_one_manual_record_and_never_one_good_item():
    first, second, *others = belt_of(["PCB", "Mobile", "PCB", "Mobile"])
    # Side by side: their corner meets, and the blob is no longer than one item may be.
    pair = [
        replace(first, offset_mm=-50.0),
        replace(second, position_mm=first.position_mm + 62.0, offset_mm=50.0),
    ]
    line = line_of([*pair, *others])
    result = line.run()
    together, *alone = sorted(line.records, key=lambda record: record.position_mm)
    assert (together.label, together.bin, together.views) == (UNKNOWN, MANUAL, 0)
    assert "touches another item" in together.detail and "more than one" in together.detail
    assert together.crop[:2] == b"\xff\xd8", "a person can see what it was"
    assert line.plant.routed == [MANUAL, MANUAL, "boards", "small"]
    assert [record.label for record in alone] == ["PCB", "Mobile"] and result.right == 2


def test_sure_items_take_fewer_predictions_and_get_the_same_verdicts():
    line = line_of(belt_of(MIXED), voting=Voting(views=3, spacing_mm=60, error=0.05))
    result = line.run()
    assert (result.right, result.routed_right, result.duplicates) == (8, 8, 0)
    assert line.classifier.asked == 8 and {record.views for record in line.records} == {1}


def slow_line(labels: list[str], takes_s: float) -> Line:
    def paced(classifier, clock) -> PacedInference:
        return PacedInference(classifier, clock, takes_s, patience_s=0.04)

    return line_of(belt_of(labels), inference=paced)


@pytest.mark.parametrize("takes_s", [0.5, 0.9])
def test_a_classifier_that_is_the_bottleneck_sees_every_item_before_any_twice(takes_s, injected):
    """An item a second; three views of each take up to 2.7 s. The gates keep their time."""
    line = slow_line(MIXED * 2, takes_s)
    result = line.run()
    assert (result.counted, result.right, result.duplicates) == (16, 16, 0)
    assert (result.routed_right, result.deadlines_missed, result.hazard_leaks) == (16, 0, 0)
    views = [record.views for record in line.records]
    assert min(views) >= 1 and line.classifier.asked >= sum(views)
    assert sum(views) < 3 * 16
    injected(f"model takes {takes_s} s", "an item a second: 16 of 16 named and sorted")


def test_what_a_classifier_cannot_do_in_time_is_manual_and_says_so(injected):
    line = slow_line(MIXED * 3, 2.2)
    result = line.run()
    assert (result.counted, result.duplicates, result.wrong, result.hazard_leaks) == (24, 0, 0, 0)
    without = [record for record in line.records if not record.views]
    assert 0 < len(without) < 16
    for record in without:
        assert (record.label, record.bin, record.late) == (UNKNOWN, MANUAL, True)
        assert record.detail == "too late to be classified"
    # Each gets one prediction before any gets two, so no item took the time of another.
    assert {record.views for record in line.records} == {0, 1}
    assert result.deadlines_missed == len(without)
    assert result.routed_right == 24 - len(without)
    injected("model takes 2.2 s", f"an item a second: {len(without)} of 24 late, all to manual")


def test_the_gates_are_closed_before_at_the_end_and_when_the_camera_fails():
    class Failing:
        def __init__(self, camera, plant, encoder, clock) -> None:
            self._plant = plant
            plant.open("boards")

        def read(self):
            assert not self._plant.open_gates
            self._plant.open("small")
            raise RuntimeError("the lens fell off")

    line = line_of(belt_of(["PCB"]), wrap=Failing)
    with pytest.raises(RuntimeError):
        line.conveyor.run()
    assert not line.plant.open_gates


class FailingCamera:
    """Gives no frames from one time to another; `fault` says why, empty: they are merely late."""

    def __init__(self, camera, clock, encoder, plant, *, away, fault) -> None:
        self._camera, self._clock, self._encoder, self._plant = camera, clock, encoder, plant
        self._away, self._fault = away, fault
        self.open_while_away: set[str] = set()
        self.waits = 0

    def read(self) -> Frame | NoFrame | None:
        if not self._away[0] <= self._clock.now() < self._away[1]:
            return self._camera.read()
        if self.waits:  # the line has had one step to close them
            self.open_while_away |= self._plant.open_gates
        self.waits += 1
        self._clock.sleep(0.05)
        self._plant.advance(self._encoder.position_mm(self._clock.now()))
        return NoFrame(self._fault)


def failing(placed, away: tuple[float, float], fault: str) -> tuple[Line, FailingCamera]:
    cameras = []

    def wrap(camera, plant, encoder, clock) -> FailingCamera:
        cameras.append(FailingCamera(camera, clock, encoder, plant, away=away, fault=fault))
        return cameras[0]

    return line_of(placed, wrap=wrap, realtime=True), cameras[0]


def test_while_the_camera_is_away_the_gates_are_closed_and_what_was_on_the_belt_is_manual():
    away, fault = (7.8, 9.8), "the camera gives no pictures"
    line, camera = failing(belt_of([*MIXED, *MIXED]), away, fault)
    steps = []
    line.conveyor.run(on_step=steps.append)
    tally = line.conveyor.tally
    assert tally.camera_faults == 1 and tally.frames_dropped > 25
    assert camera.waits >= 39 and not camera.open_while_away
    blind = [step for step in steps if step.frame is None]
    assert len(blind) == camera.waits and {step.fault for step in blind} == {
        "the camera gives no pictures"
    }
    # What had no verdict yet gets one when the camera fails, once.
    failed = [record for step in blind for record in step.records]
    assert len(failed) == 1 and failed[0].bin == MANUAL
    assert "the camera failed" in failed[0].detail
    result = score(line.placed, line.records, line.plant.routed, BINS, {"Battery"})
    assert (result.counted, result.duplicates, result.false_positives, result.hazard_leaks) == (
        16,
        0,
        0,
        0,
    )
    failed_mm, distances = 7.8 * 250, {gate.bin: gate.distance_mm for gate in GATES}
    for item, routed in zip(line.placed, line.plant.routed, strict=True):
        own_bin = BINS[item.label]
        sorted_before = item.position_mm + distances[own_bin] < failed_mm - 40
        seen_after = item.position_mm > failed_mm + GEOMETRY.width_mm / 2
        assert routed == (own_bin if sorted_before or seen_after else MANUAL), item.position_mm
    assert line.plant.routed.count(MANUAL) == 5
    # What had been bound for a gate is reported as gone to manual after all.
    by_place = sorted(zip(line.records, line.bins(), strict=True), key=lambda r: r[0].position_mm)
    assert [bin_name for _, bin_name in by_place] == line.plant.routed
    assert len(line.moved) == 4 and all("was closed" in each.detail for each in line.moved)
    assert tally.per_bin == Counter(line.plant.routed)


def test_frames_that_are_merely_late_leave_the_gates_to_the_encoder():
    line, camera = failing(belt_of(MIXED), (9.0, 9.5), "")
    result = line.run()
    assert camera.waits == 10 and line.conveyor.tally.camera_faults == 0
    assert (result.counted, result.routed_right, result.duplicates) == (8, 8, 0)


def test_items_still_in_view_when_the_film_ends_are_counted():
    placed = belt_of(["PCB", "Mobile"])
    line = line_of(placed, end_mm=placed[1].position_mm)
    result = line.run()
    assert (result.counted, result.missed, result.duplicates) == (2, 0, 0)


@pytest.mark.parametrize("center_mm", [-290.0, -310.0, -325.0])
def test_an_item_that_one_frame_alone_shows_whole_is_classified(center_mm):
    leaving, coming = belt_of(["Mobile", "PCB"])
    placed = [replace(leaving, position_mm=center_mm), coming]
    line = line_of(placed, (Stretch(1e9, 1000),))  # 67 mm a frame; the view ends at -400 mm
    line.run()
    assert [(record.label, record.views > 0) for record in line.records] == [
        ("Mobile", True),
        ("PCB", True),
    ]
    assert line.records[0].bin == "small"


class Silent:
    """A model that never answers in time."""

    def __init__(self, classifier, clock) -> None:
        self._classifier = classifier

    def start(self, view: np.ndarray) -> None:
        self._view = view

    def answer(self) -> None:
        return None

    def wait(self) -> tuple[Prediction, float]:
        return self._classifier.predict(self._view), 0.0

    def close(self) -> None:
        pass


def test_an_item_that_was_never_classified_is_unknown_not_lost():
    line = line_of(belt_of(["PCB", "Mobile"]), inference=Silent)
    result = line.run()
    assert (result.counted, result.unknown) == (2, 2)
    assert {(record.label, record.bin) for record in line.records} == {(UNKNOWN, MANUAL)}


class Failing(ColorClassifier):
    """Fails at some views, as a runtime may that has no memory left."""

    def __init__(self, at: set[int]) -> None:
        super().__init__()
        self._at = at

    def predict(self, view: np.ndarray) -> Prediction:
        if self.asked in self._at:
            self.asked += 1
            raise RuntimeError("no memory for a tensor")
        return super().predict(view)


def failing_line(at: set[int]) -> Line:
    return line_of(belt_of(MIXED), inference=lambda *_: InlineInference(Failing(at)))


def test_a_model_that_fails_at_a_view_costs_that_view():
    line = failing_line({0, 7, 12})
    result = line.run()
    assert (result.counted, result.right, result.hazard_leaks) == (8, 8, 0)
    assert line.conveyor.tally.model_faults == 3


def test_a_model_that_only_fails_ends_the_line_with_all_items_recorded_and_gates_closed():
    line = failing_line(set(range(100)))
    with pytest.raises(EwasteError, match="fails again and again"):
        line.run()
    assert line.records and {record.bin for record in line.records} == {MANUAL}
    assert len(line.records) == len({record.item_id for record in line.records})
    assert not any(line.conveyor.gates_open.values())


def test_what_ended_the_line_first_is_what_is_reported_and_everything_is_closed():
    closed = []

    class Inference(InlineInference):
        def close(self) -> None:
            closed.append("inference")

    class Gates:
        def __init__(self, gates) -> None:
            self._gates = gates

        def __getattr__(self, name: str):
            return getattr(self._gates, name)

        def close_all(self) -> None:
            closed.append("gates")
            if len(closed) > 1:
                raise OSError("the gates, later")

    def record(item) -> None:
        raise ZeroDivisionError("first")

    line = line_of(
        belt_of(MIXED),
        inference=lambda classifier, clock: Inference(classifier),
        gates=Gates,
        record=record,
    )
    with pytest.raises(ZeroDivisionError, match="first"):
        line.conveyor.run()
    assert closed[0] == closed[1] == "gates" and closed[-1] == "inference"


def reasons(line: Line) -> dict[str, Reason]:
    return {record.item_id: record.reason for record in [*line.records, *line.moved]}


@pytest.mark.parametrize(
    ("mode", "reason"), [(Mode.PAUSE, Reason.PAUSED), (Mode.MANUAL, Reason.ALL_MANUAL)]
)
def test_an_order_of_the_operator_sends_everything_to_manual_until_the_next(mode, reason):
    """16 items pass in 20 s; the order holds from 8 to 11 s."""
    closed = []

    def asked(clock) -> Mode:
        if 8.2 < clock.now() < 11:
            closed.append(not any(line.conveyor.gates_open.values()))
        return mode if 8 <= clock.now() < 11 else Mode.SORT

    line = line_of(belt_of(MIXED * 2), asked=asked)
    result = line.run()
    assert (result.items, result.counted, result.hazard_leaks) == (16, 16, 0)
    assert len(closed) > 30 and all(closed), "a gate was open 0.2 s after the order or later"
    found = list(reasons(line).values())
    held = [each in (reason, Reason.GATE_CLOSED) for each in found]
    assert found.count(reason) >= 2 and found.count(Reason.SORTED) == 16 - held.count(True)
    assert found[0] is Reason.SORTED and found[-1] is Reason.SORTED
    assert [bin_name == MANUAL for bin_name in line.bins()] == held
    assert line.plant.routed == line.bins(), "the records say where the items went"


def test_after_a_pause_no_gate_opens_for_what_is_past_the_view():
    """Its verdict comes after the pause, from a slow model; hands may have moved it meanwhile."""

    def asked(clock) -> Mode:
        return Mode.PAUSE if clock.now() < 4 else Mode.SORT

    def slow(classifier, clock) -> PacedInference:
        return PacedInference(classifier, clock, 0.8, patience_s=0.04)

    line = line_of(belt_of(["PCB", "Mobile", "PCB"]), inference=slow, asked=asked)
    line.run()
    expected = [Reason.NOT_SEEN_WHOLE, Reason.SORTED, Reason.SORTED]
    assert list(reasons(line).values()) == expected
    assert line.plant.routed == [MANUAL, "small", "boards"]


def test_without_a_picture_the_loop_lives_and_when_it_stalls_it_does_not():
    """What feeds the watchdog: a lost camera goes on to, a loop that is held up does not."""
    away, clocks, beats = (2.0, 6.0), [], []

    def asked(clock) -> Mode:
        clocks[:] = [clock]
        if 7.0 < clock.now() < 7.2:  # something holds the loop up, once
            clock.sleep(20.0)
        return Mode.SORT

    def wrap(camera, plant, encoder, clock) -> FailingCamera:
        return FailingCamera(camera, clock, encoder, plant, away=away, fault="unplugged")

    line = line_of(belt_of([*MIXED, *MIXED]), wrap=wrap, realtime=True, asked=asked)
    line.conveyor.run(alive=lambda: beats.append(clocks[0].now()))
    pauses = [(after - before, before) for before, after in pairwise(beats)]
    blind = [pause for pause, began in pauses if away[0] <= began < away[1] - 0.1]
    assert len(blind) > 70 and max(blind) < 0.06, "fed while the camera is away"
    longest, began = max(pauses)
    assert longest >= 20 and 6.8 < began < 7.2, "a stalled loop feeds nothing"
