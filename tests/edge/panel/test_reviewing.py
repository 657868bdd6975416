"""The tabs "Items", "Review", and "Quality", over HTTP and in a real browser."""

import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.panel.fragments import crop_address
from edge.records import reviews
from edge.records.review import SAMPLE
from edge.records.reviews import history
from edge.records.store import Store
from edge.verdict import Reason
from tests.support.served import Panel, killed_page, open_tab, post_json

ROOT = Path(__file__).parents[3]
EVIL = '<img src=x onerror="window.hacked=1">\'&'
ODD_LABEL = "<b>odd</b> & so on"
ODD_ID = "run 1/7?#ü\"'<i>"
DRAWN = cv2.imencode(".jpg", np.full((48, 64, 3), 120, np.uint8))[1].tobytes()
SIZES = ((1280, 800), (1024, 600), (390, 844))
TABS = {"Items": "#found table", "Review": "#review img", "Quality": "#quality .tile"}


@pytest.fixture(scope="module")
def server(tmp_path_factory, bundle):
    server = Panel(tmp_path_factory.mktemp("reviewing"), bundle.path)
    yield server
    server.close()


@pytest.fixture
def filled(server, make_record):
    """A new file for each test: the oldest are plain, then 80 wait for review."""
    for left in server.state.glob("records.db*"):
        left.unlink()
    plain = [make_record(f"old-{number}", label="Battery", bin="bad") for number in range(40)]
    waiting = {"crop": DRAWN, "top_label": "Mouse", "review": SAMPLE}
    with Store(server.path) as store:
        store.append(plain)
        store.append([make_record(f"w-{number}", **waiting) for number in range(80)])
        odd = {"label": "unknown", "top_label": ODD_LABEL, "bin": EVIL[:90], "review": "unsure"}
        store.append([make_record(ODD_ID, **{**waiting, **odd}, detail=EVIL, reason=Reason.UNSURE)])
    return server


@pytest.fixture
def page(browser, filled):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(filled.url)
    page.wait_for_selector(".tile")
    yield page
    assert page.evaluate("window.hacked") is None and page.complaints == []
    page.close()


def look_at(page, name: str) -> None:
    open_tab(page, name)
    page.wait_for_selector(TABS[name])


def shown(page) -> str:
    return page.locator("#review .review").get_attribute("data-item")


def press(page, key: str) -> None:
    """Press a key and wait for what it brings."""
    before = shown(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.querySelector('#review .review').dataset.item !== before", arg=before
    )


def answers(path: Path) -> dict[str, tuple[str, str]]:
    with Store(path, read_only=True) as store:
        records = store.all(crops=False)
        found = {each.item_id: (each.reviewed, each.no_class) for each in records}
    return {item: answer for item, answer in found.items() if answer != ("", "")}


def test_keys_review_items_and_undo_and_a_reload_keeps_them(page, filled):
    look_at(page, "Review")
    assert shown(page) == ODD_ID and page.inner_text("[data-waiting]") == "81"
    assert page.inner_text(".confirm") == f"Space Confirm {ODD_LABEL}"
    for key in (" ", "1", "n", "s", "o", "2"):
        press(page, key)
    expected = {
        ODD_ID: (ODD_LABEL, ""),
        "w-79": ("Battery", ""),
        "w-78": ("", "no_item"),
        "w-77": ("", "several_items"),
        "w-76": ("", "other"),
        "w-75": ("Mouse", ""),
    }
    assert answers(filled.path) == expected and shown(page) == "w-74"
    for key, then in (("ArrowRight", "w-73"), ("ArrowRight", "w-72"), ("ArrowLeft", "w-73")):
        press(page, key)
        assert shown(page) == then
    press(page, "u")
    assert shown(page) == "w-75"
    press(page, "u")
    del expected["w-75"], expected["w-76"]
    assert answers(filled.path) == expected and shown(page) == "w-76"
    page.reload()
    page.wait_for_selector(".tile")
    look_at(page, "Review")
    assert page.inner_text("[data-waiting]") == "77" and shown(page) == "w-76"
    assert "Several items" in page.inner_text("[data-undo]"), "undo survives a reload"
    press(page, "u")
    assert answers(filled.path).keys() == {ODD_ID, "w-79", "w-78"}
    with Store(filled.path, read_only=True) as store:
        (answer,) = history(store, "w-75")
        assert (answer.reviewer, answer.label, answer.undone_by) == (
            "the page",
            "Mouse",
            "the page",
        )
        assert next(each for each in store.all() if each.item_id == "w-79").label == "Mouse"


