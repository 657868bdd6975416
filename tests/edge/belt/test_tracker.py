from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.belt.detector import Detection
from edge.belt.geometry import Box, Geometry
from edge.belt.tracker import Tracker

VIEW = Geometry()


@dataclass(frozen=True)
class Thing:
    """A physical object: belt coordinate, offset and extents, mm."""

    position: float
    offset: float
    length: float
    width: float


def seen(thing, encoder_mm, jitter=(0, 0, 0, 0), begin=0.0, end=1.0):
    """The detection of a thing, or of the part of its length from `begin` to `end`; None: none."""
    low = thing.position - thing.length / 2
    left = VIEW.column(low + end * thing.length, encoder_mm) + jitter[0]
    right = VIEW.column(low + begin * thing.length, encoder_mm) + jitter[1]
    top = VIEW.row(thing.offset - thing.width / 2) + jitter[2]
    bottom = VIEW.row(thing.offset + thing.width / 2) + jitter[3]
    box = Box(
        max(0, round(left)), max(0, round(top)), min(1280, round(right)), min(720, round(bottom))
    )
    if box.width < 3 or box.height < 40:
        return None
    whole = box.left >= 8 and box.top >= 8 and box.right <= 1272 and box.bottom <= 712
    return Detection(box, whole, touching=False)


@st.composite
def lanes(draw):
    """Objects in two lanes of the belt, at least 40 mm apart, the first perhaps in view at once."""
    things = []
    for lane in (-100.0, 100.0):
        end = draw(st.floats(60, 600))
        for _ in range(draw(st.integers(0, 4))):
            length, width = draw(st.floats(50, 220)), draw(st.floats(50, 140))
            begin = end + draw(st.floats(40, 400))
            end = begin + length
            offset = lane + draw(st.floats(-10, 10))
            things.append(Thing((begin + end) / 2, offset, length, width))
    return things


@st.composite
def readings(draw):
    """Encoder readings, one a frame: stops, creeps, runs, jogs back, then a run to the end."""
    encoder, furthest, all_readings = 0.0, 0.0, [0.0]
    for _ in range(draw(st.integers(0, 8))):
        step = draw(st.sampled_from([-40.0, -25.0, -3.0, 0.0, 1.5, 12.0, 25.0, 40.0]))
        for _ in range(draw(st.integers(1, 25))):
            encoder = max(encoder + step, furthest - 900.0)
            furthest = max(furthest, encoder)
            all_readings.append(encoder)
    while encoder < 5000.0:
        encoder += 25.0
        all_readings.append(encoder)
    return all_readings


@settings(max_examples=150, deadline=None)
@given(
    things=lanes(), encoder=readings(), seed=st.integers(0, 2**32 - 1), dropped=st.integers(0, 2)
)
def test_each_object_is_numbered_exactly_once(things, encoder, seed, dropped):
    rng = np.random.default_rng(seed)
    tracker = Tracker()
    numbers = {index: set() for index in range(len(things))}
    left, last_frame, broken = [], 0, {}
    for frame, at_mm in enumerate(encoder):
        if dropped and rng.integers(dropped + 1) and frame - last_frame <= 3:
            continue
        last_frame = frame
        detections = []
        for index, thing in enumerate(things):
            jitter = rng.integers(-4, 5, 4)
            whole = seen(thing, at_mm, jitter)
            # Now and then the detector breaks an object in two, but not twice in a row.
            parts = [whole]
            if thing.length > 120 and rng.random() < 0.15 and not broken.get(index):
                parts = [seen(thing, at_mm, jitter, 0.0, 0.4), seen(thing, at_mm, jitter, 0.7, 1.0)]
                parts = [part for part in parts if part is not None and part.box.width > 30]
                broken[index] = True
            else:
                broken[index] = False
            detections += [part for part in parts if part is not None]
        rng.shuffle(detections)
        for item, _ in tracker.update(detections, VIEW, at_mm, frame / 10):
            truth = [
                index
                for index, thing in enumerate(things)
                if abs(thing.position - item.position_mm) < thing.length / 2
                and abs(thing.offset - item.offset_mm) < thing.width / 2
            ]
            assert len(truth) == 1
            numbers[truth[0]].add(item.number)
        left += tracker.left(at_mm)
    assert [len(of_thing) for of_thing in numbers.values()] == [1] * len(things)
    assert sorted(item.number for item in left) == list(range(1, len(things) + 1))
    for index, (number,) in numbers.items():
        (item,) = (item for item in left if item.number == number)
        assert abs(item.position_mm - things[index].position) < 8


def run(tracker, detections_at, readings):
    """Numbers given over a run; `detections_at` maps a reading to detections."""
    found = []
    for at_mm in readings:
        found += tracker.update(detections_at(at_mm), VIEW, at_mm, at_mm / 250)
    return found


def test_entering_item_has_its_true_center_from_the_first_number_on():
    thing = Thing(500.0, 0.0, 180.0, 100.0)

    def detections(at_mm):
        one = seen(thing, at_mm)
        return [one] if one else []

    found = run(Tracker(), detections, range(0, 1200, 25))
    assert {item.number for item, _ in found} == {1}
    assert max(abs(item.position_mm - 500.0) for item, _ in found) < 1.0
    assert max(abs(item.length_mm - 180.0) for item, _ in found) < 1.0
    assert found[0][1].whole
    assert not found[-1][1].whole


