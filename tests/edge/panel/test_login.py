"""Users, roles, and sessions of the real page, over HTTP and in a browser."""

import http.client
import itertools
import json
import logging
import os
import subprocess
import sys
import threading
import time
from http.cookies import SimpleCookie
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.operation import Mode, read_order
from edge.panel.accounts import LOOK_SECONDS, Accounts
from edge.panel.guard import Access
from edge.panel.users import Role, Users, make_user, read_users, write_users
from edge.records.review import SAMPLE
from edge.records.reviews import history
from edge.records.store import Store
from tests.support.served import Panel, basic
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
PASSWORDS = {"anna": "green tea", "vera": "black tea", "otto": "white tea <b>"}
ROLES = {"anna": Role.OPERATOR, "vera": Role.VIEWER, "otto": Role.ADMIN}
ADDRESSES = itertools.count(1)
DRAWN = cv2.imencode(".jpg", np.full((48, 64, 3), 120, np.uint8))[1].tobytes()
SCREENS = {"desktop": (1280, 800), "tablet": (1024, 600), "phone": (390, 844)}


def all_users() -> Users:
    return Users(users=tuple(make_user(name, ROLES[name], PASSWORDS[name]) for name in ROLES))


class Client:
    """Asks one page, with the headers and the cookie that it has."""

    def __init__(self, port: int, *, address: str = "127.0.0.1", **headers: str) -> None:
        """`address` is where a proxy on this machine says that the requests come from."""
        self.port, self.headers, self.cookie = port, headers, ""
        if address != "127.0.0.1":
            self.headers = {"X-Forwarded-For": address, **headers}
        self.answer_headers: list[tuple[str, str]] = []

    def ask(self, path: str, content: object = None, **headers: str) -> tuple[int, bytes]:
        """POST content as JSON, else GET; returns the status and the body."""
        given = {**self.headers, **headers}
        body = None if content is None else json.dumps(content).encode()
        if body is not None:
            given = {"Content-Type": "application/json", **given}
        if self.cookie:
            given["Cookie"] = f"ewaste_session={self.cookie}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET" if body is None else "POST", f"/{path}", body, given)
            answer = connection.getresponse()
            self.answer_headers = answer.getheaders()
            for name, value in self.answer_headers:
                if name.lower() == "set-cookie":
                    self.cookie = SimpleCookie(value)["ewaste_session"].value
            return answer.status, answer.read()
        finally:
            connection.close()

    def log_in(self, name: str, password: str | None = None, **headers: str) -> int:
        password = PASSWORDS[name] if password is None else password
        return self.ask("login", {"name": name, "password": password}, **headers)[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory, bundle, make_record):
    folder = tmp_path_factory.mktemp("users")
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    state = folder / "state"
    state.mkdir()
    with Store(state / "records.db") as store:
        store.append(
            [make_record(f"item-{number}", review=SAMPLE, crop=DRAWN) for number in range(3)]
        )
    write_users(state / "users.json", all_users())
    server = Panel(state, bundle.path, Access(accounts=Accounts(state / "users.json")))
    server.state = state
    yield server
    server.close()
    del os.environ["GRADIO_TEMP_DIR"]


@pytest.fixture
def client(server):
    """Each test has an address of its own, as limits are by address."""
    return Client(port_of(server), address=f"10.9.0.{next(ADDRESSES)}")


def port_of(server: Panel) -> int:
    return int(server.url.rstrip("/").rpartition(":")[2])


def test_a_session_begins_with_the_form_and_ends_with_the_logout(server, client, caplog):
    caplog.set_level(logging.INFO, "edge.panel")
    assert client.ask("parts.json")[0] == 401
    assert client.log_in("anna") == 200
    [cookie] = [value for name, value in client.answer_headers if name.lower() == "set-cookie"]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert attributes == {"httponly", "path=/", "samesite=strict"}
    assert len(client.cookie) >= 43
    assert client.ask("parts.json")[0] == 200
    status, body = client.ask("mode", {"mode": "pause"})
    assert (status, json.loads(body)) == (200, {"mode": "pause"})
    order = read_order(server.state)
    assert (order.mode, order.by) == (Mode.PAUSE, "anna")
    kept = client.cookie
    assert client.ask("logout", {})[0] == 200
    assert client.cookie == ""
    client.cookie = kept
    assert client.ask("parts.json")[0] == 401, "the server has ended it too"
    lines = [record.getMessage() for record in caplog.records]
    address = client.headers["X-Forwarded-For"]
    assert lines == [
        f"anna from {address}: logged in as operator",
        f"anna from {address}: asked for the mode pause",
        f"anna from {address}: logged out",
    ]