def test_sixty_crops_are_reviewed_by_keys_alone(page, filled):
    page.get_by_role("tab", name="Review", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(TABS["Review"])
    page.wait_for_function("document.activeElement.className === 'review'")
    page.evaluate(
        "window.seen = []; new MutationObserver(() => {"
        "  const image = document.querySelector('#review .looked-at img');"
        "  if (image && window.seen.at(-1) !== image.src) window.seen.push(image.src);"
        "}).observe(document.querySelector('#review'), {childList: true, subtree: true})"
    )
    for _ in range(60):
        press(page, " ")
    assert len(answers(filled.path)) == 60
    assert set(answers(filled.path).values()) == {("Mouse", ""), (ODD_LABEL, "")}
    assert len(page.evaluate("window.seen")) == 60, "each was on the screen"


def test_fingers_in_gloves_review_too(page, filled):
    look_at(page, "Review")
    for button in page.locator("#review button").all():
        box = button.bounding_box()
        assert box["height"] >= 48 and box["width"] >= 48
    page.get_by_role("button", name="Mouse", exact=False).last.click()
    page.wait_for_function("document.querySelector('#review .review').dataset.item === 'w-79'")
    assert answers(filled.path) == {ODD_ID: ("Mouse", "")}
    page.get_by_label("random share only").check()
    page.wait_for_function("document.querySelector('[data-waiting]').innerText === '80'")


@pytest.mark.parametrize("size", SIZES)
def test_nothing_scrolls_sideways(page, filled, size, make_record):
    with Store(filled.path) as store:
        long = {"label": "W" * 200, "bin": "B" * 100, "detail": "D" * 300}
        store.append([make_record("x" * 300, **long, crop=DRAWN, review="unsure")])
    for number in range(30):
        label = {"no_class": "other"} if number % 3 else {"label": ODD_LABEL}
        assert filled.post("review", {"item": f"w-{number}", **label})[0] == 200
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    for name in TABS:
        look_at(page, name)
        if name == "Items":
            page.locator("#found .open").first.click()
            page.wait_for_selector("#item .one")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], name
        assert page.evaluate("document.body.scrollWidth") <= size[0], name


def test_items_are_filtered_paged_and_looked_at(page, filled):
    look_at(page, "Items")
    assert page.locator("#found tr[data-item]").count() == 25
    assert page.locator("#found tr[data-item]").first.get_attribute("data-item") == ODD_ID
    page.locator("#found .open").first.click()
    page.wait_for_selector("#item .one")
    text = page.inner_text("#item")
    assert EVIL in text and ODD_ID in text and "unsure" in text and "60.0 ms" in text
    width = "image => image.decode().then(() => image.naturalWidth)"
    assert page.locator("#item img").evaluate(width) == 64
    page.select_option("[name=label]", "Battery")
    page.get_by_role("button", name="Search").click()
    page.wait_for_function(
        "document.querySelector('#found tr[data-item]').dataset.item == 'old-39'"
    )
    page.get_by_role("button", name="Older").click()
    page.wait_for_function(
        "document.querySelector('#found tr[data-item]').dataset.item == 'old-14'"
    )
    assert page.locator("#found tr[data-item]").count() == 15
    assert page.get_by_role("button", name="Older").is_disabled()
    page.get_by_role("button", name="Newer").click()
    page.wait_for_function(
        "document.querySelector('#found tr[data-item]').dataset.item == 'old-39'"
    )
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("document.querySelectorAll('#found tr[data-item]').length == 25")
    page.locator("#found .open").nth(3).click()
    page.wait_for_selector("#item [data-review-item='w-77']")
    page.get_by_role("button", name="Review it").click()
    page.wait_for_selector("#review [data-item='w-77']")


