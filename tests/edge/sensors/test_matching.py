from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decision.sensing import SensorFinding
from edge.sensors.matching import (
    CLOCK_S,
    Arrival,
    PlacedReading,
    SensorPlace,
    answer_of,
    arrival,
    placed,
)
from edge.sensors.reading import SensorReading
from tests.support.sensed import SPEED_MM_S, XRAY, item

items = st.lists(st.floats(0, 3000), min_size=1, max_size=6).map(
    lambda places: [item(number, place) for number, place in enumerate(places, 1)]
)
on_belt = st.lists(
    st.builds(
        lambda place, width, found, doubtful, sure: PlacedReading(
            SensorReading(0, 0.0, found, sure), place, place + width, doubtful
        ),
        st.floats(-200, 3200),
        st.floats(0, 100),
        st.booleans(),
        st.booleans(),
        st.floats(0, 1),
    ),
    max_size=8,
)


def at_mm(at: float) -> float:
    return SPEED_MM_S * at


def reading(**changes) -> SensorReading:
    return SensorReading(**{"number": 1, "received_at": 8.0, "found": True, **changes})


def test_a_reading_is_of_what_was_at_the_sensor_at_its_time():
    by_time = placed(reading(at=7.9), XRAY, Arrival.GOOD, at_mm)
    assert (by_time.low_mm, by_time.high_mm) == (7.9 * 250 - 300, 7.9 * 250 - 300)
    by_place = placed(reading(belt_mm=1975.0), XRAY, Arrival.GOOD, at_mm)
    assert (by_place.low_mm, by_place.high_mm) == (1675.0, 1675.0)
    by_arrival = placed(reading(), XRAY, Arrival.GOOD, at_mm)
    assert (by_arrival.low_mm, by_arrival.high_mm) == (7.7 * 250 - 300, 8.0 * 250 - 300)
    assert placed(reading(at=7.9), XRAY, Arrival.LATE, at_mm).doubtful


@given(st.floats(-20, 20))
def test_only_what_a_sensor_can_answer_so_soon_arrives_well(age_s):
    how = arrival(reading(at=8.0 - age_s), XRAY, 8.0, at_mm)
    if how is Arrival.GOOD:
        assert -CLOCK_S <= age_s <= 0.3 + CLOCK_S + 1e-9
    assert how is Arrival.FUTURE or age_s >= -CLOCK_S - 1e-9
    by_place = arrival(reading(belt_mm=at_mm(8.0 - age_s)), XRAY, 8.0, at_mm)
    assert (by_place is Arrival.FUTURE) == (-age_s * SPEED_MM_S > XRAY.window_mm)


@settings(max_examples=300, deadline=None)
@given(items, on_belt)
def test_an_item_is_clear_only_by_a_clean_reading_of_its_own_and_no_other_word(belt, readings):
    for each in belt:
        answer = answer_of(XRAY, each, belt, readings)
        fitting = [one for one in readings if one.fits(each, XRAY.window_mm)]
        alone = [
            one
            for one in fitting
            if sum(one.fits(other, XRAY.window_mm) for other in belt) == 1 and not one.doubtful
        ]
        anything = any(one.reading.found for one in fitting)
        if answer.finding is SensorFinding.CLEAR:
            assert alone and not anything
        if answer.finding is SensorFinding.FOUND:
            assert all(one.reading.found for one in fitting) and alone
        assert anything == (answer.finding in (SensorFinding.FOUND, SensorFinding.SUSPECT))
        assert 0 <= answer.certainty <= 1


@settings(max_examples=200, deadline=None)
@given(items, on_belt, on_belt)
def test_more_readings_never_turn_what_was_found_into_an_all_clear(belt, before, more):
    for each in belt:
        first = answer_of(XRAY, each, belt, before).finding
        second = answer_of(XRAY, each, belt, [*before, *more]).finding
        if first in (SensorFinding.FOUND, SensorFinding.SUSPECT):
            assert second in (SensorFinding.FOUND, SensorFinding.SUSPECT)


def test_a_sensor_before_the_camera_reads_what_comes_later():
    before = SensorPlace("metal", -500.0, 30.0, 0.0, 0.3, None)
    first = placed(reading(at=2.0), before, Arrival.GOOD, at_mm)
    belt = [item(1, 1000.0), item(2, 1300.0)]
    found = [answer_of(before, each, belt, [first]).finding for each in belt]
    assert found == [SensorFinding.FOUND, SensorFinding.NONE]
    assert answer_of(before, belt[1], belt, [first], silent=True).finding is SensorFinding.SILENT
