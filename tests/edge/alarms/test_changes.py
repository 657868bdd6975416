"""A change is named rightly, with its hour and pictures; days without one are calm."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alarms.alarm import Alarms, Happening, advance
from edge.alarms.catalog import WINDOW_S, AlarmName
from edge.alarms.counting import RecordCounts, facts_of
from edge.alarms.drift import CHANCE, ItemCounts
from edge.alarms.evidence import Compared, Hour
from edge.alarms.shifts import ItemMeasures, Usual, shift_of, usual_of, usual_sizes
from edge.alarms.signals import Facts, read_items
from edge.bundle.sizes import TYPICAL_SIZES
from edge.labels import UNKNOWN
from edge.records.store import Store
from edge.verdict import Reason
from tests.support.records import RECORD

HOUR_S, DAY_HOURS = 3600.0, 24
MIX = {"Battery": 0.1, "Keyboard": 0.2, "Mobile": 0.3, "Mouse": 0.25, "PCB": 0.15}
OTHER_MIX = {"Battery": 0.1, "Keyboard": 0.55, "Mobile": 0.1, "Mouse": 0.1, "PCB": 0.15}
ITEMS_A_HOUR = 600
CHANGES = {
    "scale": AlarmName.SIZES_CHANGED,
    "one class": AlarmName.SIZES_CHANGED,
    "blur": AlarmName.LOOKS_CHANGED,
    "mix": AlarmName.CLASS_MIX,
    "material": AlarmName.UNLIKE_KNOWN,
}
DRIFTS = frozenset((*CHANGES.values(), AlarmName.MANY_MANUAL))


class Stream:
    """What an item line records, hour by hour; sizes are longer at the site than is typical."""

    def __init__(self, seed: int, items_an_hour: int = ITEMS_A_HOUR) -> None:
        self.draw, self.items_an_hour = np.random.default_rng(seed), items_an_hour

    def hour(self, start: float, change: str = "", hours: float = 1.0) -> Hour:
        draw = self.draw
        mix = np.array(list((OTHER_MIX if change == "mix" else MIX).values()))
        shares = draw.dirichlet(300 * mix)
        counts = draw.multinomial(draw.poisson(self.items_an_hour * hours), shares)
        sizes, likeness, labels, unlike = {}, {}, Counter(), 0
        for (label, known), count in zip(
            ((name, TYPICAL_SIZES[name]) for name in MIX), counts.tolist(), strict=True
        ):
            factor = 1.1 * (1.15 if change == "scale" else 1.0)
            factor *= 2.0 if change == "one class" and label == "PCB" else 1.0
            sizes[label] = math.log(known.median_mm * factor) + known.spread * draw.normal(
                size=count
            )
            score = draw.normal(-1.2 if change == "blur" else 0.0, 1.0, count)
            odd = draw.random(count) < (0.25 if change == "material" else 0.03)
            score[odd] -= 4.0
            likeness[label] = score
            unlike += int((score < -2.0).sum())
            labels[label] = int((score >= -2.0).sum())
        n = int(counts.sum())
        counted = ItemCounts(dict(labels), n, unlike, unlike + int(0.08 * n))
        return Hour(start, counted, ItemMeasures(sizes, likeness, "sha256:1f"))


def judged(stream: Stream, past: list[Hour], now: float, change: str = "") -> Facts:
    lately = stream.hour(now - WINDOW_S, change, WINDOW_S / HOUR_S)
    return facts_of(Compared(lately, past[-DAY_HOURS:], (), TYPICAL_SIZES))


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_change_from_hour_three_on_is_named_rightly(change):
    stream, alarms, raised = Stream(7), Alarms(), []
    past = [stream.hour(HOUR_S * hour) for hour in range(DAY_HOURS)]
    begins = DAY_HOURS * HOUR_S
    for minute in range(120, 300, 4):
        now = begins + 60.0 * minute
        facts = judged(stream, past, now, change if minute >= 180 else "")
        before, alarms = alarms, advance(alarms, read_items(facts), now)
        raised += [
            (minute, event.name)
            for event in alarms.events[len(before.events) :]
            if event.what is Happening.RAISED
        ]
    assert [name for _, name in raised] == [CHANGES[change]]
    assert 180 <= raised[0][0] <= 200
    detail = alarms.of(CHANGES[change]).detail
    expected = {
        "scale": "+15%",
        "one class": "PCB: +",
        "blur": " SD",
        "mix": "Keyboard: ",
        "material": " > ",
    }
    assert expected[change] in detail


def test_thirty_days_without_a_change_raise_no_alarm():
    stream, alarms = Stream(11, 400), Alarms()
    past = [stream.hour(HOUR_S * hour) for hour in range(DAY_HOURS)]
    seen: set[AlarmName] = set()
    for hour in range(DAY_HOURS, 31 * DAY_HOURS):
        for minute in (0, 30):
            now = HOUR_S * hour + 60.0 * minute
            alarms = advance(alarms, read_items(judged(stream, past, now)), now)
        past.append(stream.hour(HOUR_S * hour))
        seen |= set(alarms.unacknowledged)
    assert not seen & DRIFTS and not alarms.events


def test_without_days_before_only_the_bundle_says_what_is_usual():
    stream = Stream(3)
    scale = judged(stream, [], HOUR_S, "scale")
    assert not scale.sizes.learned and scale.likeness is None
    assert scale.sizes.shift.amount == pytest.approx(math.log(1.1 * 1.15), abs=0.02)
    past = [stream.hour(HOUR_S * hour) for hour in range(3)]
    known = judged(stream, past, 4 * HOUR_S)
    assert known.sizes.learned and abs(known.sizes.shift.amount) < 0.02
    of_another = [replace(each, measured=replace(each.measured, bundle="new")) for each in past]
    assert judged(stream, of_another, 4 * HOUR_S).likeness is None, "another bundle's score"


def test_a_share_of_unlike_items_above_what_was_promised_counts_though_it_is_usual():
    used_to = Facts(
        lately=ItemCounts({"PCB": 240}, 300, 60, 60),
        hours=[ItemCounts({"PCB": 2400}, 3000, 600, 600)] * 3,
    )
    assert read_items(used_to)[AlarmName.UNLIKE_KNOWN].signal.value == "present"
    fine = replace(used_to, lately=ItemCounts({"PCB": 290}, 300, 10, 10))
    assert read_items(fine)[AlarmName.UNLIKE_KNOWN].signal.value == "absent"


def test_the_sign_test_is_right_about_chance():
    draw = np.random.default_rng(5)
    found = []
    for _ in range(1000):
        usual = usual_of({"a": draw.normal(size=400)}, 0.75)
        shift = shift_of({"a": draw.normal(size=200)}, usual, quantile=0.75)
        found.append(shift.chance)
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.025)
    assert min(found) > CHANCE


def test_another_mix_of_classes_is_no_shift():
    usual = usual_sizes(TYPICAL_SIZES)
    draw = np.random.default_rng(2)
    one_class = {
        "Television": math.log(TYPICAL_SIZES["Television"].median_mm) + 0.1 * draw.normal(size=500)
    }
    assert abs(shift_of(one_class, usual).amount) < 0.02


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.lists(st.floats(-1e6, 1e6), max_size=40), max_size=3
    ),
    st.floats(-1e6, 1e6),
)
def test_whatever_was_measured_a_shift_is_finite(drawn, quantile):
    figures = {label: np.array(values) for label, values in drawn.items()}
    shift = shift_of(figures, {"a": Usual(quantile, 1e-6, 30.0)}, least=1)
    if shift is not None:
        assert math.isfinite(shift.amount) and math.isfinite(shift.effect)
        assert 0 <= shift.chance <= 1


def recorded(store: Store, start: float, *, count: int, factor: float, score: float) -> None:
    draw = np.random.default_rng(int(start))
    labels = list(MIX)
    made = []
    for number in range(count):
        label = labels[number % len(labels)]
        size = TYPICAL_SIZES[label].median_mm * factor * math.exp(0.1 * draw.normal())
        made.append(
            replace(
                RECORD,
                item_id=f"{start:.0f}-{number}",
                decided_at=start + number * HOUR_S / count,
                label=label,
                top_label=label,
                longer_mm=size,
                likeness=score + draw.normal(),
                reason=Reason.SORTED,
                crop=b"\xff\xd8" if number % 3 else b"",
            )
        )
    store.append(made)


@pytest.mark.parametrize("change", ["sizes", "likeness"])
def test_the_hour_it_began_and_the_pictures_that_show_it_come_from_the_records(tmp_path, change):
    begins = 1_699_920_000.0
    path = tmp_path / "records.db"
    with Store(path) as store:
        for hour in range(12):
            changed = hour >= 9
            recorded(
                store,
                begins + HOUR_S * hour,
                count=400,
                factor=1.3 if changed and change == "sizes" else 1.0,
                score=-2.0 if changed and change == "likeness" else 0.0,
            )
    facts = RecordCounts(path, lambda: TYPICAL_SIZES).lately(begins + HOUR_S * 11.99)
    name = AlarmName.SIZES_CHANGED if change == "sizes" else AlarmName.LOOKS_CHANGED
    reading = read_items(facts)[name]
    assert reading.signal.value == "present"
    assert list(facts.evidence) == [name]
    assert reading.evidence.began_at == begins + HOUR_S * 9
    assert len(reading.evidence.examples) >= 3
    with Store(path, read_only=True) as store:
        shown = {record.item_id: record for record in store.all()}
    for item in reading.evidence.examples:
        record = shown[item]
        assert record.crop and record.decided_at >= begins + HOUR_S * 11.4
        if change == "sizes":
            assert record.longer_mm > 1.2 * TYPICAL_SIZES[record.label].median_mm
        else:
            assert record.likeness < -3


def test_damaged_figures_are_not_measured(tmp_path):
    path = tmp_path / "records.db"
    with Store(path) as store:
        recorded(store, 1_699_920_000.0, count=20, factor=1.0, score=0.0)
        connection = store._file.connection
        connection.execute("UPDATE items SET longer_mm = 'x', likeness = -9e999")
        connection.execute("UPDATE items SET label = ? WHERE sequence = 1", (UNKNOWN,))
        connection.commit()
    facts = RecordCounts(path, dict).lately(1_699_920_000.0 + 3599)
    assert facts.sizes is None and facts.likeness is None and not facts.evidence
