"""The page in a real browser, and the process that serves it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.decision.decide import DecisionRules
from edge.inference.classifier import Prediction
from edge.operation import ORDER_NAME, Mode, read_order
from edge.panel import app as panel
from edge.panel.beside import answers
from edge.panel.fragments import crop_address
from edge.panel.live import LivePublisher, Overlay
from edge.records.store import Store
from edge.status import Status, write_status
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
ODD_ID = "run 1/7?#ü"
DRAWN = cv2.imencode(".jpg", np.full((48, 64, 3), 120, np.uint8))[1].tobytes()


def rules(bundle) -> DecisionRules:
    return DecisionRules(
        bundle.labels, {"Mouse": "small"}, dict.fromkeys(bundle.labels, 0.5), {"Battery": 0.2}
    )


def classify(view: np.ndarray) -> Prediction:
    mouse = view.mean() / 255
    probabilities = np.array([0.0, mouse, 1 - mouse], np.float32)
    return Prediction(probabilities, probabilities, np.zeros(2048, np.float32))


class FakeLine:
    """Feeds the panel moving pictures, as the conveyor does."""

    def __init__(self, state_dir: Path) -> None:
        self._state, self._publisher = state_dir, LivePublisher(state_dir)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(0.04):
            number += 1
            pixels = np.full((360, 640, 3), 60, np.uint8)
            left = 10 * number % 500
            pixels[120:240, left : left + 120] = (200, 40, 40)
            status = Status(
                updated_at=time.time(),
                state="running",
                bundle="panel-test",
                items=1234,
                unknown=7,
                per_label={"Battery": 3, "Mouse": 9},
                gates={"small": True},
                order=read_order(self._state),
            )
            box = Overlay((left, 120, left + 120, 240), "Mouse 93%", "sorted")
            self._publisher.offer(pixels, [box], status)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._publisher.close()


class Server:
    """The panel in this process, with a fake model; and whom Python talked to."""

    def __init__(self, state: Path, bundle: Path) -> None:
        self.state, self.contacted = state, []
        sys.addaudithook(self._hear)
        self._hears = True
        app = panel.build(state, state / "records.db", bundle, rules=rules, classify=classify)
        listener = panel.listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self._server = panel.server_of(app)
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        get(self.url + "health", patience=60)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event == "socket.connect" and self._hears and isinstance(arguments[1], tuple):
            self.contacted.append(arguments[1][0])
        if event == "socket.getaddrinfo" and self._hears:
            self.contacted.append(arguments[0])

    def close(self) -> None:
        self._hears = False
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()


def get(url: str, patience: float = 0) -> tuple[int, dict[str, str], bytes]:
    deadline = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory, bundle, make_record):
    folder = tmp_path_factory.mktemp("panel")
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    state = folder / "state"
    state.mkdir()
    with Store(state / "records.db") as store:
        store.append([make_record(f"old-{number}") for number in range(20)])
        store.append([make_record(ODD_ID, label="Battery", bin="hazardous", crop=DRAWN)])
    server = Server(state, bundle.path)
    yield server
    server.close()
    del os.environ["GRADIO_TEMP_DIR"]


@pytest.fixture
def line(server):
    line = FakeLine(server.state)
    yield line
    line.close()


@pytest.fixture
def page(browser, server):
    """The opened page, which also notes what it asked for and what it complained of."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(f"error {error}"))
    page.goto(server.url)
    page.wait_for_selector(".tile")
    yield page
    page.close()


def test_the_page_shows_the_line_and_nothing_leaves_the_machine(line, page, server):
    page.wait_for_selector(".state.running")
    assert page.inner_text("[data-figure=items] strong") == "1,234"
    assert page.inner_text("[data-figure=unknown] strong") == "7"
    assert page.inner_text(".bar.hazard b") == "3"
    assert page.inner_text(".gate.open b") == "open"
    assert page.locator("table.items tr").count() == 13, "a head and the last twelve"
    assert page.locator("tr.hazard .label").inner_text() == "Battery"
    crop = page.locator("tr.hazard img")
    assert crop.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64

    pictures = {page.locator("#live img").screenshot() for _ in range(4) if not time.sleep(0.3)}
    assert len(pictures) >= 2, "the live picture stands still"

    for name in ("Try a picture", "Model", "Line"):
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(500)
    local = (server.url, "data:", f"blob:{server.url}")
    assert [url for url in page.asked if not url.startswith(local)] == []
    assert [text for text in page.complaints if "Security" in text or "error" in text] == []
    assert set(server.contacted) <= {"127.0.0.1", "localhost"}
    outward = "() => [...document.links].map(link => link.hostname).filter(name => name)"
    assert set(page.evaluate(outward)) <= {"127.0.0.1"}
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(16, 22, 28)", "dark, as the system prefers"


