"""Whatever is wrong with the messages of a sensor: no gate opens that would be closed without."""

import json
from dataclasses import replace

import pytest

from edge.decision.sensing import SensorFinding
from edge.labels import MANUAL
from edge.verdict import Reason
from tests.support.sensed import SPEED_MM_S, WALL_AT_0, XrayBelt, item, seen


@pytest.fixture
def belt():
    return XrayBelt()


def after_all(belt: XrayBelt, number: int = 1) -> None:
    """Let the time pass in which an answer could come."""
    belt.go_to(max(belt.clock.now(), belt.passes_at(number) + 1.2))


def test_clean_answers_sort_and_hold_back(belt):
    belt.send(1, found=False)
    belt.send(2, found=True)
    sorted_, held = belt.verdict(1), belt.verdict(2)
    assert (sorted_.bin, sorted_.reason) == ("bin of Mobile", Reason.SORTED)
    assert (held.bin, held.reason) == (MANUAL, Reason.HAZARD_SUSPECTED)
    assert held.detail == "Mobile 97%, but may be battery inside 91% (xray: found)"
    assert belt.watch.counts == {"xray": {"good": 2}}


def test_a_lost_message_keeps_the_gate_closed(belt, injected):
    belt.send(1, found=False)
    belt.send(3, found=False)
    after_all(belt, 3)
    lost = belt.verdict(2)
    assert (lost.bin, lost.reason) == (MANUAL, Reason.SENSOR_SILENT)
    assert lost.detail == "Mobile 97%, but without the answer of xray (none)"
    injected("sensor: message lost", "item to manual: sensor_silent")


def test_a_late_all_clear_opens_nothing(belt, injected):
    belt.send(1, found=False, after_s=0.9)
    assert belt.answer(1).finding is SensorFinding.NONE
    assert belt.verdict(1).bin == MANUAL
    assert belt.watch.counts == {"xray": {"late": 1}}
    injected("sensor: all-clear too late", "item to manual: sensor_silent")


def test_a_late_finding_still_holds_an_item_back(belt, injected):
    belt.send(1, found=True, after_s=0.9)
    verdict = belt.verdict(1)
    assert belt.answer(1).finding is SensorFinding.SUSPECT
    assert (verdict.bin, verdict.reason) == (MANUAL, Reason.HAZARD_SUSPECTED)
    injected("sensor: finding too late", "item to manual: hazard_suspected")


@pytest.mark.parametrize("off_s", [1.6, 60.0, 86_400.0])
def test_a_message_of_the_future_opens_nothing(belt, injected, off_s):
    """A clock that is 1.6 s ahead would give the all-clear to the next item but none."""
    belt.send(1, found=False, time=WALL_AT_0 + belt.passes_at(1) + off_s)
    after_all(belt, 2)
    assert [belt.verdict(number).bin for number in (1, 2)] == [MANUAL, MANUAL]
    assert belt.watch.counts == {"xray": {"of the future": 1}}
    if off_s == 1.6:
        injected("sensor: time in the future", "items to manual: sensor_silent")


def test_a_clock_that_is_behind_gives_no_other_item_the_all_clear(belt, injected):
    belt.send(2, found=False, time=WALL_AT_0 + belt.passes_at(1))
    after_all(belt, 2)
    assert [belt.verdict(number).bin for number in (1, 2)] == [MANUAL, MANUAL]
    assert belt.watch.counts == {"xray": {"late": 1}}
    injected("sensor: clock behind by an item", "items to manual: sensor_silent")


def test_a_time_before_all_memory_is_left_out(belt, injected):
    belt.send(1, found=True, time=3.0)
    assert belt.verdict(1).bin == MANUAL and belt.answer(1).finding is SensorFinding.NONE
    assert belt.watch.counts == {"xray": {"too old": 1}}
    injected("sensor: time of 1970", "item to manual: sensor_silent")


def test_duplicates_count_once(belt, injected):
    for after_s in (0.1, 0.2, 0.25):
        belt.send(1, found=False, after_s=after_s)
    belt.send(1, found=False, after_s=1.5)
    after_all(belt, 2)
    assert belt.verdict(1).bin == "bin of Mobile" and belt.verdict(2).bin == MANUAL
    assert belt.watch.counts == {"xray": {"good": 1, "repeated": 3}}
    injected("sensor: message repeated 3 times", "counted once; the next item to manual")


def test_a_duplicate_without_a_time_clears_no_other_item(belt, injected):
    """It says nothing of when the item was there: only its number tells that it is old."""
    belt.send(1, found=False, time=None)
    belt.go_to(belt.passes_at(2) + 0.1)
    belt.inbox.receive(belt.message(1, found=False, time=None))
    after_all(belt, 2)
    assert belt.verdict(1).bin == "bin of Mobile" and belt.verdict(2).bin == MANUAL
    injected("sensor: old message sent again, no time", "the next item to manual")


@pytest.mark.parametrize("first", [True, False])
def test_contradictory_messages_are_a_reason_to_look(belt, injected, first):
    belt.send(1, found=first, after_s=0.1)
    belt.send(1, found=not first, after_s=0.2)
    verdict = belt.verdict(1)
    assert belt.answer(1).finding is SensorFinding.SUSPECT and verdict.bin == MANUAL
    assert belt.watch.counts["xray"]["contradictory"] == 1
    injected(f"sensor: {'yes, then no' if first else 'no, then yes'}, one id", "item to manual")