def test_a_viewer_sees_all_and_operates_nothing(server, client, caplog):
    assert client.log_in("vera") == 200
    before = read_order(server.state)
    for path in ("", "parts.json", "model.json", "live.jpg", "search.json", "account.json"):
        assert client.ask(path)[0] == 200, path
    for path, content in (("items", {}), ("queue", {}), ("quality", {})):
        assert client.ask(path, content)[0] == 200, path
    answer = {"item": "item-1", "label": "Mouse"}
    for path, content in (("mode", {"mode": "manual"}), ("review", answer), ("try", {})):
        status, body = client.ask(path, content)
        assert status == 403 and body.count(b"\n") == 1 and b"operator" in body
    assert read_order(server.state) == before
    with Store(server.state / "records.db", read_only=True) as store:
        assert {record.reviewed for record in store.recent(9)} == {""}
    refused = [record.getMessage() for record in caplog.records if "refused" in record.msg]
    assert [line.split(": ")[2] for line in refused] == ["/mode", "/review", "/try"]
    assert all(line.startswith("vera from 10.9.0.") for line in refused)


def test_reviews_are_of_the_user_and_logged(server, client, caplog):
    caplog.set_level(logging.INFO, "edge.panel")
    assert client.log_in("otto") == 200
    assert client.ask("review", {"item": "item-2", "label": "Mouse"})[0] == 200
    with Store(server.state / "records.db", read_only=True) as store:
        [review] = history(store, "item-2")
    assert review.reviewer == "otto"
    assert client.ask("review", {"item": "item-2", "undo": review.number})[0] == 200
    done = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert done[1:] == [
        "reviewed item item-2 as Mouse",
        f"undid review {review.number} of item item-2",
    ]


def test_scripts_use_http_basic_with_the_same_users(server, client):
    assert client.ask("parts.json", Authorization=basic("vera", PASSWORDS["vera"]))[0] == 200
    assert client.ask("mode", {"mode": "sort"}, Authorization=basic("vera", "x" * 9))[0] == 401
    started = time.monotonic()
    for _ in range(30):
        given = {"Authorization": basic("otto", PASSWORDS["otto"])}
        assert client.ask("mode", {"mode": "sort"}, **given)[0] == 200
    assert time.monotonic() - started < 20, "not one hash for each request"
    assert client.ask("parts.json")[0] == 401
    assert "www-authenticate" in dict(client.answer_headers)
    # A browser is led to the form.
    status, _ = client.ask("", **{"User-Agent": "Mozilla/5.0"})
    assert status == 303 and dict(client.answer_headers)["location"] == "login"
    status, _ = client.ask("parts.json", **{"User-Agent": "Mozilla/5.0"})
    assert status == 401 and "www-authenticate" not in dict(client.answer_headers)


def test_before_the_login_there_is_only_the_form(server, client):
    assert [client.ask(path)[0] for path in ("login", "login.js", "health")] == [200, 200, 200]
    for path in ("", "live.jpg", "panel.js", "account.json", "crops/a.jpg", "config", "theme.css"):
        assert client.ask(path)[0] == 401, path
    for path in ("mode", "review", "try", "logout", "items", "queue", "quality"):
        assert client.ask(path, {})[0] == 401, path
    for strange in ("x", "x" * 5000, "../../etc/passwd", "%00"):
        client.cookie = strange
        assert client.ask("parts.json")[0] == 401


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        ({"name": "anna"}, {}, 400),
        ({"name": "", "password": "x"}, {}, 400),
        ({"name": "a" * 65, "password": "x"}, {}, 400),
        ({"name": ["anna"], "password": "x"}, {}, 400),
        ({"name": "anna", "password": "x", "role": "admin"}, {}, 400),
        ({"name": "anna", "password": "x" * 10_000}, {}, 413),
        ({"name": "anna", "password": "green tea"}, {"Content-Type": "text/plain"}, 415),
        ({"name": "anna", "password": "green tea"}, {"Origin": "http://evil.example"}, 403),
        ({"name": "anna", "password": "green tea"}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({"name": "anna", "password": "green tea"}, {"Host": "evil.example"}, 421),
    ],
)
def test_what_is_no_login_begins_no_session(client, content, headers, status):
    answer, body = client.ask("login", content, **headers)
    assert answer == status and client.cookie == ""
    assert b"green tea" not in body


