from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cameras.backlog import LONGEST_S, Backlog


def old(backlog, times):
    return [backlog.is_old(at) for at in times]


def paced(start, count, gap=0.1):
    return [start + gap * index for index in range(count)]


def test_what_has_gathered_before_the_start_and_during_a_pause_is_old():
    backlog = Backlog(10, 0.0)
    assert old(backlog, paced(0.001, 5, 0.002)) == [True] * 5
    assert not any(old(backlog, paced(0.11, 40)))
    # Half a second without a frame, then the five of that time in a burst, then the usual pace.
    assert old(backlog, paced(4.6, 5, 0.004)) == [True] * 5
    assert not any(old(backlog, paced(4.71, 20)))


def test_what_a_decoder_gives_up_when_its_stream_hangs_is_old_even_soon_after_the_start():
    backlog = Backlog(10, 0.0)
    assert not any(old(backlog, paced(0.1, 6)))
    assert backlog.is_old(3.6)


def test_a_camera_of_another_rate_than_configured_is_followed():
    assert not any(old(Backlog(30, 0.0), paced(0.2, 50, 0.2))[5:])
    assert not any(old(Backlog(10, 0.0), paced(0.01, 500, 1 / 60))[70:])


@settings(max_examples=40)
@given(st.lists(st.floats(0.0001, 0.5), min_size=30, max_size=150))
def test_nothing_is_kept_back_for_long_without_a_pause(gaps):
    backlog, now, new_at = Backlog(10, 0.0), 0.0, 0.0
    for gap in gaps:
        now += gap
        if not backlog.is_old(now):
            new_at = now
        elif gap > 0.25:
            new_at = now  # a pause begins the count anew
        assert now - new_at <= LONGEST_S + 0.5
