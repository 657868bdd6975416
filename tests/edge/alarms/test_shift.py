"""Shifts of eight hours in simulated time: each fault raises its alarm, and few are raised."""

import pytest

from edge.simulator.alarm_shift import FAULTY, RAISES, Cause, Injected, simulate_shift

SEEDS = (0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shift_without_faults_raises_no_alarm(seed):
    assert simulate_shift(seed=seed).raised == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_each_fault_of_a_shift_raises_its_alarm_in_time_and_few_are_raised(seed):
    shift = simulate_shift(FAULTY, seed=seed)
    for fault in FAULTY:
        delay_s = shift.delay_s(fault)
        assert delay_s is not None, f"{fault.cause.value} raised nothing"
        assert delay_s <= RAISES[fault.cause][1], fault.cause.value
    assert shift.per_10_minutes <= 1 and shift.most_in_10_minutes <= 10
    assert shift.causes > 3 * len(shift.raised), "delays and suppression hold the rest back"


@pytest.mark.slow
def test_outputs_and_cameras_that_chatter_for_a_whole_shift_are_a_few_alarms():
    faults = [Injected(cause, 60, 27_000) for cause in (Cause.OUTPUT_CHATTERS, Cause.DOUBT)]
    faults.append(Injected(Cause.CAMERA_CHATTERS, 600, 27_000))
    shift = simulate_shift(faults, seed=5)
    assert shift.causes > 300 and shift.per_10_minutes <= 0.2


def test_every_cause_is_in_the_shift():
    assert {fault.cause for fault in FAULTY} == set(Cause) == set(RAISES)
