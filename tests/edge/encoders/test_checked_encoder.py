"""Pulses against the camera, on a real loop over a rendered belt; only the model is replaced."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from edge.cameras.camera import Frame
from edge.cameras.watched import WatchedCamera
from edge.clock import VirtualClock
from edge.conveyor import assemble
from edge.decision.voting import Voting
from edge.encoders.checked_encoder import AGREEMENT_MM, MOST_DRIFT_MM, CheckedEncoder
from edge.encoders.pulses import PulseEncoder
from edge.encoders.visual_odometer import Odometer
from edge.gates.schedule import GateSchedule
from edge.inference.worker import InlineInference
from edge.labels import MANUAL
from edge.simulator.camera import SimulatedCamera
from edge.simulator.motion import BeltMotion, Stretch
from edge.simulator.plant import SimulatedPlant
from edge.simulator.scene import Scene
from edge.simulator.score import score
from tests.support.colored_belt import (
    BINS,
    GATES,
    GEOMETRY,
    MIXED,
    RULES,
    ColorClassifier,
    belt_of,
)

FPS = 15
STEADY = [Stretch(1, 250)]
STOP_AND_GO = [
    *(Stretch(4, 250), Stretch(1, 0), Stretch(1, -200), Stretch(5, 250)),
    *(Stretch(1, 0), Stretch(4, 250), Stretch(1, 0), Stretch(1, 250)),
]


@dataclass
class Wheel:
    """Feeds pulses of the belt up to a time; what the cable does to them is `corrupted`."""

    belt: BeltMotion
    pulses: PulseEncoder
    corrupted: Callable[[float, int], list[int]] = lambda at, count: [count]
    turned: int = 0
    ticks: int = 0

    def turn(self, now: float) -> None:
        """Feed what the belt did until now, a millimeter a pulse, looked up every 2 ms."""
        while (self.ticks + 1) * 0.002 <= now:
            self.ticks += 1
            at = self.ticks * 0.002
            mark = int(self.belt.position_mm(at) // 1.0)
            for count in self.corrupted(at, mark - self.turned):
                self.pulses.pulse(at, count)
            self.turned = mark


@dataclass
class Ran:
    score: object
    records: list
    off_mm: list[tuple[float, float]] = field(default_factory=list)
    health: list[tuple[float, object]] = field(default_factory=list)
    routed: list = field(default_factory=list)  # (bin it ended in, its own bin) of each item
    open_untrusted: int = 0
    encoder_faults: int = 0

    def times(self, condition: Callable) -> list[float]:
        return [at for at, health in self.health if condition(health)]


def run(profile, corrupted, labels=MIXED * 2, blind=lambda at: False) -> Ran:
    """A line whose encoder's cable and camera are corrupted at times."""
    placed = belt_of(labels)
    clock, belt = VirtualClock(), BeltMotion(profile, repeated=False)
    scene = Scene(placed, GEOMETRY, seed=1)
    plant = SimulatedPlant(placed, GATES, scene.remove)
    wheel = Wheel(belt, PulseEncoder(1.0, 500), corrupted)
    encoder = CheckedEncoder(wheel.pulses, Odometer(GEOMETRY, 250))
    ran = Ran(None, [])

    def watch(frame: Frame) -> None:
        at = frame.captured_at
        wheel.turn(at)
        plant.advance(belt.position_mm(at))
        if blind(at):
            frame.pixels[:] = 90
        encoder.see(frame)
        ran.off_mm.append((at, encoder.position_mm(at) - belt.position_mm(at)))
        ran.health.append((at, encoder.health()))

    def record(item) -> None:
        # Where it truly lies: what the pulses slip shifts all positions alike.
        slipped_mm = belt.position_mm(clock.now()) - encoder.position_mm(clock.now())
        ran.records.append(replace(item, position_mm=item.position_mm + slipped_mm))

    camera = SimulatedCamera(scene, belt, clock, FPS, scene.end_mm + 1500)
    conveyor = assemble(
        camera=WatchedCamera(camera, watch),
        encoder=encoder,
        clock=clock,
        geometry=GEOMETRY,
        inference=InlineInference(ColorClassifier()),
        rules=RULES,
        voting=Voting(views=3, spacing_mm=60),
        schedule=GateSchedule(GATES, lead_mm=40, max_open_s=3),
        gates=plant,
        bundle="digest",
        record=record,
    )

    def shown(step) -> None:
        if not step.belt.trusted:
            ran.open_untrusted += len(plant.open_gates)

    conveyor.run(on_step=shown)
    ran.score = score(placed, ran.records, plant.routed, BINS, {"Battery"})
    ran.routed = [
        (bin_name, BINS[item.label]) for bin_name, item in zip(plant.routed, placed, strict=True)
    ]
    ran.encoder_faults = conveyor.tally.encoder_faults
    return ran


