"""Who gets to see the page: on the network, by a password, from another site, behind a proxy."""

import asyncio
import base64
import http.server
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from edge.config import PanelConfig
from edge.errors import BadInput
from edge.limits import is_local
from edge.panel.accounts import Accounts
from edge.panel.app import open_to
from edge.panel.door import Door
from edge.panel.guard import ADMINISTERING, Access, Guard, refuse_visitor
from edge.panel.guard import OPERATING as OPERATING_PATHS
from edge.panel.users import Role, configured_user
from edge.panel.visitor import Visitor

ROOT = Path(__file__).parents[3]
ITEMS = "[data-figure=items] strong"


LOGIN = b"Basic " + base64.b64encode(b"anna:secret")
OPERATING = {
    "at the machine": ({}, {b"host": b"localhost:7860"}, None, 200),
    "by its address": ({}, {b"host": b"127.0.0.1"}, None, 200),
    "by another name": ({"hosts": {"line.example"}}, {b"host": b"line.example"}, None, 403),
    "by nginx as it is": ({"hosts": {"line.example"}}, {b"host": b"127.0.0.1:7860"}, None, 403),
    "below a path": ({"root_path": "/line1"}, {b"host": b"localhost"}, None, 403),
    "by a proxy that says so": (
        {},
        {b"host": b"localhost", b"x-forwarded-for": b"1.2.3.4"},
        None,
        403,
    ),
    "with a login": ({"hosts": {"line.example"}}, {b"host": b"line.example"}, "anna", 200),
    "at the machine, with a login": ({}, {b"host": b"localhost"}, "anna", 200),
    "with a wrong login": ({}, {b"host": b"localhost"}, "bert", 401),
}


def answer_of(guard: Guard, scope: dict) -> int:
    """The status of the guard's answer to a request; 200: it passes the request on."""
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(guard({"type": "http", "query_string": b"", **scope}, None, send))
    return sent[0]["status"]