def test_two_readings_of_one_item_that_disagree_are_a_reason_to_look(belt, injected):
    belt.send(1, found=True, id=1)
    belt.send(1, found=False, id=2)
    assert belt.answer(1).finding is SensorFinding.SUSPECT and belt.verdict(1).bin == MANUAL
    injected("sensor: yes and no, two ids", "item to manual: hazard_suspected")


def test_messages_in_the_wrong_order_find_their_items(belt, injected):
    patient = XrayBelt(place=replace(belt.place, most_delay_s=2.0))
    for each in (belt, patient):
        each.go_to(each.passes_at(2) + 0.05)
        for number, found in ((2, True), (1, False)):
            each.inbox.receive(each.message(number, found))
        assert each.verdict(2).reason is Reason.HAZARD_SUSPECTED
    assert belt.verdict(1).bin == MANUAL, "too late for its all-clear"
    assert patient.verdict(1).bin == "bin of Mobile"
    injected("sensor: messages in wrong order", "each to its own item; the late one to manual")


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (b"\x00\x01\x02", "bytes"),
        (b"{", "torn"),
        (b'{"sensor":"xray","id":1,"found":false,"found":false}', "a key twice"),
        (b'{"sensor":"metal","id":1,"found":false}', "of another sensor"),
        (b'{"sensor":"xray","id":1,"found":0}', "0 for false"),
        (b'{"sensor":"xray","id":1,"found":false,"certainty":NaN}', "certainty NaN"),
        (b'{"sensor":"xray","id":1,"value":0.1}', "a value without a limit"),
    ],
)
def test_a_malformed_message_is_counted_and_opens_nothing(belt, injected, payload, what, logged):
    belt.go_to(belt.passes_at(1) + 0.1)
    for _ in range(3):
        belt.inbox.receive(payload)
    assert belt.verdict(1).bin == MANUAL and belt.state.rejected == 3
    assert belt.state.alive_at is None, "no sign of life"
    assert sum("a message is left out" in line for line in logged) == 1
    injected(f"sensor: malformed, {what}", "left out and counted; item to manual")


def test_a_reading_of_two_items_makes_both_suspect_and_clears_none(belt, injected):
    belt.items = [item(1, 1000.0), item(2, 1130.0)]
    between = WALL_AT_0 + (1065.0 + 300.0) / SPEED_MM_S
    belt.send(1, found=True, time=between, after_s=0.5)
    assert [belt.answer(number).finding for number in (1, 2)] == [SensorFinding.SUSPECT] * 2
    other = XrayBelt(items=belt.items)
    other.send(1, found=False, time=between, after_s=0.5)
    assert [other.verdict(number).bin for number in (1, 2)] == [MANUAL, MANUAL]
    injected("sensor: one reading, two items", "yes: both to manual; no: clears neither")


def test_a_reading_of_no_item_is_counted_and_logged_once(belt, injected, logged):
    for number, position_mm in enumerate((800.0, 1200.0), 100):
        at = WALL_AT_0 + (position_mm + 300.0) / SPEED_MM_S
        belt.go_to((position_mm + 300.0) / SPEED_MM_S + 0.1)
        content = {"sensor": "xray", "id": number, "time": at, "found": False}
        belt.inbox.receive(json.dumps(content).encode())
        belt.watch.listen()
    assert belt.verdict(1).bin == MANUAL
    belt.go_to(60.0)
    belt.answer(5)
    assert belt.watch.counts["xray"]["of no item"] == 2
    assert sum("fits no item" in line for line in logged) == 1
    injected("sensor: reading of no item", "counted and logged")


def test_silence_is_a_fault_and_keeps_what_the_sensor_guards(belt, injected):
    assert "no sign of life for 5 s" in belt.watch.faults()["sensor xray"]
    belt.inbox.receive(b'{"sensor": "xray", "alive": true}')
    assert belt.watch.faults() == {}
    belt.go_to(6.0)
    assert "sensor xray" in belt.watch.faults()
    verdict = belt.verdict(1)
    assert (verdict.bin, verdict.reason) == (MANUAL, Reason.SENSOR_SILENT)
    assert verdict.detail.endswith("without the answer of xray (silent)")
    assert belt.verdict(1, seen(Mouse=0.97)).bin == "bin of Mouse", "it guards no Mouse"
    injected("sensor: silent", "fault shown; what it guards to manual: sensor_silent")


def test_a_flood_is_bounded(belt, injected):
    for number in range(5000):
        belt.inbox.receive(belt.message(1, found=False, id=number))
    assert belt.state.dropped == 4800
    belt.watch.listen()
    assert sum(belt.watch.counts["xray"].values()) == 200
    injected("sensor: 5,000 messages at once", "200 kept, 4,800 counted as dropped")


def test_a_clean_answer_never_clears_an_item_of_what_the_views_suspect(belt, injected):
    belt.send(1, found=False)
    verdict = belt.verdict(1, seen(Mobile=0.8, Battery=0.15))
    assert (verdict.bin, verdict.reason) == (MANUAL, Reason.HAZARD_SUSPECTED)
    injected("sensor: wrong all-clear, hazard in view", "item to manual: hazard_suspected")
