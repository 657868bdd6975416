"""The tab "Model" on the real page: the card, the golden check, installs, and what is refused."""

import functools
import http.client
import io
import itertools
import json
import logging
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.bundle import DEFAULT_BUNDLE, load_bundle
from edge.bundle.history import read_history
from edge.bundle.install import CURRENT, current_number, install, installed_in, roll_back
from edge.bundle.signature import make_key
from edge.config import Config, TrustConfig, decision_rules
from edge.panel.accounts import Accounts
from edge.panel.guard import Access
from edge.panel.jobs import Jobs
from edge.panel.model import BUNDLES, Bench, model_parts
from edge.panel.users import Role, Users, make_user, write_users
from edge.panel.visitor import Visitor
from edge.standstill import BeltRest
from edge.status import RUNNING, STATUS_NAME, Status, write_status
from tests.support.bundles import packed, reseal, sign_bundle
from tests.support.served import Panel, basic, get, keep_picture, killed_page, open_tab, post
from tests.support.waiting import wait_until

SIZES = ((1280, 800), (1024, 600), (390, 844))
USERS = {"vera": Role.VIEWER, "anna": Role.OPERATOR, "otto": Role.ADMIN}
PASSWORD = "peppermint tea"
BYTES = "application/octet-stream"
NUMBERS = itertools.count(1)


def headers(name: str) -> dict[str, str]:
    return {"Authorization": basic(name, PASSWORD)}


class Plant:
    """A state folder with one installed, signed bundle, and its page.

    Attributes:
        state, store: the state folder and its installed bundles.
        folder: for what a test makes.
        key: the file of the trusted key.
        trust: which bundles are accepted.
        url: the address of the page, which ends in a slash.
    """

    def __init__(self, folder: Path, tiny: Path) -> None:
        self.folder, self.tiny, self.key = folder, tiny, folder / "line.key"
        self.state, self.store = folder / "state", folder / "state" / "bundles"
        self.trust = TrustConfig(keys=(make_key(self.key),))
        self.rules = functools.partial(decision_rules, Config())
        self.begin_anew()
        write_users(
            folder / "users.json",
            Users(users=tuple(make_user(name, USERS[name], PASSWORD) for name in USERS)),
        )
        accounts = Accounts(folder / "users.json")
        self.panel = Panel(
            self.state,
            self.store / CURRENT,
            Access(accounts=accounts),
            rules=self.rules,
            trust=self.trust,
        )
        self.url = self.panel.url

    def begin_anew(self) -> None:
        """Let the first bundle be the only one, and no line run."""
        shutil.rmtree(self.store, ignore_errors=True)
        (self.state / STATUS_NAME).unlink(missing_ok=True)
        install(self.bundle("first"), self.store, self.trust.keys, threads=1)

    def bundle(self, name: str, **changes: object) -> Path:
        """A signed bundle."""
        path = Path(shutil.copytree(self.tiny, self.folder / f"{name}-{next(NUMBERS)}"))
        reseal(path, name=name, **changes)
        sign_bundle(path, self.key)
        return path

    def live(self) -> dict[str, bytes | str]:
        """All that the live folder holds."""
        return {
            str(each.relative_to(self.store)): str(each.readlink())
            if each.is_symlink()
            else each.read_bytes()
            for each in sorted(self.store.rglob("*"))
            if each.is_symlink() or each.is_file()
        }

    def parts(self, name: str = "otto", language: str = "en") -> dict[str, str]:
        asked = {"Accept-Language": language, **headers(name)}
        return json.loads(get(f"{self.url}model.json", **asked)[2])

    def send(self, content: bytes, name: str = "otto", kind: str = BYTES) -> tuple[int, bytes]:
        return post(f"{self.url}model/install", content, kind, **headers(name))

    def found(self, part: str, language: str = "en") -> str:
        """Wait for a job, and return what the page says of it."""
        wait_until(lambda: "data-busy" not in self.parts()[part], 60)
        shown = re.search(r'data-found="\w+">(.*?)</p>', self.parts(language=language)[part])
        assert shown is not None
        return unescape(shown[1])