async def passed_on(scope: dict, receive: object, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize("path", ["/mode", "/review"])
@pytest.mark.parametrize("how", OPERATING)
def test_the_line_is_operated_at_the_machine_or_with_a_login(how, path):
    """A proxy on this machine may show the page to everybody."""
    options, headers, user, status = OPERATING[how]
    accounts = Accounts(configured=configured_user(user, "secret") if user else None)
    access = Access(**options, accounts=accounts)
    guard = Guard(passed_on, access, Door(accounts))
    given = [*headers.items(), (b"authorization", LOGIN)]
    scope = {"method": "POST", "path": path, "server": ("127.0.0.1", 7860), "headers": given}
    assert answer_of(guard, scope) == status
    looking = {**scope, "method": "GET", "path": "/parts.json"}
    needed = 401 if status == 401 else 200
    assert answer_of(guard, looking) == needed, "to look takes no more than before"


def start(folder: Path, config: str, *options: str) -> subprocess.Popen:
    (folder / "line.toml").write_text(config)
    command = [sys.executable, "-m", "edge.panel", "--config", str(folder / "line.toml")]
    return subprocess.Popen(
        [*command, "--state", str(folder / "state"), "--port", "0", "--with-stdin", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def port_of(process: subprocess.Popen) -> int:
    return int(process.stdout.readline().rpartition(":")[2])


def status_of(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("open")
    process = start(folder, '[panel]\nhosts = ["Line.example"]\n')
    yield port_of(process)
    process.stdin.close()
    assert process.wait(15) == 0


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Browsers hang up.

        A traceback printed by a thread while pytest prints another one ends Python 3.11 up to
        3.11.8 in "AST constructor recursion depth mismatch".
        """


def serving(handler: type[http.server.BaseHTTPRequestHandler]):
    server = QuietServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "127.example.org"])
def test_a_page_for_the_network_needs_a_password(tmp_path, host):
    process = start(tmp_path, "", "--host", host)
    assert process.wait(60) == 2
    output, complaints = process.stdout.read(), process.stderr.read()
    assert output == ""
    assert complaints.startswith(f"error: panel host {host}: everybody on the network")
    assert complaints.count("\n") == 1


def test_what_only_this_machine_reaches_needs_none(tmp_path):
    assert all(is_local(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not open_to(PanelConfig(), "127.0.0.1", tmp_path).accounts.needed


@pytest.mark.parametrize("content", ["", "\n", "xxx\nxxx\n", "x" * 100_000, None])
def test_a_password_file_without_a_password_gets_one_line(tmp_path, content):
    secret = tmp_path / "secret"
    if content is None:
        os.mkfifo(secret)
    else:
        secret.write_text(content)
    with pytest.raises(BadInput, match="secret") as caught:
        open_to(PanelConfig(user="shift", password_file=secret), "0.0.0.0", tmp_path)
    assert "\n" not in str(caught.value) and "xxx" not in str(caught.value)


@pytest.mark.e2e
def test_the_password_opens_all_of_the_page_and_health_needs_none(tmp_path, browser):
    (tmp_path / "secret").write_bytes("\ufeffgrün\r\n".encode())
    config = f'[panel]\nhost = "0.0.0.0"\nuser = "shift"\npassword_file = "{tmp_path}/secret"\n'
    process = start(tmp_path, config)
    try:
        url = f"http://127.0.0.1:{port_of(process)}/"
        assert process.stderr.readline().startswith("warning: the page is open to the network")
        assert status_of(url + "health") == 200, "the line looks after the page by it"
        assert (status_of(url + "healthz"), status_of(url + "readyz")) == (200, 503)

        def basic(text: str) -> str:
            return "Basic " + base64.b64encode(text.encode()).decode()

        for path in (
            "",
            "live.jpg",
            "parts.json",
            "model.json",
            "panel.js",
            "metrics",
            "crops/a.jpg",
            "config",
        ):
            assert status_of(url + path) == 401
        wrong = ["shift:", "shift:gruen", "other:grün", ":grün", "shift:grün ", "shift"]
        for given in (
            *map(basic, wrong),
            "Basic",
            "Basic %%%",
            "Bearer grün".encode().decode("latin-1"),
        ):
            assert status_of(url, Authorization=given) == 401
        assert status_of(url, Authorization=basic("shift:grün")) == 200
        assert status_of(url + "config", Authorization=basic("shift:grün")) == 404
        context = browser.new_context(http_credentials={"username": "shift", "password": "grün"})
        tab = context.new_page()
        tab.goto(url)
        tab.wait_for_selector(ITEMS)
        context.close()
    finally:
        process.stdin.close()
        process.wait(15)
    lines = process.stderr.read().splitlines()
    assert len(lines) == 6 and process.returncode == 0
    assert all("from 127.0.0.1" in line for line in lines)
    assert lines[0] == "login of 'shift' from 127.0.0.1: refused: wrong name or password"
    assert lines[-1] == "shift from 127.0.0.1: logged in as operator"


@pytest.mark.e2e
def test_six_tabs_of_one_browser_are_as_good_as_one(page, browser):
    context = browser.new_context()
    asked: dict[int, int] = {}
    tabs = []
    for number in range(8):
        tab = context.new_page()
        tab.on("request", lambda request, n=number: asked.update({n: asked.get(n, 0) + 1}))
        tab.goto(f"http://127.0.0.1:{page}/", wait_until="commit", timeout=30_000)
        tab.wait_for_selector(ITEMS, timeout=30_000)
        tab.wait_for_function("document.querySelector('#live img').naturalWidth > 0")
        tabs.append(tab)
    before = dict(asked)
    tabs[0].wait_for_timeout(4000)
    assert all(asked[number] > before[number] + 2 for number in range(8)), (before, asked)
    context.close()


def test_another_site_gets_nothing_out_of_the_page(page, browser):
    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<body>evil</body>")

        def log_message(self, *_: object) -> None:
            pass

    evil = serving(Evil)
    tab = browser.new_page()
    try:
        # The same host: for a browser the same site, though another origin.
        for host in ("127.0.0.1", "localhost"):
            tab.goto(f"http://{host}:{evil.server_address[1]}/")
            read = """async ([url, path, method, mode]) => {
                const type = {"Content-Type": "application/octet-stream"};
                const more = method === "POST" ? {body: "x", headers: mode ? {} : type} : {};
                more.mode = mode || "cors";
                try { return (await fetch(url + path, {method, ...more})).type; }
                catch { return "refused"; }
            }"""
            url = f"http://127.0.0.1:{page}/"
            for path, method in (
                ("", "GET"),
                ("live.jpg", "GET"),
                ("parts.json", "GET"),
                ("try", "POST"),
            ):
                assert tab.evaluate(read, [url, path, method, ""]) == "refused"
            loads = """async (url) => new Promise((done) => {
                const image = new Image();
                image.onload = () => done("shown"); image.onerror = () => done("refused");
                image.src = url;
            })"""
            assert tab.evaluate(loads, url + "live.jpg") == "refused"
        opened = tab.evaluate(
            """(url) => { const tab = window.open(url); return new Promise((done) =>
                setTimeout(() => done(tab === null || tab.closed), 2000)); }""",
            f"http://127.0.0.1:{page}/",
        )
        assert opened, "the opener keeps no hold of the page"
    finally:
        tab.close()
        evil.shutdown()


@pytest.mark.e2e
def test_the_page_works_below_a_path_behind_a_proxy(page, browser, tmp_path):
    asked_beside = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        """As nginx with proxy_pass: the page below /line1/, by another name."""

        def do_GET(self) -> None:
            if not self.path.startswith("/line1/"):
                asked_beside.append(self.path)
                self.send_error(404)
                return
            length = int(self.headers.get("Content-Length") or 0)
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in ("connection", "host")
            }
            headers |= {"Host": "line.example", "X-Forwarded-Host": self.headers["Host"]}
            headers |= {"X-Forwarded-Prefix": "/line1", "X-Forwarded-Proto": "http"}
            if "Origin" in headers:
                headers["Origin"] = "http://line.example"
            address = f"http://127.0.0.1:{page}{self.path[len('/line1') :]}"
            body = self.rfile.read(length) if length else None
            request = urllib.request.Request(address, body, headers, method=self.command)
            try:
                answer = urllib.request.urlopen(request, timeout=60)
            except urllib.error.HTTPError as error:
                answer = error
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    proxy = serving(Proxy)
    Image.new("RGB", (60, 40), "red").save(tmp_path / "red.png")
    tab = browser.new_page()
    tab.set_default_timeout(60_000)
    try:
        tab.goto(f"http://127.0.0.1:{proxy.server_address[1]}/line1/")
        tab.wait_for_selector(ITEMS)
        tab.wait_for_function("document.querySelector('#live img').naturalWidth > 0")
        tab.get_by_role("tab", name="Try a picture").click()
        tab.set_input_files("#picture input[type=file]", str(tmp_path / "red.png"))
        tab.wait_for_selector("#verdict strong", timeout=60_000)
        assert tab.locator("#classes li").count() == 5
        tab.locator("#picture .clear").click()
        tab.wait_for_function("document.querySelector('#verdict strong') === null")
    finally:
        tab.close()
        proxy.shutdown()
    assert set(asked_beside) <= {"/manifest.json", "/favicon.ico"}


@pytest.mark.parametrize("path", [each for each in OPERATING_PATHS if each not in ADMINISTERING])
def test_what_changes_something_needs_an_operator_once_others_can_ask(path):
    scope = {"method": "POST", "path": path}
    proxied = {b"host": b"localhost", b"x-forwarded-for": b"1.2.3.4"}
    anybody, viewer = Visitor("127.0.0.1"), Visitor("127.0.0.1", role=Role.VIEWER)
    operator = Visitor("127.0.0.1", role=Role.OPERATOR)
    assert refuse_visitor(Access(), anybody, scope, {b"host": b"localhost"}) is None
    assert refuse_visitor(Access(), anybody, scope, proxied).status == 403
    assert refuse_visitor(Access(), viewer, scope, proxied).status == 403
    assert refuse_visitor(Access(), operator, scope, proxied) is None


@pytest.mark.parametrize("path", ADMINISTERING)
def test_what_changes_the_bundle_needs_an_admin_who_is_logged_in(path):
    scope = {"method": "POST", "path": path}
    here = {b"host": b"localhost"}
    for role in (None, Role.VIEWER, Role.OPERATOR):
        assert refuse_visitor(Access(), Visitor("127.0.0.1", role=role), scope, here).status == 403
    assert refuse_visitor(Access(), Visitor("10.0.0.9", role=Role.ADMIN), scope, here) is None