def test_the_page_fits_a_phone(line, page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_selector("table.items")
    width = "document.querySelector('table.items').getBoundingClientRect().right"
    assert page.evaluate(width) <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_line_that_stops_says_so_and_its_picture_goes(line, page, server):
    page.wait_for_selector(".state.running")
    line.close()
    page.wait_for_selector(".state.stopped")
    assert page.inner_text(".gate b") == "closed"
    now = time.time()
    assert panel.live_picture(server.state, now)[0] != panel.placeholder()
    assert panel.live_picture(server.state, now + 6)[0] == panel.placeholder()
    assert panel.live_picture(server.state / "absent", now)[0] == panel.placeholder()


@pytest.fixture
def no_order(server):
    yield server.state / ORDER_NAME
    (server.state / ORDER_NAME).unlink(missing_ok=True)


def test_the_operator_pauses_the_line_and_lets_it_sort_again(line, page, server, no_order):
    page.wait_for_selector(".state.running")
    for name, mode, state in (
        ("Pause", Mode.PAUSE, "sorting is paused"),
        ("All to manual", Mode.MANUAL, "everything is sent to manual"),
        ("Sort", Mode.SORT, "running"),
    ):
        page.get_by_role("button", name=name).click()
        page.wait_for_selector(f'.operation [data-mode={mode.value}][aria-pressed="true"]')
        page.wait_for_function(f"document.querySelector('#header .state').innerText == '{state}'")
        order = read_order(server.state)
        assert (order.mode, order.by) == (mode, "the page")
    assert page.locator(".operation [aria-pressed=true]").count() == 1
    box = page.get_by_role("button", name="Pause").bounding_box()
    assert box["height"] >= 48 and box["width"] >= 48, "for a finger in a glove"


def test_a_line_that_does_not_answer_does_not_count_as_paused(page, server, no_order):
    write_status(server.state, Status(updated_at=time.time() + 2, state="running"))
    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector("text=The line has not followed yet")
    assert page.locator("[data-mode=pause][aria-pressed=true]").count() == 0
    write_status(server.state, Status(updated_at=time.time(), state="stopped"))
    page.wait_for_selector("text=The line does not run; it will start so")


ORDERS = {
    "a form of another site": (b"mode=pause", "application/x-www-form-urlencoded", 415),
    "plain text": (b'{"mode": "pause"}', "text/plain", 415),
    "another mode": (b'{"mode": "faster"}', "application/json", 400),
    "no JSON": (b"pause", "application/json", 400),
    "no object": (b'["pause"]', "application/json", 400),
    "nested deep": (b"[" * 150, "application/json", 400),
    "nothing": (b"", "application/json", 400),
    "too long": (b'{"mode": "pause"}' + b" " * 1000, "application/json", 413),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_what_is_no_order_changes_nothing(server, no_order, kind):
    body, content_type, status = ORDERS[kind]
    request = urllib.request.Request(
        server.url + "mode", body, {"Content-Type": content_type}, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    assert refused.value.code == status and refused.value.read().count(b"\n") == 0
    assert not no_order.exists()


def upload(page, path: Path) -> None:
    page.get_by_role("tab", name="Try a picture").click()
    page.set_input_files("#picture input[type=file]", str(path))


def test_an_uploaded_picture_gets_classes_and_a_verdict(page, tmp_path):
    good = tmp_path / "good.png"
    Image.new("L", (40, 30), 204).save(good)
    upload(page, good)
    page.wait_for_selector("#verdict strong")
    assert page.inner_text("#verdict").split("\n")[:2] == ["Mouse", "goes to small"]
    classes = page.inner_text("#classes")
    assert "Mouse" in classes and "80%" in classes and "<b>odd</b> & so on" in classes


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"this is no picture", "not a readable picture"), (bytes(21 << 20), "maximum")],
)
def test_a_bad_upload_gets_one_line(page, tmp_path, content, message):
    bad = tmp_path / "bad.png"
    bad.write_bytes(content)
    upload(page, bad)
    page.wait_for_selector(f"text={message}", timeout=20_000)
    assert "Mouse" not in page.inner_text("#verdict")


