"""Look-alikes on the tab "Review": one key for a group, in a real browser and over HTTP."""

import cv2
import numpy as np
import pytest

from edge.records.review import SAMPLE
from edge.records.reviews import history
from edge.records.store import Store
from tests.support.served import Panel, keep_picture, open_tab

SIZES = ((1280, 800), (1024, 600), (390, 844))
ALIKE, OTHER = (bytes([*range(1, 65)]), bytes([*range(128, 192)]))
ITEMS = 16


def picture(shade: int) -> bytes:
    drawn = np.full((96, 128, 3), 60, np.uint8)
    cv2.rectangle(drawn, (20, 20), (100, 70), (shade, 200 - shade, 120), -1)
    return cv2.imencode(".jpg", drawn)[1].tobytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory, bundle):
    server = Panel(tmp_path_factory.mktemp("groups"), bundle.path)
    yield server
    server.close()


@pytest.fixture
def filled(server, make_record):
    """Of look-alikes `w-0` is the oldest; then come one of the random share and one unlike them."""
    for left in server.state.glob("records.db*"):
        left.unlink()
    doubt = {"top_label": "Mouse", "label": "unknown", "bin": "manual", "review": "unsure"}
    records = [
        make_record(f"w-{number}", crop=picture(10 * number), code=ALIKE, **doubt)
        for number in range(ITEMS)
    ]
    sample = make_record(
        "sample", crop=picture(0), code=ALIKE, **{**doubt, "review": SAMPLE, "label": "Mouse"}
    )
    with Store(server.path) as store:
        store.append([sample, make_record("unlike", crop=picture(9), code=OTHER, **doubt)])
        store.append(records)
    return server


@pytest.fixture
def page(browser, filled):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(filled.url)
    page.wait_for_selector(".tile")
    open_tab(page, "Review")
    page.wait_for_selector("#review .alike")
    yield page
    assert page.complaints == []
    page.close()


def shown(page, item: str) -> None:
    page.wait_for_selector(f"#review .review[data-item='{item}']")


def answers(server) -> dict[str, str]:
    with Store(server.path, read_only=True) as store:
        return {each.item_id: each.reviewed for each in store.all() if each.reviewed}


def test_one_key_labels_the_group_and_one_undo_takes_it_back(page, filled):
    assert page.locator("#review [data-twin]").count() == ITEMS - 1
    assert page.inner_text("[data-together]") == str(ITEMS)
    page.keyboard.press(" ")
    shown(page, "unlike")
    assert answers(filled) == {f"w-{number}": "Mouse" for number in range(ITEMS)}
    assert page.locator("#review .alike").count() == 0, "the one unlike them is alone"
    assert f"of {ITEMS} items" in page.inner_text("[data-undo]")
    page.keyboard.press("u")
    shown(page, f"w-{ITEMS - 1}")
    assert answers(filled) == {} and page.inner_text("[data-together]") == str(ITEMS)


def test_what_does_not_belong_is_taken_out_by_click_and_by_keys(page, filled):
    page.locator("[data-twin='w-3']").click()
    page.locator("[data-twin='w-4']").focus()
    page.keyboard.press("Space")
    page.locator("[data-twin='w-5']").click()
    page.locator("[data-twin='w-5']").click()
    assert page.inner_text("[data-together]") == str(ITEMS - 2)
    page.wait_for_timeout(1500)  # the figures of the line are drawn anew meanwhile
    assert page.inner_text("[data-together]") == str(ITEMS - 2)
    page.locator("#review .review").focus()
    page.keyboard.press("1")
    shown(page, "w-4")
    assert answers(filled).keys() == {f"w-{n}" for n in range(ITEMS)} - {"w-3", "w-4"}
    with Store(filled.path, read_only=True) as store:
        kept = [history(store, f"w-{number}")[0] for number in range(ITEMS) if number not in (3, 4)]
    assert {each.reviewer for each in kept} == {"the page"} and len({e.grouped for e in kept}) == 1
    assert sum(each.for_training for each in kept) == 3


def test_a_key_leaves_the_large_one_alone_and_puts_the_others_back(page, filled):
    page.keyboard.press("-")
    assert page.inner_text("[data-together]") == "1"
    page.keyboard.press("-")
    assert page.inner_text("[data-together]") == str(ITEMS)
    page.keyboard.press("-")
    page.keyboard.press("n")
    shown(page, f"w-{ITEMS - 2}")
    with Store(filled.path, read_only=True) as store:
        (answer,) = history(store, f"w-{ITEMS - 1}")
        assert answer.no_class == "no_item" and answer.grouped is None
        assert [each.item_id for each in store.all() if each.no_class] == [f"w-{ITEMS - 1}"]


def test_the_random_share_is_shown_and_judged_alone(page, filled):
    page.get_by_label("random share only").check()
    shown(page, "sample")
    assert page.locator("#review .alike").count() == 0
    for item, alike in (("sample", ["w-1"]), ("w-1", ["sample"])):
        asked = {"item": item, "alike": alike, "label": "Mouse"}
        status, answer = filled.post("review", asked)
        assert status == 409 and "judged alone" in answer["error"]
    assert answers(filled) == {}


REFUSED = {
    "too many": {"item": "w-1", "alike": [f"w-{n}" for n in range(2, 18)], "label": "Mouse"},
    "an undo of a group": {"item": "w-1", "alike": ["w-2"], "undo": 1},
    "a group in an audit": {"item": "w-1", "alike": ["w-2"], "label": "Mouse", "audit": 1},
    "no list": {"item": "w-1", "alike": "w-2", "label": "Mouse"},
    "no name": {"item": "w-1", "alike": [""], "label": "Mouse"},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_group_is_refused(filled, kind):
    status, answer = filled.post("review", REFUSED[kind])
    assert status == 400 and "\n" not in answer["error"] and answers(filled) == {}


def test_a_group_that_somebody_else_answered_on_is_refused_whole(page, filled):
    assert filled.post("review", {"item": "w-7", "label": "Battery"})[0] == 200
    page.keyboard.press(" ")
    page.wait_for_selector("text=look again")
    assert answers(filled) == {"w-7": "Battery"}


@pytest.mark.parametrize("size", SIZES)
def test_a_group_fits_and_can_be_tapped_with_gloves(page, filled, size):
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.wait_for_function("[...document.querySelectorAll('#review img')].every(i => i.complete)")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for twin in page.locator("#review .alike button").all():
        box = twin.bounding_box()
        assert box["height"] >= 48 and box["width"] >= 48
        assert box["y"] + box["height"] <= size[1], "all of it is seen without scrolling"
    keep_picture(page, f"groups-{size[0]}")
