from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.recovery import FAILING_FACTOR, Patience, Recovery, RecoveryStep

PATIENCE = Patience(stall_s=1, restart_s=5, give_up_s=60)


def steps(recovery, seconds, ended=False):
    """What is done at which second, asked ten times a second."""
    times = [tenth / 10 for tenth in range(10 * seconds)]
    done = [(at, recovery.due(at, ended)) for at in times]
    return [(at, step) for at, step in done if step is not RecoveryStep.WAIT]


def test_silence_is_a_fault_then_a_new_process_then_the_end():
    recovery = Recovery(PATIENCE, 0.0)
    assert not recovery.is_fault(0.9) and recovery.is_fault(1.0)
    done = steps(recovery, 61)
    assert [at for at, step in done if step is RecoveryStep.RESTART] == [5, 15, 35]
    assert done[3][0] == 60 and done[3][1] is RecoveryStep.GIVE_UP


def test_a_process_that_tells_of_failures_is_given_more_time():
    recovery = Recovery(PATIENCE, 0.0)
    for second in range(int(FAILING_FACTOR * 5)):
        recovery.heard(second)
        assert recovery.due(second, False) is RecoveryStep.WAIT
        assert recovery.is_fault(second) is (second >= 1)
    assert recovery.due(FAILING_FACTOR * 5, False) is RecoveryStep.RESTART


def test_a_black_picture_is_a_fault_that_no_restart_helps():
    recovery = Recovery(PATIENCE, 0.0)
    for second in range(1, 1000):
        recovery.alive(second)
        assert recovery.is_fault(second)
        assert recovery.due(second, False) is RecoveryStep.WAIT


def test_a_process_that_ends_at_once_is_replaced_less_and_less_often():
    done = steps(Recovery(PATIENCE, 0.0), 60, ended=True)
    times = [at for at, step in done if step is RecoveryStep.RESTART]
    assert times[:4] == [0.5, 1.5, 3.5, 7.5]
    assert max(b - a for a, b in pairwise(times)) <= 5.1


def test_it_never_gives_up_if_configured_so():
    done = steps(Recovery(Patience(1, 5, 0), 0.0), 500)
    assert {step for _, step in done} == {RecoveryStep.RESTART}


@given(st.lists(st.tuples(st.floats(0.01, 30), st.sampled_from(["good", "heard", "alive"]))))
def test_a_camera_that_was_good_within_the_limits_is_left_alone(events):
    recovery, now = Recovery(PATIENCE, 0.0), 0.0
    restarted_at, silent_since = 0.0, 0.0
    for passed, event in events:
        now += passed
        step = recovery.due(now, False)
        if step is RecoveryStep.GIVE_UP:
            assert now - silent_since >= PATIENCE.give_up_s
            return
        if step is RecoveryStep.RESTART:
            assert now - restarted_at >= PATIENCE.restart_s
            restarted_at = now
        getattr(recovery, event)(now)
        if event != "heard":
            silent_since = now
        if event == "good":
            assert not recovery.is_fault(now)
            assert recovery.due(now, False) is RecoveryStep.WAIT