def test_the_quality_follows_the_reviews_and_leads_to_what_looks_wrong(page, filled):
    for number in range(20):
        label = "Battery" if number == 7 else "Mouse"
        assert filled.post("review", {"item": f"w-{number}", "label": label})[0] == 200
    assert filled.post("review", {"item": ODD_ID, "label": "Mouse"})[0] == 200
    look_at(page, "Quality")
    assert page.inner_text("[data-figure=accuracy] strong") == "95.0%"
    assert "19 of 20" in page.inner_text("[data-figure=accuracy] small")
    assert "76.4% to 99.1%" in page.inner_text("[data-figure=accuracy] small")
    page.select_option("[name=width]", "20")
    page.wait_for_selector("text=for an interval 20 points wide")
    assert 10 < int(page.inner_text("[data-figure=more] strong")) < 100
    assert page.locator(".confusion").first.locator("td.wrong").inner_text() == "1"
    assert "0.0% right, 0 of 1" in page.inner_text("#quality"), "the queue is counted apart"
    doubts = page.locator("#quality [data-review-item]")
    assert doubts.count() == 1, "what the model left unknown is no disagreement"
    doubts.click()
    page.wait_for_selector("#review [data-item='w-7']")
    assert page.inner_text("[data-answer]") == "Battery"
    press(page, " ")
    assert answers(filled.path)["w-7"] == ("Mouse", "")


def test_a_key_that_is_for_the_browser_is_left_to_it(page, filled):
    look_at(page, "Review")
    for key in ("Control+1", "Alt+n", "z", "Tab"):
        page.keyboard.press(key)
    look_at(page, "Items")
    page.locator("[name=least]").press("1")
    page.wait_for_timeout(300)
    assert answers(filled.path) == {}


