"""Pulses of a simulated belt: jittered, missed, spurious, backwards."""

import threading
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.encoders.pulses import BURST_PULSES, BURST_S, PulseEncoder
from edge.simulator.motion import BeltMotion, Stretch

FASTEST = 500.0
segments = st.lists(
    st.builds(Stretch, st.floats(0.05, 2.0), st.floats(-FASTEST, FASTEST)), min_size=1, max_size=6
)


def crossings(belt, mm_per_pulse: float, until_s: float) -> list[tuple[float, int]]:
    """When the belt passes a multiple of `mm_per_pulse`, and which way, to 0.5 ms."""
    found, mark = [], 0
    for tick in range(1, round(until_s / 0.0005)):
        at = tick * 0.0005
        reached = belt.position_mm(at) / mm_per_pulse
        while reached >= mark + 1:
            mark += 1
            found.append((at, 1))
        while reached <= mark - 1:
            mark -= 1
            found.append((at, -1))
    return found


@settings(max_examples=40)
@given(segments, st.floats(0.5, 20.0), st.integers(0, 1000))
def test_it_follows_any_belt_within_two_pulses_whatever_the_jitter(profile, mm_per_pulse, seed):
    random = Random(seed)
    belt, encoder = BeltMotion(profile, repeated=False), PulseEncoder(mm_per_pulse, FASTEST)
    until_s = min(3.0, sum(segment.seconds for segment in profile))
    stamped = [
        (at + random.uniform(0, 0.002), count)
        for at, count in crossings(belt, mm_per_pulse, until_s)
    ]
    for at, count in zip(sorted(at for at, _ in stamped), (c for _, c in stamped), strict=True):
        assert encoder.pulse(at, count)
    assert encoder.disbelieved == 0
    for step in range(50):
        at = until_s * step / 50
        off = abs(encoder.position_mm(at) - belt.position_mm(at))
        assert off <= 2 * mm_per_pulse + 0.003 * FASTEST


@given(
    st.lists(st.tuples(st.floats(0, 0.1), st.integers(-3, 3)), min_size=1, max_size=60),
    st.floats(0.1, 20.0),
)
def test_no_stream_moves_it_faster_than_the_fastest_belt(stream, mm_per_pulse):
    encoder, at, positions = PulseEncoder(mm_per_pulse, FASTEST), 0.0, [(0.0, 0.0)]
    believed = 0
    for wait, count in stream:
        at += wait
        if encoder.pulse(at, count):
            believed += abs(count)
        positions.append((at, encoder.position_mm(at)))
    assert believed + encoder.disbelieved == sum(abs(count) for _, count in stream)
    # Up to three pulses more are expected after a batch, and may not come.
    burst_mm = (BURST_PULSES + 3) * mm_per_pulse + BURST_S * FASTEST
    for index, (start, from_mm) in enumerate(positions):
        for end, to_mm in positions[index:]:
            assert abs(to_mm - from_mm) <= FASTEST * (end - start) + burst_mm + 1e-6


def test_a_burst_of_noise_is_not_believed_and_counted():
    encoder = PulseEncoder(1.0, FASTEST)
    for tick in range(100):
        encoder.pulse(0.01 * tick)
    before = encoder.position_mm(0.99)
    for tick in range(1000):
        encoder.pulse(0.991 + 1e-6 * tick)
    assert encoder.disbelieved >= 990
    assert encoder.position_mm(1.0) - before <= 2.0 + FASTEST * (BURST_S + 0.003)
    assert encoder.pulse(1.1) and encoder.heard_at == 1.1


def test_between_two_pulses_it_moves_evenly_and_after_the_last_one_no_further_than_the_next():
    encoder = PulseEncoder(5.0)
    assert encoder.position_mm(3.0) == 0.0 and encoder.heard_at is None
    encoder.pulse(1.0)
    encoder.pulse(2.0)
    assert [encoder.position_mm(at) for at in (1.0, 1.5, 2.0)] == [5.0, 7.5, 10.0]
    assert encoder.position_mm(2.5) == pytest.approx(12.5)
    assert encoder.position_mm(60.0) == pytest.approx(15.0), "the belt stands, perhaps"
    encoder.pulse(61.0, -1)
    assert encoder.position_mm(61.0) == 5.0 and encoder.heard_at == 61.0


def test_a_counter_that_is_read_now_and_then():
    encoder = PulseEncoder(0.5, FASTEST)
    for tick, count in enumerate([40, 40, 0, 0, -40], start=1):
        assert encoder.pulse(0.05 * tick, count)
    assert encoder.position_mm(0.075) == pytest.approx(30.0)
    assert encoder.position_mm(0.18) == encoder.position_mm(0.2) == pytest.approx(40.0)
    assert encoder.position_mm(0.25) == pytest.approx(20.0)
    assert not encoder.pulse(0.30, 400), "4 m/s"


def test_it_forgets_what_is_long_past_and_stays_right():
    encoder = PulseEncoder(0.1, FASTEST)
    for tick in range(100_000):
        encoder.pulse(0.001 * tick)
    assert len(encoder._history) < 20_000
    assert encoder.position_mm(95.0) == pytest.approx(9500.1, abs=0.1)


def test_pulses_come_from_another_thread():
    encoder = PulseEncoder(1.0, FASTEST)
    feeding = threading.Thread(target=lambda: [encoder.pulse(0.01 * n) for n in range(1, 20_001)])
    feeding.start()
    seen = [encoder.position_mm(1e9)]
    while feeding.is_alive():
        seen.append(encoder.position_mm(1e9))
    feeding.join()
    assert seen == sorted(seen) and encoder.position_mm(200.0) == 20_000
