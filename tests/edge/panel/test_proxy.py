"""The page behind the real nginx with edge/deploy/nginx.conf: TLS, and below a path."""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image

from edge.operation import Mode, read_order
from edge.panel.users import Role, Users, make_user, write_users
from tests.support.page import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "edge" / "deploy" / "nginx.conf"
CHROMIUM = Path("/usr/bin/chromium")
NAME = "line.example.org"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is missing; apt install nginx-light")


def write_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def configured(folder: Path, page: int, tls: int, plain: int) -> Path:
    """The example with the ports and files of the test, within what Debian's nginx.conf has."""
    certificate, key = write_certificate(folder)
    text = EXAMPLE.read_text()
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{tls} ssl;"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("http://127.0.0.1:7860/;", f"http://127.0.0.1:{page}/;"),
        ("/etc/ssl/certs/ewaste-edge.pem", str(certificate)),
        ("/etc/ssl/private/ewaste-edge.key", str(key)),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;\n" if os.geteuid() == 0 else ""
    path = folder / "nginx.conf"
    path.write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"worker_processes 1;\nevents {{}}\nhttp {{\naccess_log off;\n{places}{text}}}\n"
    )
    return path


class Proxied:
    """The page and nginx in front of it, as processes."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        users = (
            make_user("anna", Role.OPERATOR, "green tea"),
            make_user("vera", Role.VIEWER, "black tea"),
        )
        write_users(self.state / "users.json", Users(users=users))
        (folder / "line.toml").write_text(f'[panel]\nhosts = ["{NAME}"]\n')
        command = [sys.executable, "-m", "edge.panel", "--config", str(folder / "line.toml")]
        self.page = subprocess.Popen(
            [*command, "--state", str(self.state), "--port", "0", "--with-stdin"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        port = int(self.page.stdout.readline().rpartition(":")[2])
        self.tls, self.plain = free_port(), free_port()
        path = configured(folder, port, self.tls, self.plain)
        self.nginx = subprocess.Popen(
            [NGINX, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(path)],
            stderr=subprocess.PIPE,
        )
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self.nginx.poll() is None, self.nginx.stderr.read()
        try:
            return self.ask("GET", "/line1/health")[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, content: object = None, **headers: str):
        """Ask over TLS; status, headers, body."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.tls, timeout=30, context=context)
        return asked(connection, method, path, content, {"Host": f"{NAME}:{self.tls}", **headers})

    def close(self) -> str:
        """End both; returns what the page logged."""
        self.nginx.terminate()
        self.nginx.wait(10)
        self.page.stdin.close()
        self.page.wait(15)
        return self.page.stderr.read()


def asked(connection, method: str, path: str, content: object, headers: dict[str, str]):
    body = None if content is None else json.dumps(content)
    try:
        given = {**({"Content-Type": "application/json"} if body else {}), **headers}
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.fixture
def proxied(tmp_path):
    proxied = Proxied(tmp_path)
    yield proxied
    if proxied.page.poll() is None:
        proxied.close()


def test_a_person_works_with_the_page_over_tls_below_a_path(proxied, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"no chromium at {CHROMIUM}")
    url = f"https://{NAME}:{proxied.tls}/line1/"
    Image.new("RGB", (60, 40), "red").save(tmp_path / "red.png")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        context = browser.new_context(ignore_https_errors=True)
        tab = context.new_page()
        tab.set_default_timeout(60_000)
        tab.goto(url.removesuffix("/"))
        assert tab.url == url + "login"
        tab.fill("#name", "anna")
        tab.fill("#password", "green tea")
        tab.click("button")
        tab.wait_for_selector("[data-figure=items] strong")
        assert tab.url == url
        tab.wait_for_function("document.querySelector('#live img').naturalWidth > 0")
        tab.click("#operation [data-mode=pause]")
        wait_until(lambda: read_order(proxied.state).mode is Mode.PAUSE)
        assert read_order(proxied.state).by == "anna"
        tab.get_by_role("tab", name="Try a picture").click()
        tab.set_input_files("#picture input[type=file]", str(tmp_path / "red.png"))
        tab.wait_for_selector("#verdict strong")
        [cookie] = [each for each in context.cookies() if each["name"] == "ewaste_session"]
        assert cookie["secure"] and cookie["httpOnly"] and cookie["path"] == "/line1/"
        tab.click("#account [data-logout]")
        tab.wait_for_url(url + "login")
        browser.close()
    lines = proxied.close().splitlines()
    assert lines == [
        "anna from 127.0.0.1: logged in as operator",
        "anna from 127.0.0.1: asked for the mode pause",
        "anna from 127.0.0.1: logged out",
    ]


def test_scripts_and_forged_headers_behind_the_proxy(proxied):
    plain = http.client.HTTPConnection("127.0.0.1", proxied.plain, timeout=30)
    status, headers, _ = asked(plain, "GET", "/line1/", None, {"Host": NAME})
    assert (status, headers["Location"]) == (308, f"https://{NAME}/line1/")
    assert proxied.ask("GET", "/line1/parts.json")[0] == 401
    credentials = {"name": "anna", "password": "green tea"}
    own = {"Origin": f"https://{NAME}:{proxied.tls}", "X-Forwarded-For": "6.6.6.6"}
    assert proxied.ask("POST", "/line1/login", credentials, Origin="https://evil.example")[0] == 403
    status, headers, _ = proxied.ask("POST", "/line1/login", credentials, **own)
    assert status == 200 and "; secure" in headers["set-cookie"].lower()
    cookie = headers["set-cookie"].partition(";")[0]
    forged = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example", "Cookie": cookie}
    status, _, body = proxied.ask("GET", "/line1/", **forged)
    assert status == 200 and b"evil" not in body
    assert proxied.ask("POST", "/line1/mode", {"mode": "manual"}, **own, Cookie=cookie)[0] == 200
    assert proxied.ask("GET", "/line1/live.jpg", Cookie=cookie)[0] == 200
    assert "6.6.6.6" not in proxied.close(), "nginx says where a visitor is, not the visitor"
