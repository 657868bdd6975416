"""Audits on the real page, over HTTP and in a real browser, and in the report of the shift."""

import csv
import io
import json
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.intervals import mid_p
from edge.panel import app as panel
from edge.records.audits import AUDITS_NAME, audits_in
from edge.records.period import Period
from edge.records.pieces import windows_in
from edge.records.reviews import ReviewStore
from edge.records.store import RECORDS_NAME, Store
from edge.verdict import Reason
from tests.support.served import get, keep_picture, killed_page, open_tab, post_json, served
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
DRAWN = cv2.imencode(".jpg", np.full((48, 64, 3), 120, np.uint8))[1].tobytes()
SIZES = ((1280, 800), (1024, 600), (390, 844))
HOSTILE = '"><script>document.title="owned"</script>'
WENT = (("Battery", "hazardous"), ("Mouse", "small"), ("unknown", "manual"))


def local(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M", time.localtime(at))


@pytest.fixture(scope="module")
def served_page(tmp_path_factory, bundle):
    state = tmp_path_factory.mktemp("audits")
    with served(panel.build(state, state / RECORDS_NAME, bundle.path)) as url:
        yield url, state


@pytest.fixture
def page(served_page, make_record):
    """The address and the state folder, with 300 items of the last hours and no audits."""
    url, state = served_page
    for left in (*state.glob("records.db*"), *state.glob("audits.db*")):
        left.unlink()
    now = time.time()
    with Store(state / RECORDS_NAME) as store:
        store.append(
            make_record(
                f"i-{number}",
                decided_at=now - 100 - 80 * (299 - number),
                label=WENT[number % 3][0],
                top_label="Mouse" if number % 3 == 1 else "Battery",
                bin=WENT[number % 3][1],
                reason=Reason.UNSURE if number % 3 == 2 else Reason.SORTED,
                crop=DRAWN,
            )
            for number in range(300)
        )
    return url, state


def audits_of(state: Path) -> list:
    return audits_in(state / AUDITS_NAME, Period(0, 2e9))


def windows_of(state: Path) -> list:
    return windows_in(state / AUDITS_NAME, Period(0, 2e9))


def draw(url: str, count: int = 5) -> tuple[int, dict]:
    return post_json(f"{url}audit/draw", {"start": local(time.time() - 30_000), "count": count})


def appended(state: Path, make_record, went: list[str]) -> None:
    """Record items that are decided now."""
    with Store(state / RECORDS_NAME) as store:
        store.append(
            make_record(f"p-{time.time()}-{number}", decided_at=time.time(), bin=to, crop=DRAWN)
            for number, to in enumerate(went)
        )


def test_a_draw_is_judged_and_is_in_the_three_forms_of_the_report(page):
    url, state = page
    status, answer = draw(url)
    assert status == 200 and "<b data-unjudged>10</b>" in answer["audit"]
    (audit,) = audits_of(state)
    assert audit.by == "the page" and audit.bins["Battery"] == "hazardous"
    assert len(audit.seed) == 32 and audit.period.end <= time.time() - 59
    assert Counter(each.bin for each in audit.drawn) == {"hazardous": 5, "small": 5}
    status, answer = draw(url)
    assert status == 409 and "10 items to judge" in answer["error"] and len(audits_of(state)) == 1
    status, answer = post_json(f"{url}queue", {"audit": 1})
    assert f'data-item="{audit.drawn[0].item_id}"' in answer["review"]
    for place, each in enumerate(audit.drawn[:9]):
        label = {"label": "Battery" if each.bin == "hazardous" else "Mouse"}
        asked = {"no_class": "no_item"} if each.bin == "small" and place % 2 else label
        status, answer = post_json(f"{url}review", {"item": each.item_id, "audit": 1, **asked})
        assert status == 200 and f'data-item="{audit.drawn[place + 1].item_id}"' in answer["review"]
    assert "<b data-waiting>1</b> of 10 to judge" in answer["review"]
    shift = f"from={local(time.time() - 30_000)}&to={local(time.time() + 120)}"
    (found,) = json.loads(get(f"{url}report.json?{shift}")[2])["audits"]
    assert (found["by"], found["seed"], found["number"]) == ("the page", audit.seed, 1)
    for each in found["bins"]:
        low, high = each["purity_low"], each["purity_high"]
        assert each["population"] == each["recorded"] == 100 and each["drawn"] == 5
        assert low == mid_p(each["right"], 5, 100)[0]
        assert high == mid_p(each["right"] + each["unjudged"], 5, 100)[1]
    assert sum(each["unjudged"] for each in found["bins"]) == 1
    rows = list(csv.DictReader(io.StringIO(get(f"{url}report.csv?{shift}")[2].decode())))
    listed = {(row["name"], row["bin"]): row["value"] for row in rows if row["part"] == "audit 1"}
    for each in found["bins"]:
        assert float(listed["purity low", each["bin"]]) == each["purity_low"]
        assert int(listed["right", each["bin"]]) == each["right"]
    text = get(f"{url}report.html?{shift}")[2].decode()
    assert "Not judged: 1 items." in text and text.count("<td>100</td>") >= 4
    early = json.loads(get(f"{url}report.json?from=2026-01-01&to=2026-01-02")[2])
    assert early["audits"] == early["test_pieces"] == early["recalls"] == []


def test_test_pieces_are_counted_from_their_beginning_to_their_end(page, make_record):
    url, state = page
    status, answer = post_json(f"{url}pieces/begin", {"label": "Battery", "pieces": 12})
    assert status == 200 and "0 items recorded" in answer["audit"]
    status, refused = post_json(f"{url}pieces/begin", {"label": "Battery", "pieces": 12})
    assert status == 409 and "on their way" in refused["error"]
    appended(state, make_record, ["hazardous"] * 8 + ["manual", "small"])
    status, answer = post_json(f"{url}audit", {})
    assert "10 items recorded: 8 to hazardous, 1 to manual, 1 elsewhere" in answer["audit"]
    assert post_json(f"{url}pieces/end", {"number": 2, "pieces": 10})[0] == 409
    status, answer = post_json(f"{url}pieces/end", {"number": 1, "pieces": 11})
    assert status == 200 and "9 of 11 pieces found" in answer["audit"]
    assert "fewer items than pieces" in answer["audit"]
    assert post_json(f"{url}pieces/end", {"number": 1, "pieces": 11})[0] == 409
    assert post_json(f"{url}pieces/begin", {"label": "Mouse", "pieces": 5})[0] == 200
    status, answer = post_json(f"{url}pieces/cancel", {"number": 2})
    assert status == 200 and "cancelled by the page" in answer["audit"]
    assert [each.found for each in windows_of(state)] == [9, None]
    shift = f"from={local(time.time() - 3600)}&to={local(time.time() + 120)}"
    report = json.loads(get(f"{url}report.json?{shift}")[2])
    (recall,) = report["recalls"]
    low, high = mid_p(9, 11)
    assert recall == {
        "label": "Battery",
        "windows": 1,
        "pieces": 11,
        "found": 9,
        "recall": 9 / 11,
        "recall_low": low,
        "recall_high": high,
    }
    assert [each["cancelled_by"] for each in report["test_pieces"]] == [None, "the page"]
    text = get(f"{url}report.html?{shift}")[2].decode()
    assert "81.8%" in text and f"{low:.1%} to {high:.1%}" in text and "cancelled" in text
    assert "recall low,Battery" in get(f"{url}report.csv?{shift}")[2].decode()


REFUSED = {
    "no class of the bundle": ("pieces/begin", {"label": HOSTILE, "pieces": 5}, 400),
    "no pieces": ("pieces/begin", {"label": "Battery", "pieces": 0}, 400),
    "pieces beyond all": ("pieces/begin", {"label": "Battery", "pieces": 10**9}, 400),
    "half a piece": ("pieces/begin", {"label": "Battery", "pieces": 1.5}, 400),
    "more than is asked": ("pieces/begin", {"label": "Battery", "pieces": 5, "by": "x"}, 400),
    "an end of nothing": ("pieces/end", {"number": 1, "pieces": 5}, 409),
    "a cancel of nothing": ("pieces/cancel", {"number": 1}, 409),
    "none of a bin": ("audit/draw", {"start": "2026-11-29T06:00", "count": 0}, 400),
    "all of a bin": ("audit/draw", {"start": "2026-11-29T06:00", "count": 301}, 400),
    "markup": ("audit/draw", {"start": HOSTILE, "count": 5}, 400),
    "no time": ("audit/draw", {"start": "tomorrow", "count": 5}, 409),
    "a week": ("audit/draw", {"start": local(time.time() - 700_000), "count": 5}, 409),
    "the last minute": ("audit/draw", lambda: {"start": local(time.time()), "count": 5}, 409),
    "a seed": ("audit/draw", {"start": local(0), "count": 5, "seed": "1"}, 400),
    "no JSON": ("audit/draw", b"count=5", 400),
    "a long body": ("audit", b"{}" + b" " * 5000, 413),
    "a queue of no audit": ("queue", {"audit": 7}, 404),
    "an answer for no audit": ("review", {"item": "i-1", "label": "Mouse", "audit": 7}, 404),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_asked_for_is_refused_and_changes_nothing(page, kind):
    url, state = page
    path, content, expected = REFUSED[kind]
    status, answer = post_json(url + path, content() if callable(content) else content)
    assert status == expected and "\n" not in answer["error"] and len(answer["error"]) < 700
    if (state / AUDITS_NAME).exists():
        assert audits_of(state) == [] and windows_of(state) == []
    with Store(state / RECORDS_NAME, read_only=True) as store:
        assert not any(each.reviewed for each in store.all(crops=False))


def test_markup_is_shown_as_text_and_a_damaged_file_is_one_line(page, make_record):
    url, state = page
    odd = {"label": "Mouse", "bin": HOSTILE, "reason": Reason.UNRECORDED, "crop": DRAWN}
    with Store(state / RECORDS_NAME) as store:
        store.append([make_record("odd", decided_at=time.time() - 90, **odd)])
    assert draw(url, 300)[0] == 200
    shift = f"from={local(time.time() - 30_000)}&to={local(time.time() + 120)}"
    html = post_json(f"{url}audit", {})[1]["audit"]
    html += get(f"{url}report.html?{shift}")[2].decode()
    assert "<script" not in html and html.count("&lt;script&gt;") >= 2
    (state / AUDITS_NAME).write_bytes(b"no database" * 1000)
    status, answer = post_json(f"{url}audit", {})
    assert status == 200 and AUDITS_NAME in answer["audit"]
    assert post_json(f"{url}pieces/begin", {"label": "Mouse", "pieces": 5})[0] == 503
    assert get(f"{url}report.json?{shift}")[0] == 400


def test_a_window_survives_a_kill_of_the_page(page, bundle, tmp_path, make_record):
    url, state = page
    with killed_page(state, bundle.path, tmp_path) as other:
        assert post_json(f"{other}/pieces/begin", {"label": "Battery", "pieces": 3})[0] == 200
    appended(state, make_record, ["hazardous"] * 3)
    answer = post_json(f"{url}audit", {})[1]
    assert "3 items recorded: 3 to hazardous" in answer["audit"]
    assert post_json(f"{url}pieces/end", {"number": 1, "pieces": 3})[0] == 200
    assert [each.found for each in windows_of(state)] == [3]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_person_draws_judges_by_keys_and_sends_pieces(page, browser, make_record, size):
    url, state = page
    tab = browser.new_page(viewport={"width": size[0], "height": size[1]})
    problems = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    try:
        tab.goto(url)
        open_tab(tab, "Quality")
        tab.fill("#audit [name=count]", "4")
        tab.press("#audit [name=count]", "Enter")
        tab.wait_for_selector("#audit [data-judge]")
        keep_picture(tab, f"audit-{size[0]}")
        for control in tab.locator("#audit :is(select, button, input:not([type=hidden]))").all():
            box = control.bounding_box()
            assert box["height"] >= 48 and box["x"] + box["width"] <= size[0]
        tab.click("#audit [data-judge]")
        tab.wait_for_selector("#review [data-audit='1']")
        keep_picture(tab, f"audit-review-{size[0]}")
        (audit,) = audits_of(state)
        shown = "#review .review"
        for number, each in enumerate(audit.drawn):
            tab.wait_for_selector(f"{shown}[data-item='{each.item_id}']")
            tab.keyboard.press(" ")
            if number == 3:  # undo shows the item again
                tab.wait_for_selector(f"{shown}[data-item='{audit.drawn[4].item_id}']")
                tab.keyboard.press("u")
                tab.wait_for_selector(f"{shown}[data-item='{each.item_id}']")
                tab.keyboard.press(" ")
        tab.wait_for_selector("text=Every item of this audit")
        open_tab(tab, "Quality")
        tab.wait_for_function("!document.querySelector('#audit [data-judge]')")
        assert tab.locator("#audit .purities td:nth-child(5)").all_inner_texts() == ["4", "4"]
        tab.select_option("#audit [name=label]", "Battery")
        tab.fill("#audit [name=pieces]", "6")
        tab.get_by_role("button", name="Begin").click()
        tab.wait_for_selector("[data-window]")
        appended(state, make_record, ["hazardous"] * 5 + ["small"])
        tab.reload()
        open_tab(tab, "Quality")
        tab.wait_for_selector("[data-counts]")
        tab.get_by_role("button", name="Look again").click()
        tab.wait_for_selector("text=6 items recorded: 5 to hazardous")
        keep_picture(tab, f"pieces-{size[0]}")
        tab.get_by_role("button", name="End and count").click()
        tab.wait_for_selector("#audit .recall")
        assert "5 of 6 pieces" in tab.inner_text("#audit .recall")
        assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
        keep_picture(tab, f"recall-{size[0]}")
        tab.goto(f"{url}report.html?from={local(time.time() - 30_000)}")
        assert "100.0%" in tab.inner_text(".purities") and "5" in tab.inner_text("#recalls")
        assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
        keep_picture(tab, f"report-{size[0]}")
        tab.emulate_media(media="print")
        tab.set_viewport_size({"width": 680, "height": 900})  # 180 mm, what A4 leaves
        tables = "Math.max(...[...document.querySelectorAll('table')].map(t => t.scrollWidth))"
        assert tab.evaluate(tables) <= 680, "no column is cut off"
        assert problems == []
    finally:
        tab.close()
    with ReviewStore(state / RECORDS_NAME) as store:
        assert store.read("SELECT COUNT(*) FROM items WHERE reviewed <> ''")[0][0] == 8
    wait_until(lambda: windows_of(state)[0].found == 5)