@pytest.fixture(scope="module")
def plant(tmp_path_factory, tiny_bundle) -> Iterator[Plant]:
    made = Plant(tmp_path_factory.mktemp("plant"), tiny_bundle)
    yield made
    made.panel.close()


@pytest.fixture
def anew(plant: Plant) -> Plant:
    plant.begin_anew()
    return plant


def test_the_card_tells_the_bundle_its_proof_and_another_on_the_line(bundle, tmp_path):
    bench = Bench(bundle.path, tmp_path, TrustConfig(), functools.partial(decision_rules, Config()))

    def shown() -> dict[str, str]:
        return model_parts(bench, Jobs(), lambda: load_bundle(bundle.path), Visitor("127.0.0.1"))

    text = shown()["model"]
    for word in (bundle.digest, "99.25%", "94.75%", "91.50% to 96.80%", "&lt;b&gt;odd", "# Card"):
        assert word in text
    assert "<b>odd" not in text and "another bundle" not in text
    write_status(tmp_path, Status(updated_at=time.time(), state="running", digest=bundle.digest))
    assert "another bundle" not in shown()["model"]
    write_status(
        tmp_path,
        Status(updated_at=time.time(), state="running", digest="0" * 64, bundle="<i>older"),
    )
    assert "runs another bundle (&lt;i&gt;older, 000000000000)" in shown()["model"]


def test_the_golden_check_passes_and_is_one_at_a_time(anew, caplog):
    caplog.set_level(logging.INFO, "edge.panel")
    url = f"{anew.url}model/check"
    assert post(url, b"{}", **headers("anna"))[0] == 202
    status, body = post(url, b"{}", **headers("anna"))
    assert (status, json.loads(body)["error"]) == (
        409,
        "The golden check is still at work; try again after it.",
    )
    assert anew.found("golden").startswith("Passed: first, in ")
    shown = anew.parts()["golden"]
    assert "32 inputs, at most 0 steps off" in shown and "ms an image" in shown
    assert "asked for by anna at" in shown
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("actions")]
    assert [line for line in lines if "golden" in line] == [
        "anna from 127.0.0.1: began the golden check",
        "anna from 127.0.0.1: the golden check passed: first",
    ]


WORDS = {
    "de": ("Bestanden: first, in ", "32 Eingaben", "läuft noch", "braucht es einen Verwalter"),
    "es": ("Superada: first, en ", "32 entradas", "sigue en curso", "falta un administrador"),
    "hi": ("सफल: first, ", "32 इनपुट", "अभी चल रही है", "व्यवस्थापक चाहिए"),
}


@pytest.mark.parametrize("language", WORDS)
def test_the_tab_speaks_the_language_of_the_visitor(anew, caplog, language):
    passed, step, at_work, admin = WORDS[language]
    caplog.set_level(logging.INFO, "edge.panel")
    asked = {"Accept-Language": language, **headers("anna")}
    assert post(f"{anew.url}model/check", b"{}", **asked)[0] == 202
    status, body = post(f"{anew.url}model/check", b"{}", **asked)
    assert status == 409 and at_work in json.loads(body)["error"]
    assert anew.found("golden", language).startswith(passed)
    assert step in anew.parts(language=language)["golden"]
    refused = post(f"{anew.url}model/rollback", b"{}", **asked)
    assert refused[0] == 403 and admin in refused[1].decode()
    written = [record.getMessage() for record in caplog.records]
    assert "anna from 127.0.0.1: the golden check passed: first" in written, "the log is English"
    share = "100.00%" if language == "hi" else "100,00\xa0%"
    assert share in anew.parts(language=language)["model"]


