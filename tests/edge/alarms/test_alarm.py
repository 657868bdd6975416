"""The life of an alarm: never lost, latched until acknowledged and gone, and never a flood."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alarms.alarm import (
    FLOOD_S,
    MOST_EVENTS,
    MOST_RAISED,
    Alarm,
    Alarms,
    AlarmState,
    Happening,
    Reading,
    Signal,
    acknowledge,
    advance,
    shelve,
    unshelve,
)
from edge.alarms.catalog import CATALOG, AlarmName, Priority

NOW = 1_800_000_000.0
DISK, LENS, LIGHT = AlarmName.DISK_NEARLY_FULL, AlarmName.DIRTY_LENS, AlarmName.LIGHT_CHANGED
BLIND, SILENT = AlarmName.NO_PICTURE, AlarmName.LINE_SILENT
PRESENT, ABSENT = Signal.PRESENT, Signal.ABSENT


def run(alarms: Alarms, begin: float, seconds: float, **signals: Signal) -> tuple[Alarms, float]:
    """Look every 5 s; what is not named is absent. The alarms, and when that was."""
    now = begin
    while now <= begin + seconds:
        readings = {
            name: Reading(signals.get(name.value, ABSENT), f"at {name.value}") for name in CATALOG
        }
        alarms = advance(alarms, readings, now)
        now += 5
    return alarms, now


def state(alarms: Alarms, name: AlarmName) -> AlarmState:
    return alarms.of(name).state


def test_an_alarm_is_latched_until_it_is_acknowledged_and_its_cause_is_gone():
    alarms, now = run(Alarms(), NOW, 290, disk_nearly_full=PRESENT)
    assert state(alarms, DISK) is AlarmState.NORMAL, "its cause has not lasted for long enough"
    alarms, now = run(alarms, now, 10, disk_nearly_full=PRESENT)
    assert state(alarms, DISK) is AlarmState.UNACKNOWLEDGED
    assert alarms.of(DISK).detail == "at disk_nearly_full"
    alarms, now = run(alarms, now, 600)
    assert state(alarms, DISK) is AlarmState.RETURNED, "gone, but nobody has seen it"
    alarms = acknowledge(alarms, [DISK], "anna", now)
    assert state(alarms, DISK) is AlarmState.NORMAL
    alarms, now = run(alarms, now, 305, disk_nearly_full=PRESENT)
    alarms = acknowledge(alarms, [DISK], "bert", now)
    assert state(alarms, DISK) is AlarmState.ACKNOWLEDGED
    alarms, now = run(alarms, now, 7200, disk_nearly_full=Signal.BETWEEN)
    assert state(alarms, DISK) is AlarmState.ACKNOWLEDGED, "not yet beyond the second threshold"
    alarms, now = run(alarms, now, 1200)
    assert state(alarms, DISK) is AlarmState.NORMAL
    journal = [(each.what, each.by) for each in alarms.events]
    assert journal == [
        (Happening.RAISED, ""),
        (Happening.GONE, ""),
        (Happening.ACKNOWLEDGED, "anna"),
        (Happening.RAISED, ""),
        (Happening.ACKNOWLEDGED, "bert"),
        (Happening.GONE, ""),
    ]


def test_what_follows_from_another_alarm_is_not_raised_until_that_is_gone():
    alarms, now = run(Alarms(), NOW, 600, no_picture=PRESENT, dirty_lens=PRESENT)
    assert alarms.unacknowledged == [BLIND]
    assert state(alarms, LENS) is AlarmState.SUPPRESSED
    alarms, now = run(alarms, now, 200, dirty_lens=PRESENT)
    assert state(alarms, LENS) is AlarmState.NORMAL or not alarms.of(LENS).active
    alarms, now = run(alarms, now, 400, dirty_lens=PRESENT)
    assert alarms.unacknowledged == [BLIND, LENS], "a cause of its own is raised after all"


def test_a_shelved_alarm_comes_back_after_a_shift_at_most():
    alarms, now = run(Alarms(), NOW, 400, disk_nearly_full=PRESENT)
    alarms = shelve(alarms, DISK, 3600, "anna", now)
    assert alarms.unacknowledged == [] and state(alarms, DISK) is AlarmState.SHELVED
    alarms, now = run(alarms, now, 3500, disk_nearly_full=PRESENT)
    assert state(alarms, DISK) is AlarmState.SHELVED
    alarms, now = run(alarms, now, 200, disk_nearly_full=PRESENT)
    assert state(alarms, DISK) is AlarmState.UNACKNOWLEDGED, "its time is over, its cause is not"
    alarms = unshelve(shelve(alarms, DISK, 60, "anna", now), DISK, "bert", now)
    alarms, now = run(alarms, now, 5, disk_nearly_full=PRESENT)
    assert state(alarms, DISK) is AlarmState.UNACKNOWLEDGED
    for name, seconds in ((BLIND, 60), (DISK, 0), (DISK, 8 * 3600 + 1)):
        with pytest.raises(ValueError, match="shelved"):
            shelve(alarms, name, seconds, "anna", now)


def test_what_chatters_becomes_one_standing_alarm():
    alarms, now = Alarms(), NOW
    raised = []
    while now < NOW + 8 * 3600:
        alarms, now = run(alarms, now, 15, output_lost=PRESENT)
        alarms, now = run(alarms, now, 65)
        raised += [each.at for each in alarms.events if each.what is Happening.RAISED]
        alarms = acknowledge(alarms, alarms.unacknowledged, "anna", now)
    assert 1 <= len(set(raised)) <= 16, "an output that is lost every 80 s, 360 times"


def test_a_clock_that_is_set_back_neither_loses_nor_freezes_an_alarm():
    alarms, now = run(Alarms(), NOW, 400, disk_nearly_full=PRESENT)
    earlier = NOW - 86400
    alarms, now = run(alarms, earlier, 5, disk_nearly_full=PRESENT, dirty_lens=PRESENT)
    assert alarms.unacknowledged == [DISK]
    alarms, now = run(alarms, now, 200, disk_nearly_full=PRESENT, dirty_lens=PRESENT)
    assert alarms.unacknowledged == [DISK, LENS]
    alarms = shelve(alarms, DISK, 8 * 3600, "anna", now)
    alarms, _ = run(alarms, now - 30 * 86400, 10, disk_nearly_full=PRESENT)
    assert alarms.of(DISK).shelved_until <= now - 30 * 86400 + 8 * 3600 + 10


def test_in_a_flood_urgent_alarms_come_first_and_none_is_lost():
    everything = {name.value: PRESENT for name in CATALOG if not CATALOG[name].follows_from}
    everything |= {"light_changed": PRESENT, "class_mix": PRESENT}
    everything |= {"output_lost": PRESENT}
    del everything["line_silent"]
    alarms, _ = run(Alarms(), NOW, 900, **everything)
    held = [name for name in CATALOG if state(alarms, name) is AlarmState.HELD]
    assert not any(CATALOG[name].priority is Priority.HIGH for name in held)
    raised = {each.name for each in alarms.raises}
    suppressed = {name for name in CATALOG if state(alarms, name) is AlarmState.SUPPRESSED}
    assert raised | set(held) | suppressed == {AlarmName(name) for name in everything}


STEPS = st.lists(
    st.tuples(
        st.sampled_from((5.0, 30.0, 301.0, 4000.0, -500.0)),
        st.dictionaries(st.sampled_from(AlarmName), st.sampled_from(Signal), max_size=8),
        st.sets(st.sampled_from(AlarmName), max_size=3),
        st.sampled_from((None, *AlarmName)),
    ),
    max_size=60,
)


def is_new(was: Alarm, alarm: Alarm) -> bool:
    """Whether an alarm was raised between two looks."""
    return alarm.latched and (not was.latched or alarm.raised_at != was.raised_at)


@settings(deadline=None, max_examples=150)
@given(STEPS)
def test_whatever_happens_no_alarm_is_lost_and_none_floods(steps):
    """Raised until a person says otherwise; few in ten minutes; and a file holds all of it."""
    alarms, now = Alarms(), NOW
    raised: list[float] = []
    for seconds, signals, names, shelved in steps:
        now += seconds
        before = alarms
        alarms = advance(alarms, {name: Reading(each) for name, each in signals.items()}, now)
        raised = [] if seconds < 0 else raised
        raised += [now for name in CATALOG if is_new(before.of(name), alarms.of(name))]
        for name in CATALOG:
            was, alarm = before.of(name), alarms.of(name)
            if was.needs_acknowledgment:
                assert alarm.needs_acknowledgment or alarm.shelved_until is not None, "lost"
            if was.state is AlarmState.ACKNOWLEDGED and was.active and alarm.active:
                assert alarm.state is AlarmState.ACKNOWLEDGED, "acknowledged is acknowledged"
            if signals.get(name) is not PRESENT and not was.active:
                assert not alarm.active, "an alarm without a cause"
            if alarm.latched and alarm.acknowledged_at is None:
                assert alarm.raised_at is not None
        assert sum(now - each < FLOOD_S for each in raised) <= MOST_RAISED
        alarms = acknowledge(alarms, names, "anna", now)
        assert not any(alarms.of(name).needs_acknowledgment for name in names)
        if shelved is not None and CATALOG[shelved].can_be_shelved:
            alarms = shelve(alarms, shelved, 600, "bert", now)
        assert len(alarms.events) <= MOST_EVENTS
        assert Alarms.model_validate_json(alarms.model_dump_json()) == alarms