def test_an_object_seen_once_or_never_to_its_end_is_no_item():
    once = Thing(100.0, 0.0, 100.0, 100.0)
    tracker = Tracker()
    assert tracker.update([seen(once, 0.0)], VIEW, 0.0, 0.0) == []
    endless = Thing(0.0, 0.0, 5000.0, 100.0)
    assert run(Tracker(), lambda at_mm: [seen(endless, at_mm)], range(0, 500, 25)) == []


def test_an_object_longer_than_the_view_is_an_item_when_both_ends_were_seen():
    long = Thing(900.0, 0.0, 1000.0, 100.0)

    def detections(at_mm):
        one = seen(long, at_mm)
        return [one] if one else []

    tracker = Tracker()
    found = run(tracker, detections, range(0, 2500, 25))
    assert {item.number for item, _ in found} == {1}
    assert abs(found[-1][0].position_mm - 900.0) < 1.0
    assert not any(detection.whole for _, detection in found)
    assert [item.number for item in tracker.left(2500.0)] == [1]
    assert tracker.left(2500.0) == []


def test_fragments_of_an_item_are_one_view_that_is_whole_only_together():
    thing = Thing(0.0, 0.0, 200.0, 100.0)
    tracker = Tracker()
    for at_mm in (0.0, 30.0):
        tracker.update([seen(thing, at_mm)], VIEW, at_mm, at_mm)
    front, back = seen(thing, 40.0, begin=0.0, end=0.4), seen(thing, 40.0, begin=0.6, end=1.0)
    ((item, view),) = tracker.update([front, back], VIEW, 40.0, 2.0)
    assert (item.number, view.box, view.whole) == (1, seen(thing, 40.0).box, True)
    ((item, view),) = tracker.update([seen(thing, 50.0, begin=0.0, end=0.4)], VIEW, 50.0, 3.0)
    assert (item.number, view.whole) == (1, False)
    assert abs(item.length_mm - 200.0) < 1.0


@pytest.mark.parametrize(
    ("thing", "readings"),
    [
        (Thing(160.5, -100.0, 121.0, 50.0), (0.0, -3.0, -43.0, -18.0, 7.0)),
        # Cut off by the frame's border while the whole is seen: its end is not known yet.
        (Thing(353.5, -100.0, 139.0, 50.0), (0.0, 25.0, 50.0, 75.0)),
    ],
)
def test_fragments_seen_again_before_the_belt_moves_are_not_numbered_beside_their_whole(
    thing, readings
):
    tracker, numbers = Tracker(), set()
    for frame, at_mm in enumerate(readings):
        whole = [seen(thing, at_mm, jitter=(3, -3, 0, 0))]  # short: one of the parts fits it better
        parts = [seen(thing, at_mm, begin=0.7), seen(thing, at_mm, end=0.4)]
        detections = whole if frame % 2 else parts
        assert None not in detections
        numbers |= {item.number for item, _ in tracker.update(detections, VIEW, at_mm, frame / 10)}
    assert numbers == {1}


def test_a_box_over_two_known_items_is_a_touching_view_of_both():
    first, second = Thing(0.0, 0.0, 100.0, 100.0), Thing(140.0, 0.0, 100.0, 100.0)
    tracker = Tracker()
    for at_mm in (0.0, 30.0):
        tracker.update([seen(first, at_mm), seen(second, at_mm)], VIEW, at_mm, at_mm)
    both = Detection(seen(first, 40.0).box.union(seen(second, 40.0).box), True, False)
    found = tracker.update([both], VIEW, 40.0, 2.0)
    assert [(item.number, view.touching) for item, view in found] == [(1, True), (2, True)]
    assert [round(item.length_mm) for item, _ in found] == [100, 100]


@given(step=st.floats(0.5, 60), length=st.floats(5, 80))
def test_what_stays_in_the_picture_while_the_belt_moves_is_no_item(step, length):
    tracker, speck = Tracker(), Thing(0.0, 0.0, length, 100.0)
    found = []
    for look in range(60):
        found += tracker.update([seen(speck, 0.0)], VIEW, look * step, look / 15)
    assert found == []


def test_an_encoder_that_slips_is_followed():
    tracker, thing = Tracker(), Thing(500.0, 0.0, 150.0, 100.0)
    found = []
    for at_mm in range(0, 1200, 25):
        one = seen(thing, at_mm * 1.03)  # the belt is 3 % faster than the encoder says
        found += tracker.update([one] if one else [], VIEW, at_mm, at_mm / 250)
    assert {item.number for item, _ in found} == {1}


def test_items_are_forgotten_only_far_out_of_view():
    thing = Thing(0.0, 0.0, 100.0, 100.0)
    tracker = Tracker(forget_mm=1000.0)
    for at_mm in (0.0, 30.0):
        tracker.update([seen(thing, at_mm)], VIEW, at_mm, at_mm)
    tracker.update([], VIEW, 1400.0, 3.0)
    ((item, _),) = tracker.update([seen(thing, 0.0)], VIEW, 0.0, 5.0)
    assert (item.number, item.first_seen_at, item.last_seen_at) == (1, 0.0, 5.0)
    tracker.update([], VIEW, 1500.0, 6.0)
    for at_mm in (0.0, 30.0):
        found = tracker.update([seen(thing, at_mm)], VIEW, at_mm, 7.0)
    assert [item.number for item, _ in found] == [2]