def test_a_changed_password_a_role_and_a_removal_hold_at_once(server, client):
    path = server.state / "users.json"
    users = read_users(path)
    other = Client(client.port, address="10.9.1.1")
    assert client.log_in("anna") == 200 and other.log_in("vera") == 200
    try:
        vera = users.require("vera").model_copy(update={"role": Role.OPERATOR})
        anna = make_user("anna", Role.OPERATOR, "another tea")
        write_users(path, users.replacing(anna).replacing(vera))
        wait_until(lambda: client.ask("parts.json")[0] == 401)
        assert client.log_in("anna") == 401 and client.log_in("anna", "another tea") == 200
        assert other.ask("mode", {"mode": "sort"})[0] == 200, "the session goes on in the new role"
        write_users(path, users.without("vera"))
        wait_until(lambda: other.ask("parts.json")[0] == 401)

        path.write_bytes(b"{")
        wait_until(lambda: client.ask("parts.json")[0] == 503)
        status, body = client.ask("")
        assert (status, body.count(b"\n")) == (503, 1)
        assert b"users.json" not in body and client.log_in("otto") == 503
        assert client.ask("health")[0] == 200
    finally:
        write_users(path, users)
        time.sleep(2 * LOOK_SECONDS)


def test_a_page_without_users_is_as_before(tmp_path, bundle):
    server = Panel(tmp_path, bundle.path)
    try:
        client = Client(port_of(server))
        assert client.ask("parts.json")[0] == 200
        for path in ("login", "login.js"):
            assert client.ask(path) == (404, b"There is no such page.\n")
        assert client.log_in("anna") == 404 and client.ask("logout", {})[0] == 404
        status, body = client.ask("account.json")
        assert (status, json.loads(body)) == (200, {"account": ""})
    finally:
        server.close()