REFUSED = {
    "an unknown label": ("review", {"item": "w-1", "label": EVIL}, 400),
    "a label of the store": ("review", {"item": "w-1", "label": "unknown"}, 400),
    "no answer": ("review", {"item": "w-1"}, 400),
    "two answers": ("review", {"item": "w-1", "label": "Mouse", "undo": 1}, 400),
    "an empty label": ("review", {"item": "w-1", "label": ""}, 400),
    "no such reason": ("review", {"item": "w-1", "no_class": "never"}, 400),
    "more than is asked": ("review", {"item": "w-1", "label": "Mouse", "by": "x"}, 400),
    "an item that is none": ("review", {"item": "nobody", "label": "Mouse"}, 409),
    "an item without a crop": ("review", {"item": "old-1", "label": "Mouse"}, 409),
    "an undo of nothing": ("review", {"item": "w-1", "undo": 1}, 409),
    "an undo beyond all": ("review", {"item": "w-1", "undo": 2**70}, 400),
    "a long name": ("review", {"item": "w" * 301, "label": "Mouse"}, 400),
    "a long body": ("review", b'{"item": "w-1", "label": "Mouse"}' + b" " * 33_000, 413),
    "no JSON": ("review", b"item=w-1&label=Mouse", 400),
    "nested deep": ("review", b"[" * 4000, 400),
    "half a letter": ("review", b'{"item": "w-1", "label": "\\ud800"}', 400),
    "a name for no item": ("review", {"item": "w-1", "no_class": "no_item", "name": "Toy"}, 400),
    "a name alone": ("review", {"item": "w-1", "name": "Toy"}, 400),
    "a name of 61 letters": ("review", {"item": "w-1", "no_class": "other", "name": "x" * 61}, 400),
    "a name of a class": ("review", {"item": "w-1", "no_class": "other", "name": "mouse "}, 400),
    "a name of no class": ("review", {"item": "w-1", "no_class": "other", "name": "unknown"}, 400),
    "a name that turns": ("review", {"item": "w-1", "no_class": "other", "name": "a\u202eb"}, 400),
    "a look at nobody": ("item", {"item": "nobody"}, 404),
    "a queue at nobody": ("queue", {"beside": "nobody"}, 404),
    "a reason that is none": ("items", {"reason": "' OR 1=1"}, 400),
    "no number": ("items", {"least": "nan"}, 400),
    "more than all": ("items", {"most": 101}, 400),
    "before all time": ("items", {"since": "0001-01-01T00:00"}, 400),
    "no time": ("items", {"until": "tomorrow"}, 400),
    "a place beyond all": ("items", {"before": 2**63}, 400),
    "no width": ("quality", {"width": 0}, 400),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_request_is_refused_in_one_line_and_changes_nothing(filled, kind):
    path, content, expected = REFUSED[kind]
    status, answer = filled.post(path, content)
    assert status == expected and "\n" not in answer["error"] and len(answer["error"]) < 700
    assert answers(filled.path) == {}


def test_only_the_page_itself_reviews(filled):
    asked = {"item": "w-1", "label": "Mouse"}
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}):
        assert filled.post("review", asked, **headers)[0] == 415
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        request = urllib.request.Request(
            filled.url + "review", b"{}", {"Content-Type": "application/json", **headers}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        assert refused.value.code == 403
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(filled.url + "review", timeout=5)
    assert refused.value.code == 405
    assert answers(filled.path) == {}


def test_another_thing_is_called_by_a_name_that_is_typed(page, filled):
    look_at(page, "Review")
    page.locator("#review [name=name]").fill("  Toy   car ")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#review .review').dataset.item === 'w-79'")
    assert answers(filled.path) == {ODD_ID: ("Toy car", "")}
    assert page.locator("#names-given option").get_attribute("value") == "Toy car"
    page.locator("#review [name=name]").fill("toy cars")
    page.get_by_role("button", name="Enter", exact=True).click()
    page.wait_for_function("document.querySelector('#review .review').dataset.item === 'w-78'")
    assert answers(filled.path)["w-79"] == ("Toy car", ""), "as it was typed the first time"
    page.get_by_role("button", name="Enter", exact=True).click()
    assert page.inner_text("#review [role=status]") == "Type what it is called first."
    assert "Undo Toy car" in page.inner_text("[data-undo]")
    page.keyboard.press("u")
    page.wait_for_function("document.querySelector('#review .review').dataset.item === 'w-79'")
    assert answers(filled.path) == {ODD_ID: ("Toy car", "")}


def test_markup_in_labels_and_details_is_shown_as_text(filled):
    named = {"item": "w-1", "no_class": "other", "name": "<b>odd toy</b>"}
    assert filled.post("review", named)[0] == 200
    assert filled.post("review", {"item": ODD_ID, "label": ODD_LABEL})[0] == 200
    parts = {}
    for path, content in (
        ("items", {"bin": EVIL[:90]}),
        ("item", {"item": ODD_ID}),
        ("queue", {"item": ODD_ID}),
        ("quality", {}),
    ):
        status, answer = filled.post(path, content)
        assert status == 200
        parts.update(answer)
    html = "".join(parts.values())
    assert "<img src=x" not in html and "<b>odd" not in html and "<i>" not in html
    assert "&lt;b&gt;odd" in html and crop_address(ODD_ID) in html


@pytest.mark.parametrize("kind", ["absent", "damaged", "older", "locked"])
def test_a_file_that_is_not_as_it_should_be_is_one_line(filled, monkeypatch, kind):
    monkeypatch.setattr(reviews, "LONGEST_WAIT_S", 0.1)
    lock = sqlite3.connect(filled.path, isolation_level=None)
    with closing(lock):
        if kind == "locked":
            lock.execute("BEGIN IMMEDIATE")
        if kind == "older":
            for index in ("search", "review"):
                lock.execute(f"DROP INDEX items_to_{index}")
            lock.execute("DROP INDEX items_reviewed")
            lock.execute("ALTER TABLE items DROP COLUMN no_class")
            lock.execute("DROP TABLE reviews")
            lock.execute("PRAGMA user_version = 4")
        if kind in ("absent", "damaged"):
            for end in ("", "-wal", "-shm"):
                filled.path.with_name(f"records.db{end}").unlink(missing_ok=True)
        if kind == "damaged":
            filled.path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 64)
        status, answer = filled.post("review", {"item": "w-1", "label": "Mouse"})
        assert status == 503 and "\n" not in answer["error"]
        words = {"absent": "no records", "older": "start the line once", "locked": "locked"}
        assert words.get(kind, "records.db") in answer["error"]
        for path in ("items", "queue", "quality"):
            expected = 200 if kind in ("older", "locked") else 503
            assert filled.post(path, {})[0] == expected, "to look waits for nobody"
    if kind == "absent":
        assert not filled.path.exists(), "the page makes no file of records"


def test_a_review_survives_a_kill_of_the_page(filled, tmp_path, bundle):
    with killed_page(filled.state, bundle.path, tmp_path) as url:
        status, _ = post_json(f"{url}/review", {"item": "w-5", "no_class": "several_items"})
        assert status == 200
    assert answers(filled.path) == {"w-5": ("", "several_items")}
    status, answer = filled.post("queue", {"item": "w-5"})
    assert status == 200 and "Several items" in answer["review"]
