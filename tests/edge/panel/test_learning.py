"""The tab "Learning" on the real page: accept, reject, roll back, and who may not."""

import json
import logging
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.bundle import read_bundle
from edge.bundle.history import read_history
from edge.learned.proposals import PROPOSALS, accept, place_proposal, proposals
from edge.learned.store import LEARNED_NAME, current_generation
from edge.panel.accounts import Accounts
from edge.panel.formats import NOTHING
from edge.panel.guard import Access
from edge.panel.learning import Figure, figures
from edge.panel.users import Role, Users, make_user, write_users
from edge.records.store import Store
from tests.support.proposed import new_class, recalibration, refused_class
from tests.support.served import Panel, basic, get, keep_picture, open_tab, post, post_json

USERS = {"vera": Role.VIEWER, "anna": Role.OPERATOR}
PASSWORD = "peppermint tea"
EVIL = '<img src=x onerror="window.hacked=1">'
CROP = bytes.fromhex("ffd8ffd9")


def headers(name: str) -> dict[str, str]:
    return {"Authorization": basic(name, PASSWORD)}


class Plant:
    """A page with users, and a store of what was learned."""

    def __init__(self, folder: Path, bundle: Path, other: Path) -> None:
        self.state, self.store = folder, folder / LEARNED_NAME
        self.bundle, self.base, self.other = bundle, read_bundle(bundle).digest, other
        made = tuple(make_user(name, role, PASSWORD) for name, role in USERS.items())
        write_users(folder / "users.json", Users(users=made))
        access = Access(accounts=Accounts(folder / "users.json"))
        self.panel = Panel(folder, bundle, access)
        self.url = self.panel.url

    def post(
        self, what: str, name: str = "anna", **content: int | str
    ) -> tuple[int, dict[str, Any]]:
        return post_json(f"{self.url}learning/{what}", content, **headers(name))

    def parts(self, name: str = "anna", language: str = "en") -> dict[str, str]:
        asked = {"Accept-Language": language, **headers(name)}
        return json.loads(get(f"{self.url}learning.json", **asked)[2])


@pytest.fixture(scope="module")
def plant(tmp_path_factory, bundle, make_bundle) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("learning")
    own = Path(shutil.copytree(bundle.path, folder / "bundle"))
    other = make_bundle(folder / "other", name="another")
    state = folder / "state"
    state.mkdir()
    made = Plant(state, own, other.path)
    yield made
    made.panel.close()


@pytest.fixture
def anew(plant: Plant, make_record) -> Plant:
    """Nothing is learned; one proposal waits, and one is refused."""
    shutil.rmtree(plant.store, ignore_errors=True)
    for left in plant.state.glob("records.db*"):
        left.unlink()
    with Store(plant.panel.path) as store:
        store.append([make_record("w-1", crop=CROP), make_record("w-2")])
    shown = {"shown": ("w-1", "w-2", "gone")}
    place_proposal(plant.store, refused_class(plant.store, plant.base, EVIL, **shown), {})
    place_proposal(plant.store, recalibration(plant.store, plant.base, **shown), {})
    return plant


def test_an_operator_accepts_and_goes_back_and_it_is_logged(anew, caplog):
    caplog.set_level(logging.INFO, "edge.panel")
    shown = anew.parts()
    assert "Nothing is learned" in shown["learned"] and 'data-accept="2"' in shown["proposals"]
    assert "<td>21.0%</td><td>12.5%</td>" in shown["proposals"]
    assert shown["proposals"].count("crops/w-1.jpg") == 2 and "w-2" not in shown["proposals"]
    status, answer = anew.post("accept", number=2)
    assert status == 200 and "Generation 1" in answer["learned"]
    assert "anna" in answer["learned"] and "on probation" in answer["learned"]
    generation = current_generation(anew.store)
    assert generation is not None and generation.manifest.by == "anna"
    assert anew.post("accept", number=2)[0] == 409
    status, answer = anew.post("rollback")
    assert status == 200 and "Nothing is learned" in answer["learned"]
    assert "rolled back by anna" in answer["learned"]
    assert anew.post("rollback")[0] == 409
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("actions")]
    assert lines[-2:] == [
        "anna from 127.0.0.1: accepted proposal 2, generation 1 is in use",
        "anna from 127.0.0.1: rolled back what was learned, the bundle alone is in use",
    ]
    assert [each.by for each in read_history(anew.store).entries] == ["anna"]


def test_a_refused_one_says_why_and_can_only_be_removed(anew, caplog):
    caplog.set_level(logging.INFO, "edge.panel")
    shown = unescape(anew.parts()["proposals"])
    assert "The guard refuses it: costs Battery 2.0 points" in shown
    assert 'data-accept="1"' not in shown and 'data-reject="1"' in shown
    status, answer = anew.post("accept", number=1)
    assert status == 409 and "the guard refuses it" in answer["error"]
    assert anew.post("reject", number=1)[0] == 200
    assert [each.number for each in proposals(anew.store)] == [2]
    assert "rejected" in anew.parts()["proposals"]
    assert any("rejected proposal 1: teach" in each.getMessage() for each in caplog.records)


