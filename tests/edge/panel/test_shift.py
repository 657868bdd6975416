"""History, shift report, and entries by hand on the real page."""

import csv
import io
import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from edge.panel import app as panel
from edge.records.entries import ENTRIES_NAME
from edge.records.store import Store
from edge.status import Status, write_status
from tests.support.served import get, keep_picture, open_tab, post, served
from tests.support.waiting import wait_until

SIZES = ((1280, 800), (1024, 600), (390, 844))
HOSTILE = '"><script>document.title="owned"</script>'
BINS = ("boards", "manual", "hazardous", HOSTILE)
NOW = time.time()
SHIFT = "from={}&to={}".format(
    *(quote(time.strftime("%Y-%m-%dT%H:%M", time.localtime(NOW + each))) for each in (-29000, 7200))
)


@pytest.fixture(scope="module")
def page(tmp_path_factory, bundle, make_record):
    """The real page over HTTP: its address, and its state folder."""
    state = tmp_path_factory.mktemp("shift")
    labels = (*(f"class {number}" for number in range(11)), HOSTILE, "unknown")
    with Store(state / "records.db") as store:
        store.append(
            make_record(
                f"{number}",
                decided_at=NOW - 40 * number,
                label=labels[number % 13],
                bin=BINS[number % 4],
                bundle="sha256:" + "1f" * 32,
                verdict_ms=20.0 + number % 50,
            )
            for number in range(1000)
        )
    write_status(state, Status(updated_at=NOW, state="running", per_bin=dict.fromkeys(BINS, 1)))
    with served(panel.build(state, state / "records.db", bundle.path)) as url:
        yield url, state


def within(state: Path, query: str) -> int:
    with closing(sqlite3.connect(state / "records.db")) as database:
        return database.execute(query).fetchone()[0]


def test_the_three_forms_of_a_report_give_the_same(page):
    url, state = page
    found = json.loads(get(f"{url}report.json?{SHIFT}")[2])
    bounds = (found["from"], found["to"])
    items = within(
        state,
        "SELECT COUNT(*) FROM items WHERE decided_at >= {} AND decided_at < {}".format(*bounds),
    )
    assert found["items"] == items > 700
    status, headers, text = get(f"{url}report.csv?{SHIFT}")
    assert status == 200 and "shift-report.csv" in headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(text.decode())))
    assert sum(int(row["value"]) for row in rows if row["part"] == "counts") == items
    status, headers, text = get(f"{url}report.html?{SHIFT}")
    assert status == 200 and "default-src 'self'" in headers["content-security-policy"]
    assert f"<td>{items:,}</td>" in text.decode() and b"<script" not in text


WRONG = (
    "from=2026-11-29T06:00&to=2026-11-29T05:00",
    "from=0001-01-01&to=2026-01-01",
    "from=2026-01-01&to=9999-12-31",
    "from=nan&to=nan",
    f"from={quote(HOSTILE)}",
    "",
    "from=%ff%00",
)


@pytest.mark.parametrize("query", WRONG)
def test_what_is_no_period_is_refused_in_words(page, query):
    for ending in ("html", "csv", "json"):
        status, headers, text = get(f"{page[0]}report.{ending}?{query}")
        assert status == 400 and headers["content-type"].startswith("text/html")
        assert b"<script" not in text and len(text) < 2000
    assert get(f"{page[0]}report.html?from={'2' * 5000}")[0] == 414
    assert get(f"{page[0]}history.html?by=year")[0] == 400
    assert get(f"{page[0]}history.html?until={quote(HOSTILE)}")[0] == 400


def test_the_history_is_drawn_here(page):
    status, _, text = get(f"{page[0]}history.json")
    drawn = json.loads(text)["history"]
    assert status in (200, 202) and drawn.count("<figure>") == 6
    assert "<script" not in drawn and "&lt;script&gt;" in drawn
    wait_until(lambda: get(f"{page[0]}history.json")[0] == 200)
    for query in ("by=day", "by=hour", "by=hour&until=2026-11-29", "by=day&until=2099-12-31"):
        status, _, text = get(f"{page[0]}history.html?{query}")
        assert status == 200 and text.count(b"<figure>") == 3 and b"<script" not in text


@pytest.fixture
def no_entries(page):
    yield page[1] / ENTRIES_NAME
    (page[1] / ENTRIES_NAME).unlink(missing_ok=True)


def test_what_was_weighed_is_in_the_report_until_it_is_withdrawn(page, no_entries):
    url, _ = page
    for entry in (
        {"kind": "weighed_in", "name": "hazardous", "kg": 20},
        {"kind": "weighed_out", "name": "hazardous", "kg": 5},
        {"kind": "comment", "comment": HOSTILE},
    ):
        status, body = post(f"{url}entries", json.dumps(entry).encode())
        assert status == 200 and b"<script" not in body
    found = json.loads(get(f"{url}report.json?{SHIFT}")[2])
    assert (found["weighed_in_kg"], found["weighed_out_kg"]) == (
        {"hazardous": 20},
        {"hazardous": 5},
    )
    assert [(each["by"], each["comment"]) for each in found["comments"]] == [("the page", HOSTILE)]
    text = get(f"{url}report.html?{SHIFT}")[2]
    assert b"25.0%" in text and b"<script" not in text
    number = re.search(
        r'data-withdraw="(\d+)"', json.loads(get(f"{url}entries.json")[2])["entries"]
    )
    assert post(f"{url}entries/withdraw", b'{"number": %s}' % number[1].encode())[0] == 200
    assert json.loads(get(f"{url}report.json?{SHIFT}")[2])["comments"] == []
    assert post(f"{url}entries/withdraw", b'{"number": %s}' % number[1].encode())[0] == 400