def start(folder: Path, config: str) -> subprocess.Popen:
    (folder / "line.toml").write_text(config)
    command = [sys.executable, "-m", "edge.panel", "--config", str(folder / "line.toml")]
    return subprocess.Popen(
        [*command, "--state", str(folder / "state"), "--port", "0", "--with-stdin"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_thousand_wrong_passwords(tmp_path):
    """They are refused, take little work, fill no log, and lock out nobody elsewhere."""
    import psutil

    write_users(tmp_path / "state" / "users.json", all_users())
    process = start(tmp_path, "")
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr))
    reader.start()
    try:
        port = int(process.stdout.readline().rpartition(":")[2])
        assert Client(port).ask("health")[0] == 200
        used = psutil.Process(process.pid).cpu_times()
        began = used.user + used.system
        attacker = Client(port, address="203.0.113.5")
        statuses: list[int] = []
        honest: list[tuple[int, float]] = []

        def attack(first: int) -> None:
            for number in range(first, 1000, 4):
                if number % 2:
                    statuses.append(attacker_of().log_in("anna", f"guess {number}"))
                else:
                    header = basic("anna", f"guess {number}")
                    statuses.append(attacker_of().ask("parts.json", Authorization=header)[0])

        def attacker_of() -> Client:
            return Client(port, address=attacker.headers["X-Forwarded-For"])

        threads = [threading.Thread(target=attack, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(statuses) > 100, 60)
        asked = time.monotonic()
        client = Client(port, address="198.51.100.7")
        honest.append((client.log_in("anna"), time.monotonic() - asked))
        assert client.ask("parts.json")[0] == 200
        for thread in threads:
            thread.join(120)
        used = psutil.Process(process.pid).cpu_times()
        seconds = used.user + used.system - began
    finally:
        process.stdin.close()
        process.wait(20)
        reader.join(10)
    assert len(statuses) == 1000 and set(statuses) == {401, 429}
    assert statuses.count(401) <= 10, "of these only a hash was made"
    [(status, waited)] = honest
    assert status == 200 and waited < 5
    assert len(lines) <= 70, len(lines)
    assert any("anna from 198.51.100.7: logged in as operator" in line for line in lines)
    assert not any("guess" in line for line in lines)
    print(f"\n1,000 wrong passwords: {seconds:.1f} s of CPU; the operator waited {waited:.2f} s")
    assert seconds < 20, seconds


def test_a_damaged_file_at_the_start_serves_one_line(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "users.json").write_text('{"users": [}')
    process = start(tmp_path, '[panel]\nhost = "0.0.0.0"\n')
    try:
        port = int(process.stdout.readline().rpartition(":")[2])
        client = Client(port)
        assert [client.ask(path)[0] for path in ("", "parts.json", "health")] == [503, 503, 200]
        assert client.ask("mode", {"mode": "sort"})[0] == 503
    finally:
        process.stdin.close()
        process.wait(20)
    complaints = process.stderr.read().splitlines()
    assert sum("users.json: damaged" in line for line in complaints) == 1, complaints


@pytest.mark.parametrize("screen", SCREENS)
def test_a_person_logs_in_by_the_form_sees_the_page_and_logs_out(server, browser, screen):
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height})
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    shots = os.environ.get("SCREENSHOTS")
    try:
        tab.goto(server.url)
        assert tab.url == server.url + "login"
        tab.wait_for_selector("#name:focus")
        tab.keyboard.type("anna")
        tab.keyboard.press("Tab")
        tab.keyboard.type("wrong tea")
        tab.keyboard.press("Enter")
        tab.wait_for_function("document.querySelector('[role=alert]').textContent !== ''")
        assert tab.inner_text("[role=alert]") == "Wrong name or password."
        for target in ("#name", "#password", "button"):
            assert tab.locator(target).bounding_box()["height"] >= 48
        if shots:
            tab.screenshot(path=f"{shots}/login-{screen}.png")
            tab.emulate_media(color_scheme="dark")
            tab.screenshot(path=f"{shots}/login-{screen}-dark.png")
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not tab.evaluate(wide)
        tab.wait_for_selector("#password:focus")
        tab.keyboard.type(PASSWORDS["anna"])  # the wrong one is selected
        tab.keyboard.press("Enter")
        tab.wait_for_selector("[data-figure=items] strong")
        tab.wait_for_function("document.querySelector('#live img').naturalWidth > 0")
        assert tab.inner_text("#account .account span") == "anna (operator)"
        button = tab.locator("#account [data-logout]")
        assert button.bounding_box()["height"] >= 48 and not tab.evaluate(wide)
        if shots:
            tab.screenshot(path=f"{shots}/page-{screen}.png")
        [cookie] = [each for each in context.cookies() if each["name"] == "ewaste_session"]
        assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
        assert tab.evaluate("document.cookie") == ""
        tab.reload()
        tab.wait_for_selector("#account [data-logout]")
        button.click()
        tab.wait_for_url("**/login")
        tab.wait_for_selector("#password")
        tab.goto(server.url)
        assert tab.url == server.url + "login"
    finally:
        context.close()


def test_a_viewer_reads_why_nothing_happens(server, browser, tmp_path):
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    Image.new("RGB", (60, 40), "red").save(tmp_path / "red.png")
    try:
        tab.goto(server.url)
        tab.fill("#name", "vera")
        tab.fill("#password", PASSWORDS["vera"])
        tab.click("button")
        tab.click("#operation [data-mode=pause]")
        tab.wait_for_function(
            "document.querySelector('#operation [role=status]').textContent.includes('operator')"
        )
        tab.get_by_role("tab", name="Try a picture").click()
        tab.set_input_files("#picture input[type=file]", str(tmp_path / "red.png"))
        tab.wait_for_function(
            "document.querySelector('#verdict').textContent.includes('log in as an operator')"
        )
    finally:
        context.close()