def test_the_golden_check_finds_a_bundle_that_was_altered(anew):
    path = anew.store / "1" / "golden.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert post(f"{anew.url}model/check", b"{}", **headers("anna"))[0] == 202
    assert anew.found("golden").startswith("Failed: first, in ")
    assert "golden.npz: altered since it was converted" in anew.parts()["golden"]
    assert "altered" in anew.parts()["model"], "the card is not shown as if it were proved"


def changed(path: Path, name: str) -> Path:
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(bytes(content))
    return path


def unsigned(path: Path) -> Path:
    (path / "manifest.sig").unlink()
    return path


def by_another(plant: Plant) -> Path:
    path = plant.bundle("another")
    other = plant.folder / f"other-{next(NUMBERS)}.key"
    make_key(other)
    sign_bundle(path, other)
    return path


def with_member(path: Path, name: str, content: bytes) -> bytes:
    archive = io.BytesIO(packed(path))
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(name, content)
    return archive.getvalue()


BINS = {"nowhere": ["Battery"]}
OLD = "2025-01-01T00:00:00Z"
REFUSED: dict[str, tuple[Callable[[Plant], bytes], str]] = {
    "a broken signature": (lambda plant: packed(changed(plant.bundle("x"), "manifest.sig")), ""),
    "no signature": (lambda plant: packed(unsigned(plant.bundle("x"))), "manifest.sig: missing"),
    "another's signature": (lambda plant: packed(by_another(plant)), "signed by an untrusted key"),
    "a changed model": (
        lambda plant: packed(changed(plant.bundle("x"), "model.tflite")),
        "model.tflite: altered since it was converted",
    ),
    "a changed manifest": (
        lambda plant: packed(changed(plant.bundle("x"), "manifest.json")),
        "",
    ),
    "no parity": (lambda plant: packed(plant.bundle("x", parity={})), "parity"),
    "bins without gates": (lambda plant: packed(plant.bundle("x", bins=BINS)), "nowhere"),
    "an older one": (lambda plant: packed(plant.bundle("x", created=OLD)), "before the one in use"),
    "a file above": (
        lambda plant: with_member(plant.bundle("x"), "../x", b"x"),
        "'../x' leads out of the archive",
    ),
    "a bomb": (
        lambda plant: with_member(plant.bundle("x"), "unknown.npz", bytes(129 << 20)),
        "unpacks to more than 128 MB",
    ),
    "a truncated archive": (lambda plant: packed(plant.bundle("x"))[:-5000], "no zip archive"),
    "nothing": (lambda plant: b"", "no zip archive"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_proved_is_refused_and_nothing_changes(anew, kind):
    make, reason = REFUSED[kind]
    before = anew.live()
    assert anew.send(make(anew))[0] == 202
    shown = anew.found("bundles")
    assert shown.startswith("Install refused, nothing has changed: ") and reason in shown
    assert str(anew.folder) not in shown.removesuffix(str(anew.store)), "nobody knows that folder"
    assert anew.live() == before
    for language in ("de", "es", "hi"):
        other = anew.found("bundles", language).split("; ")
        same = set(shown.split("; ")) & set(other)
        assert not same or kind == "a changed manifest", "which no form is for"
    assert not [each for each in anew.state.iterdir() if each.name.startswith(".upload")]
    assert not (anew.folder / "x").exists() and not (anew.state / "x").exists()


def test_the_page_takes_nothing_that_a_line_rolled_back(anew):
    keys, bad = anew.trust.keys, anew.bundle("bad")
    why = "items unknown or by hand: 100.0% over 28 items, 10.0% over 200 before"
    install(bad, anew.store, keys, threads=1)
    roll_back(anew.store, keys, 1, why=why)
    before = anew.live()
    assert anew.send(packed(bad))[0] == 202
    shown = anew.found("bundles")
    assert f"the upload: was rolled back ({why}); convert another" in shown
    assert anew.live() == before
    for language in ("de", "es", "hi"):
        other = anew.found("bundles", language)
        assert not set(shown.split("; ")) & set(other.split("; "))
        assert "by hand" not in other, "the reason is in their language too"


def test_the_page_says_what_a_bundle_waits_for_and_an_admin_hurries_it(anew, caplog):
    caplog.set_level(logging.INFO)
    keys, good = anew.trust.keys, anew.bundle("good")
    install(good, anew.store, keys, threads=1)
    url = f"{anew.url}model/now"
    status, answer = post(url, b"{}", **headers("otto"))
    assert status == 409 and b"No bundle waits" in answer
    moving = Status(updated_at=0, state=RUNNING, update_window="22:00-22:01")
    # Ahead of the clock: on a busy machine it must not be old before the page reads it.
    waiting = {"waiting": load_bundle(good).digest, "updated_at": time.time() + 4}
    for rest, words in (
        (BeltRest.MOVES, "waits until the belt stands."),
        (BeltRest.CARRIES, "an item on it is still under way"),
        (BeltRest.NOT_MEASURED, "nothing measures the belt now"),
    ):
        write_status(anew.state, moving.model_copy(update={**waiting, "belt": rest}))
        shown = anew.parts("otto")["bundles"]
        assert f'data-waits="{rest.name}"' in shown and words in shown and "From 22:00" in shown
        assert "data-at-once" in shown and "data-at-once" not in anew.parts("anna")["bundles"]
        waiting["updated_at"] = time.time() + 4
    for name in ("vera", "anna"):
        assert post(url, b"{}", **headers(name))[0] == 403
    assert post(url, b"{}", Origin="http://evil.example", **headers("otto"))[0] == 403
    assert not read_history(anew.store).last(waiting["waiting"]).at_once
    write_status(anew.state, moving.model_copy(update=waiting))
    assert post(url, b"{}", **headers("otto"))[0] == 200
    assert read_history(anew.store).last(waiting["waiting"]).at_once
    assert any("takes the bundle good at once" in each.getMessage() for each in caplog.records)
    (anew.state / STATUS_NAME).unlink()


def test_who_is_no_admin_installs_nothing(anew, caplog):
    before, good = anew.live(), packed(anew.bundle("good"))
    for name, words in (("vera", b"A viewer only looks"), ("anna", b"This takes an admin")):
        for path, body, kind in (
            ("install", good, BYTES),
            ("rollback", b"{}", "application/json"),
        ):
            status, answer = post(f"{anew.url}model/{path}", body, kind, **headers(name))
            assert status == 403 and words in answer and answer.count(b"\n") == 1
        assert "data-install" not in anew.parts(name)["bundles"]
    assert post(f"{anew.url}model/check", b"{}", **headers("vera"))[0] == 403
    assert post(f"{anew.url}model/check", b"{}")[0] == 401
    site = {"Origin": "http://evil.example", **headers("otto")}
    assert post(f"{anew.url}model/install", good, BYTES, **site)[0] == 403
    assert anew.send(good, kind="multipart/form-data")[0] == 415
    assert post(f"{anew.url}model/rollback", b'{"to": 1}', **headers("otto"))[0] == 400
    assert anew.live() == before
    refused = [record.getMessage() for record in caplog.records if "refused" in record.msg]
    assert "anna from 127.0.0.1: refused: /model/install: needs an admin" in refused


def test_a_page_without_a_login_installs_nothing(tiny_bundle, tmp_path):
    page = Panel(tmp_path, tiny_bundle)
    try:
        status, answer = post(f"{page.url}model/install", packed(tiny_bundle), BYTES)
        assert status == 403 and b"This takes an admin" in answer
        shown = json.loads(get(f"{page.url}model.json")[2])
        assert "log in as an admin" in shown["bundles"] and "data-check" in shown["golden"]
    finally:
        page.close()


def raw(plant: Plant, length: int, sent: bytes) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(plant.url.split("/")[2], timeout=30)
    connection.putrequest("POST", "/model/install")
    given = {"Content-Type": BYTES, "Content-Length": str(length), **headers("otto")}
    for name, value in given.items():
        connection.putheader(name, value)
    connection.endheaders(sent)
    return connection


def test_too_many_bytes_and_too_few_change_nothing(anew):
    before = anew.live()
    connection = raw(anew, 300 << 20, b"PK")
    with suppress(OSError):
        for _ in range(300):
            connection.send(bytes(1 << 20))
    answer = connection.getresponse()
    assert answer.status == 413 and b"larger than the maximum of 64 MB" in answer.read()
    connection.close()

    good = packed(anew.bundle("good"))
    connection = raw(anew, len(good), good[:-1000])
    connection.close()
    assert anew.live() == before
    assert anew.send(good)[0] == 202, "the next one is taken"
    assert anew.found("bundles").startswith("Install done by otto at ")
    assert load_bundle(anew.store / CURRENT).manifest.name == "good"


def test_why_nothing_can_be_installed_is_one_line(tiny_bundle, tmp_path):
    rules = functools.partial(decision_rules, Config())

    def obstacle(path: Path, state: Path) -> str:
        return Bench(path, state, TrustConfig(), rules).obstacle

    assert obstacle(DEFAULT_BUNDLE, tmp_path) == "", (
        "the first install takes the shipped one's place"
    )
    assert obstacle(tmp_path / "bundles" / CURRENT, tmp_path) == ""
    assert obstacle(tiny_bundle, tmp_path).startswith(
        f"The line is configured to run {tiny_bundle}"
    )
    state = tmp_path / "state"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", str(state)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a read-only tmpfs needs root")
    try:
        found = obstacle(DEFAULT_BUNDLE, state)
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)
    assert found == f"The page cannot write to {state}; use ewaste-edge install on the device."


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def tab(request, anew, browser) -> Iterator[Any]:
    """The tab in a browser, as the admin sees it."""
    width, height = request.param
    page = browser.new_page(
        viewport={"width": width, "height": height},
        extra_http_headers=headers("otto"),
        color_scheme="dark" if width == 1024 else "light",
    )
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(anew.url)
    open_tab(page, "Model")
    page.wait_for_selector("#bundles [data-install]")
    page.width = width
    yield page
    assert problems == []
    page.close()


