"""What the page says about the line."""

from dataclasses import replace

import pytest

from edge.panel import fragments
from edge.status import Percentiles, Status
from edge.verdict import Reason, Verdict
from tests.support.records import RECORD

NOW = 1_700_000_000.0
EVIL = "<script>alert('x')</script>\"&"
RUNNING = Status(updated_at=NOW - 1, state="running", items=40, unknown=10, camera="USB camera")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (None, "not started"),
        (RUNNING, "running"),
        (RUNNING.model_copy(update={"updated_at": NOW - 6}), "stalled"),
        (RUNNING.model_copy(update={"updated_at": NOW + 60}), "stalled"),
        (RUNNING.model_copy(update={"updated_at": NOW - 999, "state": "stopped"}), "stopped"),
        (RUNNING.model_copy(update={"state": "no camera"}), "no camera"),
    ],
)
def test_the_state_of_the_line(status, state):
    assert fragments.line_state(status, NOW) == state
    assert f">{state}</strong>" in fragments.header(status, NOW)


def test_a_silent_line_says_for_how_long():
    silent = RUNNING.model_copy(update={"updated_at": NOW - 7500, "message": "all is well"})
    text = fragments.header(silent, NOW)
    assert "No news from the line for 2 hours" in text and "all is well" not in text
    assert [fragments.duration(n) for n in (7, 60, 90_000)] == ["7 s", "1 minute", "1 day"]


def test_figures_and_gates():
    status = RUNNING.model_copy(
        update={"dropped_frames": 1200, "gates": {"small": True, "hazardous": False}}
    )
    text = fragments.tiles(status, 12)
    assert "<strong>40</strong>" in text and "<strong>12</strong>" in text
    assert "25% of all" in text and "1,200 pictures" in text and "alarm" not in text
    assert "small <b>open</b>" in text and "hazardous <b>closed</b>" in text
    lost = status.model_copy(update={"dropped_records": 1})
    assert "tile alarm" in fragments.tiles(lost, 12) and "1,201" in fragments.tiles(lost, 12)


def test_bars_keep_the_order_of_the_model_and_show_what_else_counted():
    text = fragments.bars(
        {"Mouse": 8, "unknown": 2, "Old label": 4}, ["Battery", "Mouse"], {"Mouse"}
    )
    order = [text.index(f">{name}<") for name in ("Battery", "Mouse", "Old label", "unknown")]
    assert order == sorted(order)
    assert 'class="bar hazard"><span>Mouse</span><i><u style="width:100.0%"' in text
    assert 'class="bar unknown"><span>unknown</span><i><u style="width:25.0%"' in text


def test_the_table_of_items(make_record):
    records = [
        make_record("run 1/7?#", crop=b"jpeg", late=True, bin="manual"),
        make_record("2", label="unknown"),
    ]
    text = fragments.items(records, {"Battery"})
    assert 'src="crops/run%201%2F7%3F%23.jpg"' in text and text.count("<img") == 1
    assert "93%" in text and "bin manual" in text and ">late<" in text
    assert '<tr class="unknown">' in text
    assert "No items yet" in fragments.items([], set())
    assert "disk gone" in fragments.items([], set(), "disk gone")


def test_everything_shown_is_escaped(make_record):
    words = {"state": EVIL, "camera": EVIL, "bundle": EVIL, "digest": EVIL, "message": EVIL}
    status = Status(updated_at=NOW, gates={EVIL: True}, **words)
    record = make_record(EVIL, label=EVIL, bin=EVIL, detail=EVIL, crop=b"jpeg")
    shown = [
        fragments.header(status, NOW),
        fragments.tiles(status, 0),
        fragments.bars({EVIL: 1}, [EVIL], set()),
        fragments.latencies({EVIL: Percentiles(p50=1, p99=2)}),
        fragments.items([record], set()),
        fragments.items([], set(), EVIL),
        fragments.verdict(Verdict(EVIL, 0.5, EVIL, Reason.UNSURE, EVIL), set()),
        fragments.problem(EVIL),
    ]
    for text in shown:
        assert "<script" not in text and "script&gt;" in text


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), 1e300, -1e300])
def test_a_record_of_no_known_time_is_shown_without(moment):
    shown = fragments.items([replace(RECORD, decided_at=moment)], frozenset())
    assert "<td>-</td>" in shown