def largest_jump(ran: Ran) -> float:
    off = [mm for _, mm in ran.off_mm]
    return max(abs(after - before) for before, after in pairwise(off))


@pytest.fixture
def in_table(injected):
    """Enters what an encoder's fault did into the table."""

    def enter(name: str, ran: Ran, began_s: float, ended_s: float | None = None) -> None:
        noticed = ran.times(lambda health: health.message)
        worst = max(abs(mm) for _, mm in ran.off_mm)
        counts = f"{ran.score.duplicates} duplicates, {wrong_gate(ran)} to a wrong gate"
        injected(
            f"encoder: {name}",
            f"{worst:.0f} mm off at most, {counts}",
            noticed[0] - began_s if noticed else None,
            noticed[-1] + 1 / FPS - ended_s if noticed and ended_s else None,
        )

    return enter


def wrong_gate(ran: Ran) -> int:
    """Items that ended neither in their own bin nor in manual."""
    return sum(bin_name not in (MANUAL, own) for bin_name, own in ran.routed)


@pytest.mark.parametrize("profile", [STEADY, STOP_AND_GO], ids=["steady", "stop-and-go"])
def test_a_healthy_encoder_raises_no_fault(profile):
    ran = run(profile, lambda at, count: [count])
    assert not ran.times(lambda health: health.message)
    assert (ran.score.counted, ran.score.duplicates, ran.score.false_positives) == (16, 0, 0)


def test_a_cut_cable_is_noticed_and_the_camera_takes_over_without_a_jump(in_table):
    cut = (6.0, 12.0)
    ran = run(STEADY, lambda at, count: [] if cut[0] < at < cut[1] else [count])
    in_table("cable cut", ran, *cut)
    assert ran.times(lambda health: "silent" in health.message)
    assert (
        ran.times(lambda health: health.message)[0] - cut[0] < (MOST_DRIFT_MM + 20) / 250 + 2 / FPS
    )
    back_s = ran.times(lambda health: health.message)[-1] - cut[1]
    assert back_s < (AGREEMENT_MM + 60) / 250 + 2 / FPS
    assert largest_jump(ran) < 250 / FPS + 3, "it only stands while the silence is not noticed"
    assert max(abs(mm) for _, mm in ran.off_mm) < MOST_DRIFT_MM + 250 / FPS + 5
    assert (ran.score.counted, ran.score.duplicates, ran.score.false_positives) == (16, 0, 0)
    assert ran.encoder_faults == 0 and wrong_gate(ran) == 0


def test_an_encoder_that_counts_while_the_belt_stands(in_table):
    def noise(at, count):
        return [1] if 4.2 < at < 4.9 else [count]

    ran = run(STOP_AND_GO, noise)
    in_table("counts while the belt stands", ran, 4.2, 4.9)
    assert ran.times(lambda health: "while the belt stands" in health.message)
    assert wrong_gate(ran) == 0
    assert (ran.score.counted, ran.score.duplicates, ran.score.false_positives) == (16, 0, 0)


def test_an_encoder_that_misses_every_tenth_pulse_is_found_by_the_camera(in_table):
    seen = []

    def missing(at, count):
        seen.extend([1] * abs(count))
        return [] if count and len(seen) % 10 == 0 else [count]

    ran = run(STEADY, missing)
    in_table("misses every tenth pulse", ran, 0.0)
    (first,) = {health.message for _, health in ran.health if health.message}
    assert "measured" in first and "mm_per_pulse" in first and wrong_gate(ran) == 0
    assert (ran.score.counted, ran.score.duplicates, ran.score.false_positives) == (16, 0, 0)


def test_bursts_of_noise_on_the_cable_move_no_item(in_table):
    def bursts(at, count):
        return [count, *[1] * 200] if round(at * 500) % 400 == 0 else [count]

    ran = run(STEADY, bursts)
    in_table("bursts of 200 pulses", ran, 0.0)
    assert (ran.score.counted, ran.score.duplicates, ran.score.false_positives) == (16, 0, 0)
    assert wrong_gate(ran) == 0 and ran.score.routed_right == 16


def test_when_neither_is_sure_the_gates_close_and_items_go_to_manual(in_table):
    ran = run(STEADY, lambda at, count: [] if at > 6 else [count], blind=lambda at: 9 < at < 11)
    in_table("cable cut, then the camera blind", ran, 6.0)
    untrusted = ran.times(lambda health: not health.trusted)
    assert 9.0 < untrusted[0] < 9.6 and 10.9 < untrusted[-1] < 11.2
    assert ran.encoder_faults == 1 and not ran.open_untrusted
    lost = [record for record in ran.records if "cannot see" in record.detail]
    assert lost and {record.bin for record in lost} == {MANUAL}
    assert ran.score.duplicates == 0 and wrong_gate(ran) == 0