def upload(page: Any, content: bytes) -> None:
    file = {"name": "bundle.zip", "mimeType": "application/zip", "buffer": content}
    page.set_input_files("#bundles input[type=file]", files=[file])
    page.get_by_role("button", name="Install").click()


def test_a_browser_checks_installs_and_rolls_back(anew, tab):
    first = load_bundle(anew.store / CURRENT)
    write_status(
        anew.state,
        Status(updated_at=time.time(), state="running", digest=first.digest, bundle="first"),
    )
    tab.get_by_role("button", name="Check now").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#golden [data-found=passed]", timeout=60_000)
    assert "at most 0 steps off" in tab.inner_text("#golden .checks")

    tab.get_by_role("button", name="Install").click()
    assert tab.inner_text("#bundles [role=status]") == "Choose a file first."
    upload(tab, packed(changed(anew.bundle("bad"), "model.tflite")))
    tab.wait_for_selector("#bundles [data-found=refused]", timeout=60_000)
    assert "model.tflite: altered" in tab.inner_text("#bundles [data-found]")
    keep_picture(tab, f"model-refused-{tab.width}")

    upload(tab, packed(anew.bundle("second"), "second/"))
    tab.wait_for_selector("#bundles [data-found=done]", timeout=60_000)
    assert "takes it once its belt stands" in tab.inner_text("#bundles [data-found]")
    assert tab.inner_text("#bundles [data-in-use] td >> nth=1") == "second"
    tab.wait_for_selector("#model [data-other]")
    keep_picture(tab, f"model-installed-{tab.width}")
    for control in tab.locator(":is(#golden, #bundles) :is(button, input)").all():
        box = control.bounding_box()
        assert box["height"] >= 48, "for a finger in a glove"
        assert box["x"] + box["width"] <= tab.width, "none is cut off"
    assert tab.evaluate("document.documentElement.scrollWidth") <= tab.width

    tab.get_by_role("button", name="Roll back").click()
    tab.wait_for_selector("#bundles [data-in-use] >> text=first", timeout=60_000)
    tab.wait_for_selector("#bundles [data-found=done] >> text=Roll back done by otto")
    assert "The line runs it already" in tab.inner_text("#bundles [data-found]")
    assert load_bundle(anew.store / CURRENT).digest == first.digest
    assert tab.get_by_role("button", name="Roll back").count() == 0
    tab.get_by_text("Model card").click()
    keep_picture(tab, f"model-{tab.width}")


