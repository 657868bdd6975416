"""The shapes of plots lie within their drawing, and say what was counted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.panel.history import history_page, history_part
from edge.panel.plots import (
    HEIGHT,
    MOST_CLASSES,
    WIDTH,
    class_plot,
    latency_plot,
    nice_top,
    share_plot,
)
from edge.records.history import NOTHING, Bar, PeriodTally, Scale, spans

HOSTILE = '</title><script>alert("1")</script>'
TALLY = PeriodTally(12, 3, {"Battery": 5, HOSTILE: 4, "unknown": 3}, {90: 6, 150: 6})


def bars(*tallies: PeriodTally) -> list[Bar]:
    times = spans(Scale.HOUR, 1_795_932_000.0)[: len(tallies)]
    return [Bar(*time, tally, True) for time, tally in zip(times, tallies, strict=True)]


def test_the_parts_of_a_bar_are_in_proportion_and_fill_it():
    plot = class_plot(
        bars(TALLY, NOTHING, replace(TALLY, items=6, per_label={"PCB": 6})), Scale.HOUR
    )
    first = [box for box in plot.boxes if box.x < 50]
    assert [box.text.rpartition(" ")[2] for box in first] == ["5", "4", "3"]
    assert [round(box.height / first[2].height * 3) for box in first] == [5, 4, 3]
    assert plot.boxes[-1].height == pytest.approx(sum(box.height for box in first) / 2)
    assert len({box.color for box in plot.boxes}) == 4


def test_a_gap_in_the_values_is_one_in_the_curve():
    few = bars(TALLY, TALLY, NOTHING, TALLY)
    assert [len(part) for part in share_plot(few, Scale.HOUR).curves[0].parts] == [2, 1]
    assert [len(part) for part in latency_plot(few, Scale.HOUR).curves[0].parts] == [2, 1]
    assert share_plot(bars(NOTHING), Scale.HOUR).curves[0].parts == ()


@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.integers(1, 10**12), max_size=30),
        min_size=1,
        max_size=24,
    )
)
def test_every_shape_lies_within_the_drawing(counts):
    tallies = [PeriodTally(sum(each.values()), 0, each, {0: 1}) for each in counts]
    plot = class_plot(bars(*tallies), Scale.HOUR)
    for box in plot.boxes:
        assert box.x >= 0 and box.x + box.width <= WIDTH
        assert box.y >= 0 and box.height >= 0 and box.y + box.height <= HEIGHT
    assert len(plot.legend) <= MOST_CLASSES + 2


@given(st.floats(1, 1e12))
def test_a_scale_ends_at_a_round_number(highest):
    assert highest <= nice_top(highest) <= 2.1 * highest


def test_labels_are_shown_as_text():
    shown = bars(TALLY, NOTHING)
    for html in (
        history_part({Scale.HOUR: shown, Scale.DAY: shown}),
        history_page(Scale.DAY, [replace(shown[0], complete=False)], "2026-11-29"),
    ):
        assert "<script" not in html and "&lt;script&gt;" in html and "<svg" in html
    assert "Still counting: 0 of 1" in html and "http-equiv" in html