def test_crops_are_served_and_may_be_kept(server):
    status, headers, content = get(server.url + crop_address(ODD_ID))
    assert (status, headers["content-type"], content) == (200, "image/jpeg", DRAWN)
    assert "immutable" in headers["cache-control"]
    assert "default-src 'self'" in headers["content-security-policy"]
    for absent in ("old-1", "nobody", "../../etc/passwd", ""):
        assert get(server.url + crop_address(absent))[0] == 404


def test_an_unchanged_live_picture_is_not_sent_again(line, server):
    address = server.url + "live.jpg"
    wait_until(lambda: get(address)[1]["etag"] != '"none"')
    line.close()
    status, headers, jpeg = get(address)
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert jpeg.startswith(b"\xff\xd8") and jpeg.endswith(b"\xff\xd9")
    request = urllib.request.Request(address, headers={"If-None-Match": headers["etag"]})
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        urllib.request.urlopen(request, timeout=5)
    assert unchanged.value.code == 304


def start_panel(tmp_path: Path, *options: str) -> subprocess.Popen:
    (tmp_path / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "edge.panel", "--state", str(tmp_path / "state"), *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sigterm_ends_the_panel_although_requests_are_open(tmp_path):
    process = start_panel(tmp_path, "--bundle", str(tmp_path / "absent"), "--port", "0")
    url = process.stdout.readline().split()[1]
    get(url + "/health", patience=60)
    port = int(url.rpartition(":")[2])
    head = b"POST /try HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
    head += b"Content-Type: application/octet-stream\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", port)) as sending,
        socket.create_connection(("127.0.0.1", port)) as silent,
    ):
        sending.sendall(head + b"half")
        silent.sendall(b"GET / HT")
        get(url + "/health")
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=15)
    assert process.returncode == 0
    assert time.monotonic() - started < 5
    assert "Traceback" not in complaints
    assert list((tmp_path / "tmp").iterdir()) == [], "nothing is left behind"


def test_the_page_ends_with_the_pipe_that_its_line_holds(tmp_path):
    process = start_panel(
        tmp_path, "--bundle", str(tmp_path / "absent"), "--port", "0", "--with-stdin"
    )
    url = process.stdout.readline().split()[1]
    get(url + "/health", patience=60)
    assert process.poll() is None, "an open pipe keeps it"
    process.stdin.close()
    assert process.wait(8) == 0
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("closed", [">/dev/full", ">&- 2>&-"])
def test_the_page_serves_although_nobody_can_read_where(tmp_path, closed):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = f'exec "{sys.executable}" -m edge.cli panel --state "$1" --port "$2" {closed}'
    process = subprocess.Popen(["sh", "-c", command, "sh", str(tmp_path), port], cwd=ROOT)
    try:
        wait_until(lambda: answers("127.0.0.1", int(port), 5), 60)
    finally:
        process.terminate()
    assert process.wait(15) == 0


def test_a_port_in_use_gets_one_line_and_exit_code_2(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        output, complaints = start_panel(tmp_path, "--port", port).communicate(timeout=20)
    assert output == ""
    assert complaints.startswith(f"error: 127.0.0.1:{port}: the panel cannot listen there")
    assert complaints.count("\n") == 1


def test_a_bad_port_gets_one_line_and_exit_code_2(tmp_path):
    process = start_panel(tmp_path, "--port", "70000")
    _, complaints = process.communicate(timeout=20)
    assert process.returncode == 2
    assert complaints.startswith("error: ") and complaints.count("\n") == 1