def test_a_file_stays_chosen_while_its_part_is_drawn_anew(anew, browser):
    page = browser.new_page(extra_http_headers=headers("otto"))
    page.goto(anew.url)
    open_tab(page, "Model")
    file = {
        "name": "second.zip",
        "mimeType": "application/zip",
        "buffer": packed(anew.bundle("second")),
    }
    page.set_input_files("#bundles input[type=file]", files=[file])
    first = load_bundle(anew.store / CURRENT)
    page.evaluate("document.querySelector('#bundles form').former = true")
    write_status(
        anew.state,
        Status(updated_at=time.time(), state="running", digest=first.digest, bundle="first"),
    )
    page.wait_for_function("document.querySelector('#bundles form').former === undefined")
    page.get_by_role("button", name="Install").click()
    empty = "document.querySelector('#bundles input[type=file]').files.length == 0"
    page.wait_for_function(empty)
    page.close()
    assert anew.found("bundles").startswith("Install done by otto")


def test_a_large_file_is_not_even_sent(anew, browser, tmp_path):
    large = tmp_path / "large.zip"
    with large.open("wb") as file:
        file.truncate(BUNDLES.most_bytes + 1)
    page = browser.new_page(extra_http_headers=headers("otto"))
    page.goto(anew.url)
    open_tab(page, "Model")
    page.set_input_files("#bundles input[type=file]", str(large))
    page.get_by_role("button", name="Install").click()
    page.wait_for_selector("#bundles [role=status] >> text=larger than the maximum of 64 MB")
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["arrived", "unpacked", "staged"])
def test_a_page_killed_while_it_installs_leaves_a_bundle_that_loads(tiny_bundle, tmp_path, moment):
    state, store = tmp_path / "state", tmp_path / "state" / "bundles"
    install(tiny_bundle, store, threads=1)
    write_users(state / "users.json", Users(users=(make_user("otto", Role.ADMIN, PASSWORD),)))
    second = Path(shutil.copytree(tiny_bundle, tmp_path / "second"))
    reseal(second, name="second")
    reached = {
        "arrived": lambda: any(state.glob(".upload.*.new")),
        "unpacked": lambda: any(state.glob(".upload.*.new/model.tflite")),
        "staged": lambda: (store / "2").exists() or any(store.glob(".2.*.new")),
    }[moment]
    with killed_page(state, store / CURRENT, tmp_path) as url:
        given = headers("otto")
        assert get(f"{url}/health", patience=60)[0] == 200
        assert post(f"{url}/model/install", packed(second), BYTES, **given)[0] == 202
        wait_until(reached, 60)
    number = current_number(store)
    name = load_bundle(store / CURRENT).manifest.name
    assert (number, name) in ((1, "tiny-bundle"), (2, "second"))
    assert install(second, store, threads=1).manifest.name == "second"
    assert [each.in_use for each in installed_in(store)].count(True) == 1