def test_a_label_is_shown_as_text(anew):
    html = "".join(anew.parts().values())
    assert "<img src=x" not in html and "&lt;img src=x" in html


def test_a_figure_that_is_not_known_is_a_dash():
    shown = figures({"recall": 0.5}, {"recall": 0.75, "cost": 12.4})
    assert shown[0][1:] == ("50.0%", "75.0%")
    assert shown[1] == Figure("Cost, in items sorted by hand", NOTHING, "12")


def test_who_only_looks_changes_nothing(anew):
    shown = anew.parts("vera")
    assert "data-accept" not in shown["proposals"] and "An operator accepts" in shown["proposals"]
    for what, body in (
        ("accept", b'{"number": 2}'),
        ("reject", b'{"number": 2}'),
        ("rollback", b"{}"),
    ):
        url = f"{anew.url}learning/{what}"
        assert post(url, body)[0] == 401
        assert post(url, body, **headers("vera"))[0] == 403
        assert post(url, body, Origin="http://evil.example", **headers("anna"))[0] == 403
        assert get(url, **headers("anna"))[0] == 405
    assert current_generation(anew.store) is None and len(proposals(anew.store)) == 2


@pytest.mark.parametrize(
    "content", [{}, {"number": 0}, {"number": 2, "by": "x"}, {"number": 2**70}, b"[", b"x" * 300]
)
def test_what_is_no_request_is_refused(anew, content):
    status, answer = post_json(f"{anew.url}learning/accept", content, **headers("anna"))
    assert status in (400, 413) and "\n" not in answer["error"]
    assert current_generation(anew.store) is None


def test_a_proposal_of_another_bundle_is_refused_in_one_line(anew):
    number = place_proposal(anew.store, recalibration(anew.store, anew.base), {})
    kept, own = anew.bundle.with_name("kept"), anew.bundle
    own.rename(kept)
    shutil.copytree(anew.other, own)
    try:
        assert "data-outdated" in anew.parts()["proposals"]
        status, answer = anew.post("accept", number=number)
        assert status == 409 and "prepared for another bundle" in answer["error"]
        assert "\n" not in answer["error"] and current_generation(anew.store) is None
    finally:
        shutil.rmtree(own)
        kept.rename(own)


def test_a_new_class_goes_to_a_bin_of_the_line_and_gets_a_button(anew):
    number = place_proposal(anew.store, *new_class(anew.store, anew.base, "<i>Toy</i>"))
    shown = anew.parts()["proposals"]
    assert '<option value="hazardous">' in shown and "&lt;i&gt;Toy" in shown
    status, answer = anew.post("accept", number=number, bin="nowhere")
    assert status == 400 and "no such bin" in answer["error"]
    assert anew.post("accept", number=2, bin="hazardous")[0] == 409, "a recalibration has none"
    status, answer = anew.post("accept", number=number, bin="hazardous")
    assert status == 200 and "&lt;i&gt;Toy" in answer["learned"]
    generation = current_generation(anew.store)
    assert generation is not None and generation.manifest.classes[0].bin == "hazardous"
    asked = {"item": "w-1", "label": "<i>Toy</i>"}
    assert post_json(f"{anew.url}review", asked, **headers("anna"))[0] == 200
    assert "data-outdated" in answer["proposals"], "the other one was prepared without it"


def test_a_damaged_store_is_one_line(anew):
    accept(anew.store, 2, base=anew.base, by="anna", now=1.0)
    (anew.store / "1" / "learned.json").write_text("{")
    shown = anew.parts()
    assert "banner stalled" in shown["proposals"] and "learned.json" in shown["proposals"]
    (anew.store / PROPOSALS / "1" / "proposal.json").write_text("{")
    assert anew.parts()["proposals"]


@pytest.mark.parametrize("language", ["de", "es", "hi"])
def test_the_tab_speaks_the_language_of_the_visitor(anew, language):
    other, english = anew.parts(language=language), anew.parts()
    for name in ("proposals", "learned"):
        texts = set(english[name].split(">")) & set(other[name].split(">"))
        assert not [each for each in texts if len(each.split("<")[0].split()) > 3], texts


def test_a_browser_accepts_by_keys_and_rejects_and_goes_back(anew, browser):
    page = browser.new_page(
        extra_http_headers=headers("anna"), viewport={"width": 1280, "height": 800}
    )
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(anew.url)
    open_tab(page, "Learning")
    page.wait_for_selector("#proposals [data-accept]")
    assert page.locator("#proposals [data-refused]").count() == 1
    keep_picture(page, "learning")
    page.locator("#proposals [data-accept]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('#learned [data-generation="1"]')
    page.locator("#proposals [data-reject]").click()
    page.wait_for_selector("#proposals .nothing")
    assert EVIL in page.inner_text("#proposals .answered"), "a label is text"
    page.locator("#learned [data-unlearn]").click()
    page.wait_for_selector("#learned .nothing")
    assert "rolled back by anna" in page.inner_text("#learned .steps")
    for control in page.locator(":is(#proposals, #learned) button").all():
        assert control.bounding_box()["height"] >= 48
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faults == [] and page.evaluate("window.hacked") is None
    page.close()