NO_ENTRIES = {
    "NaN": (b'{"kind": "weighed_in", "kg": NaN}', 400),
    "an infinity": (b'{"kind": "weighed_in", "kg": 1e999}', 400),
    "less than nothing": (b'{"kind": "weighed_in", "kg": -1}', 400),
    "no weight": (b'{"kind": "weighed_in", "name": "boards"}', 400),
    "another kind": (b'{"kind": "%s", "kg": 1}' % HOSTILE.replace('"', "").encode(), 400),
    "another key": (b'{"kind": "weighed_in", "kg": 1, "by": "the boss"}', 400),
    "the year 1": (b'{"kind": "weighed_in", "kg": 1, "at": "0001-01-01"}', 400),
    "the year 9999": (b'{"kind": "weighed_in", "kg": 1, "at": "9999-12-31"}', 400),
    "no JSON": (b"kg=1", 400),
    "a megabyte": (json.dumps({"kind": "comment", "comment": "x" * 1_000_000}).encode(), 413),
    "a long comment": (json.dumps({"kind": "comment", "comment": "x" * 2001}).encode(), 400),
    "nested deep": (b"[" * 15_000, 400),
}


@pytest.mark.parametrize("kind", NO_ENTRIES)
def test_what_is_no_entry_is_refused(page, no_entries, kind):
    body, expected = NO_ENTRIES[kind]
    status, answer = post(f"{page[0]}entries", body)
    assert status == expected and len(answer) < 500 and b"<script" not in answer
    assert post(f"{page[0]}entries", b'{"kind": "weighed_in", "kg": 1}', "text/plain")[0] == 415
    assert not no_entries.exists()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_history_and_report_fit_the_screen_and_take_an_entry(page, browser, no_entries, size):
    url, _ = page
    tab = browser.new_page(viewport={"width": size[0], "height": size[1]})
    problems = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    try:
        tab.goto(url)
        open_tab(tab, "History")
        tab.wait_for_selector("#history figure >> nth=5")
        tab.wait_for_selector("[data-entry]")
        tab.wait_for_function("!document.querySelector('.history').innerText.includes('Still')")
        for control in tab.locator(".shift :is(input, select, button)").all():
            box = control.bounding_box()
            assert box["height"] >= 48, "for a finger in a glove"
            assert box["x"] + box["width"] <= size[0], "none is cut off"
        tab.select_option("[name=kind]", "weighed_out")
        tab.fill("[name=name]", HOSTILE)
        tab.fill("[name=kg]", "12.5")
        tab.keyboard.press("Enter")
        tab.wait_for_selector(".entries li")
        assert HOSTILE in tab.inner_text(".entries li") and "12.5 kg" in tab.inner_text(".entries")
        widest = "document.documentElement.scrollWidth"
        assert tab.evaluate(widest) <= size[0]
        with tab.context.expect_page() as opened:
            tab.get_by_role("button", name="Report to print").click()
        report = opened.value
        report.wait_for_selector("#counts")
        assert report.evaluate(widest) <= size[0] and report.title() == "Shift report"
        keep_picture(report, f"report-{size[0]}")
        report.close()
        keep_picture(tab, f"history-{size[0]}")
        tab.goto(f"{url}history.html?by=hour")
        assert tab.evaluate(widest) <= size[0] and tab.title() == "History"
        keep_picture(tab, f"hours-{size[0]}")
        assert problems == []
    finally:
        tab.close()


def test_the_printed_report_is_a4_and_has_its_sums(page, browser, tmp_path):
    url, _ = page
    pdf = tmp_path / "report.pdf"
    tab = browser.new_page()
    tab.goto(f"{url}report.html?{SHIFT}")
    items = json.loads(get(f"{url}report.json?{SHIFT}")[2])["items"]
    tab.emulate_media(media="print")
    assert tab.locator("#counts tfoot td").last.inner_text() == f"{items:,}"
    rows = tab.locator("#counts tbody tr td:last-child").all_inner_texts()
    assert sum(int(text.replace(",", "")) for text in rows) == items
    right = "Math.max(...[...document.querySelectorAll('table')].map(t => t.scrollWidth))"
    tab.set_viewport_size({"width": 680, "height": 900})  # 180 mm, what A4 leaves
    assert tab.evaluate(right) <= 680, "no column is cut off"
    tab.pdf(path=str(pdf), prefer_css_page_size=True)
    tab.close()
    boxes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf.read_bytes()))
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(595, 842)}
