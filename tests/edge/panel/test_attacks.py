"""What a visitor may try on the page, against the process that serves it with the shipped model.

Each attack goes on while somebody honest looks at the page and tries a picture; what the page
takes of memory is measured all the while.
"""

import http.client
import io
import itertools
import json
import os
import random
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from edge.panel.picture import (
    MAX_BYTES,
    MAX_PIXELS,
    MAX_PIXELS_HEAVY,
    MAX_PIXELS_WEBP,
    MAX_PIXELS_WHOLE,
)
from edge.records.store import Store

ROOT = Path(__file__).parents[3]
SECRET = "a line that nobody but its owner should read"
MEMORY_BYTES = 400e6
PATIENCE_S = 5.0
BYTES = {"Content-Type": "application/octet-stream"}


class Page:
    """The running page, and what is known of it."""

    def __init__(self, folder: Path, record) -> None:
        self.state, self.temporary = folder / "state", folder / "tmp"
        self.state.mkdir()
        self.temporary.mkdir()
        self.secret = folder / "secret.txt"
        self.secret.write_text(SECRET)
        with Store(self.state / "records.db") as store:
            store.append([record("old", detail=SECRET)])
        options = ["--state", str(self.state), "--port", "0", "--with-stdin"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge.panel", *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "stderr").open("wb"),
            text=True,
        )
        self.stderr = folder / "stderr"
        self.port = int(self.process.stdout.readline().rpartition(":")[2])
        self.photo = a_photo(4000, 3000)
        deadline = time.monotonic() + 60
        while True:
            try:
                assert self.ask("GET", "/health", patience=60)[0] == 200
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        self.first = self.memory()
        watching = True

        def watch() -> None:
            while watching:
                self.first = max(self.first, self.memory())
                time.sleep(0.05)

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert self.try_picture(self.photo, patience=60)[0] == 200
        watching = False
        watcher.join()

    def ask(
        self, method: str, path: str, body=None, headers=None, patience: float = 30
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patience)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def try_picture(self, content: bytes, patience: float = 30) -> tuple[int, dict]:
        status, _, answer = self.ask("POST", "/try", content, BYTES, patience)
        return status, json.loads(answer)

    def try_slowly(self, content: bytes, pieces: int, pause: float) -> int:
        """Send a picture in pieces, as a poor radio link does, and return the status."""
        head = f"POST /try HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n"
        with self.connect() as connection:
            connection.sendall((head + f"Content-Type: {BYTES['Content-Type']}\r\n\r\n").encode())
            size = len(content) // pieces + 1
            for start in range(0, len(content), size):
                connection.sendall(content[start : start + size])
                time.sleep(pause)
            return int(connection.recv(12).split()[1])

    def visit(self) -> float:
        """How long the slowest thing an honest visitor does takes, s."""
        slowest = 0.0
        for path in ("/", "/health", None, "/parts.json"):
            started = time.monotonic()
            if path is None:
                status, answer = self.try_picture(self.photo, PATIENCE_S)
                assert status == 200 and 'class="verdict' in answer["verdict"], answer
            else:
                assert self.ask("GET", path, patience=PATIENCE_S)[0] == 200
            slowest = max(slowest, time.monotonic() - started)
        return slowest

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def memory(self) -> int:
        tree = psutil.Process(self.process.pid)
        total = 0
        for process in (tree, *tree.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def forget_peak(self) -> None:
        with suppress(OSError):
            Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """The most the page itself has had since, also between two looks."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    def close(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(15) == 0


@contextmanager
def measured(page: Page, name: str, injected) -> Iterator[None]:
    """Hold the page to its bounds while something goes on."""
    peak, done = [0], threading.Event()

    page.forget_peak()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], page.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    slowest = []
    try:
        yield slowest
    finally:
        done.set()
        watcher.join()
    peak[0] = max(peak[0], page.peak())
    assert peak[0] < MEMORY_BYTES, f"{peak[0] / 1e6:.0f} MB"
    logged = page.stderr.read_text()
    assert "Traceback" not in logged and logged.count("\n") < 20, logged[:2000]
    for left in page.temporary.iterdir():
        kept = [file.stat().st_size for file in left.rglob("*") if file.is_file()]
        assert sum(kept) < 100_000, f"on the disk: {kept}"
    honest = f"an honest visitor waited {max(slowest):.1f} s; " if slowest else ""
    injected(f"page: {name}", f"{honest}at most {peak[0] / 1e6:.0f} MB")


@contextmanager
def meanwhile(*attacks: Callable[[threading.Event], None]) -> Iterator[None]:
    """Attack, again and again, in threads."""
    done = threading.Event()

    def again(attack: Callable[[threading.Event], None]) -> None:
        while not done.is_set():
            with suppress(OSError, http.client.HTTPException, ValueError):
                attack(done)

    threads = [threading.Thread(target=again, args=(attack,), daemon=True) for attack in attacks]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


def a_photo(width: int, height: int, kind: str = "JPEG", mode: str = "RGB", **options) -> bytes:
    ramp = (
        np.linspace(0, 255, width, dtype=np.uint8)[None, :]
        ^ np.arange(height, dtype=np.uint8)[:, None]
    )
    image = Image.fromarray(ramp).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of black pixels; a small file."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 3 * width)) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def page(tmp_path_factory, make_record):
    page = Page(tmp_path_factory.mktemp("attacked"), make_record)
    yield page
    page.close()


def file_data(path: object) -> dict:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}, "orig_name": "a.png"}


def joined(path: object) -> bytes:
    ask = {"data": [file_data(path)], "fn_index": 1, "trigger_id": 9, "session_hash": "s"}
    return json.dumps(ask).encode()


def test_no_route_gives_a_file_away(page, injected):
    """The way it was done: a path as the picture, a deep link for it, its copy by a file route."""
    files = [page.state / "records.db", page.secret, "/etc/passwd", "/proc/self/environ"]
    prefixes = ("", "/gradio_api")
    routes = [
        *(
            "/config",
            "/info",
            "/queue/join",
            "/queue/data",
            "/upload",
            "/upload_progress",
            "/deep_link",
        ),
        *(
            "/run/predict",
            "/run/0",
            "/api/predict",
            "/call/judge",
            "/call/v2/judge",
            "/reset",
            "/cancel",
        ),
        *("/stream/1", "/stream/s/1/2/playlist.m3u8", "/process_recording", "/component_server"),
        *(
            "/monitoring",
            "/monitoring/summary",
            "/heartbeat/s",
            "/login",
            "/token",
            "/user",
            "/app_id",
        ),
        *("/openapi.json", "/docs", "/startup-events", "/vibe-code/", "/runs", "/manifest.json"),
        *("/run-history/connect", "/custom_component/x/client/component/../../../x", "/live.mjpg"),
        *("/dev/reload", "/profiling/traces", "/pwa_icon", "/svelte/x.js", "/robots.txt"),
    ]
    asked = []
    for file in files:
        named = str(file)
        dots = "/".join([".."] * 12) + named
        up = dots.replace("..", "%2e%2e")
        for prefix in prefixes:
            asked += [
                *(
                    ("GET", f"{prefix}/{kind}{named}")
                    for kind in ("file=", "file/", "proxy=", "svelte")
                ),
                *(
                    ("GET", f"{prefix}/file={start}{named}")
                    for start in ("file://", "http://127.0.0.1/")
                ),
                ("GET", f"{prefix}/deep_link?session_hash=s"),
                ("GET", f"{prefix}/config?deep_link={named}"),
                ("GET", f"{prefix}/?deep_link={named}"),
                ("POST", f"{prefix}/queue/join"),
                ("POST", f"{prefix}/run/predict"),
                ("POST", f"{prefix}/component_server"),
                ("POST", f"{prefix}/call/judge"),
            ]
        for start in ("assets", "static", "static/img", "crops", "theme.css", "svelte", ""):
            for rest in (dots, up, up.replace("/", "%2f"), "/" + named, named.replace("/", "%2f")):
                asked.append(("GET", f"/{start}/{rest}"))
                asked.append(("GET", f"/{start}/{rest}.jpg"))
    asked += [
        (method, prefix + route)
        for method, prefix, route in itertools.product(
            ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"), prefixes, routes
        )
    ]
    with (
        measured(page, "a path as the picture, 40 routes of Gradio's", injected),
        ThreadPoolExecutor(4) as pool,
    ):

        def ask(number: int) -> tuple[int, bytes]:
            method, path = asked[number]
            body = joined(files[number % len(files)]) if method in ("POST", "PUT") else None
            status, _, answer = page.ask(
                method, path, body, {"Content-Type": "application/json"} if body else {}
            )
            return status, answer

        answers = list(pool.map(ask, range(len(asked))))
    for (method, path), (status, answer) in zip(asked, answers, strict=True):
        assert b"root:" not in answer and b"SQLite" not in answer, path
        assert SECRET.encode() not in answer and b"PYTHONPATH" not in answer, path
        if path.startswith("/?"):
            assert status == 200 and b"passwd" not in answer, "the query is not looked at"
        else:
            assert status in (404, 405), (method, path, status)
        # One line; for a picture of an item, which <img> asks for, none.
        assert status == 200 or answer.count(b"\n") == (method != "HEAD" and answer != b"")


@pytest.mark.parametrize("path", ["/dev/zero", "/etc/passwd", "FIFO"])
def test_what_is_sent_is_bytes_and_never_a_path(page, tmp_path, path):
    if path == "FIFO":
        path = tmp_path / "pipe.png"
        os.mkfifo(path)
    for body in (joined(path), str(path).encode(), f"file://{path}".encode()):
        started = time.monotonic()
        status, answer = page.try_picture(body)
        assert status == 400 and "not a readable picture" in answer["verdict"]
        assert answer["verdict"].count("\n") == 0
        for headers in (
            {"Content-Type": "application/json"},
            {"Content-Type": "multipart/form-data"},
            {},
        ):
            assert page.ask("POST", "/try", body, headers)[0] == 415
        assert time.monotonic() - started < PATIENCE_S
    page.visit()


LOOPING = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n"


def test_other_kinds_are_not_decoded(page, injected):
    others = {
        "looping EPS": LOOPING,
        "EPS in disguise": b"\x89PNG\r\n\x1a\n" + LOOPING,
        "empty": b"",
    }
    for kind in ("GIF", "TIFF", "ICO", "PPM", "TGA", "PDF"):
        others[kind] = a_photo(64, 64, kind)
    with measured(page, "a looping EPS and other kinds as the picture", injected) as slowest:
        for content in others.values():
            status, answer = page.try_picture(content, PATIENCE_S)
            assert status == 400 and "choose a JPEG, PNG, WebP or BMP" in answer["verdict"]
        slowest.append(page.visit())


def test_pictures_that_unpack_to_gigabytes_are_refused_by_their_head(page, injected):
    bombs = [png_bomb(10_800, 10_800), png_bomb(5001, 5000), png_bomb(200_000, 500)]
    assert len(bombs[0]) < 400_000
    grown = bytearray(a_photo(60, 60, "BMP"))
    grown[18:26] = struct.pack("<ii", 30_000, -30_000)
    webp = bytearray(a_photo(60, 60, "WEBP", lossless=True))
    webp[21:25] = struct.pack("<I", 0x3FFF | 0x3FFF << 14)
    jpeg = bytearray(a_photo(60, 60))
    size = jpeg.index(b"\xff\xc0") + 5
    jpeg[size : size + 4] = b"\xff\xff\xff\xff"
    bombs += [bytes(grown), bytes(webp), bytes(jpeg)]

    def throw(done: threading.Event) -> None:
        for bomb in bombs:
            status, answer = page.try_picture(bomb)
            assert status == 400 and "megapixels" in answer["verdict"]

    with measured(
        page, "a PNG of 350 KB that unpacks to 350 MB, three at once", injected
    ) as slowest:
        with meanwhile(throw, throw, throw):
            slowest += [page.visit() for _ in range(3)]
        throw(threading.Event())


def test_the_largest_pictures_that_are_tried_stay_in_bounds(page, injected):
    side, whole = int(MAX_PIXELS**0.5), int(MAX_PIXELS_WHOLE**0.5)
    small, least = int(MAX_PIXELS_HEAVY**0.5), int(MAX_PIXELS_WEBP**0.5)
    largest = [
        png_bomb(whole, whole),
        a_photo(side, side),
        a_photo(small, small, "PNG", "RGBA", compress_level=1),
        a_photo(small, small, "PNG", "LA", compress_level=1),
        a_photo(small, small, "PNG", "I;16", compress_level=1),
        a_photo(small, small, progressive=True, subsampling=0),
        a_photo(side, side, mode="CMYK"),
        a_photo(2300, 2300, "BMP"),
        a_photo(least, least, "WEBP", lossless=True, method=0),
        a_photo(least, least, "WEBP", "RGBA", method=0),
    ]
    answers: list[int] = []

    def throw(done: threading.Event) -> None:
        for content in largest:
            if not done.is_set():
                answers.append(page.try_picture(content)[0])

    with measured(page, "the largest pictures that are tried, three at once", injected) as slowest:
        with meanwhile(throw, throw, throw):
            slowest += [page.visit() for _ in range(4)]
        for content in largest:
            status, answer = page.try_picture(content)
            assert status == 200, answer
    assert set(answers) <= {200, 503} and 200 in answers
    time.sleep(0.5)
    assert page.memory() < 320e6, "what was decoded is given back"


@pytest.mark.e2e
def test_a_slow_or_endless_body_ends(page, injected):
    """700 MB in a form field; uploads without an end; ones that are broken off; ones that drip."""
    sent: dict[str, int] = {}
    chunk = b"10000\r\n" + bytes(1 << 16) + b"\r\n"

    def stream(path: str, head: str, piece: bytes, most: int = 700 << 20) -> Callable:
        def attack(done: threading.Event) -> None:
            count = 0
            with page.connect() as connection:
                connection.sendall(
                    f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode()
                )
                with suppress(OSError):
                    while not done.is_set() and count < most:
                        connection.sendall(piece)
                        count += len(piece)
                        sent[path] = max(sent.get(path, 0), count)

        return attack

    form = "Content-Type: multipart/form-data; boundary=b\r\n"
    field = f"Content-Length: {700 << 20}\r\n{form}"
    endless = "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n"
    attacks = [
        *(stream(path, field, bytes(1 << 16)) for path in ("/gradio_api/upload", "/", "/login")),
        stream("/try", field, bytes(1 << 16)),
        *[stream("/try", endless, chunk)] * 3,
    ]

    def broken_off(done: threading.Event) -> None:
        for _ in range(20):
            with page.connect() as connection:
                head = f"POST /try HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BYTES}\r\n"
                connection.sendall(
                    (head + f"Content-Type: {BYTES['Content-Type']}\r\n\r\n").encode()
                )
                connection.sendall(bytes(1 << 18))

    def dripping(done: threading.Event) -> None:
        drips = [page.connect() for _ in range(80)]
        slow = f"Content-Type: {BYTES['Content-Type']}\r\nContent-Length: {MAX_BYTES}\r\n"
        head = f"POST /try HTTP/1.1\r\nHost: localhost\r\n{slow}\r\n".encode()
        for drip in drips:
            with suppress(OSError):
                drip.sendall(head + b"\xff")
        while not done.wait(0.2):
            for drip in drips:
                with suppress(OSError):
                    drip.sendall(b"\xff")
        for drip in drips:
            drip.close()

    with (
        measured(
            page, "700 MB in a form, endless, dripping, broken-off uploads", injected
        ) as slowest,
        meanwhile(*attacks, broken_off, dripping),
    ):
        slowest += [page.visit() for _ in range(4)]
        slow = [page.try_slowly(page.photo, pieces=10, pause=0.1) for _ in range(4)]
    assert slow == [200] * 4
    assert max(sent.values()) < 100 << 20, f"taken before it was cut off: {sent}"


@pytest.mark.parametrize("path", ["/try", "/nothing"])
def test_a_body_in_chunks_of_one_byte_is_not_parsed(page, injected, path):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with page.connect() as connection:
        connection.sendall(head.encode() + b"1\r\nx\r\n" * 10_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 411 Length Required")

    def flood(done: threading.Event) -> None:
        with page.connect() as connection:
            connection.sendall(head.encode())
            while not done.is_set():
                connection.sendall(b"1\r\nx\r\n" * 3000)

    with (
        measured(page, f"12 bodies in chunks of one byte to {path}", injected) as slowest,
        meanwhile(*[flood] * 12),
    ):
        slowest += [page.visit() for _ in range(2)]


def test_two_thousand_joins_of_the_queue_find_none(page, injected):
    body = joined("/etc/passwd")
    statuses: list[int] = []

    def join(done: threading.Event) -> None:
        for _ in range(250):
            statuses.append(
                page.ask(
                    "POST", "/gradio_api/queue/join", body, {"Content-Type": "application/json"}
                )[0]
            )

    with (
        measured(page, "2,000 joins of Gradio's queue", injected) as slowest,
        meanwhile(*[join] * 8),
    ):
        slowest += [page.visit() for _ in range(3)]
    assert len(statuses) >= 2000 and set(statuses) == {404}


@pytest.mark.e2e
@pytest.mark.parametrize(
    "start", [b"", b"GET / HTTP/1.1\r\nHost: loc", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"]
)
def test_half_open_connections_lock_nobody_out(page, injected, start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip("this process may not open 1,100 connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    kind = {0: "silent", 25: "with half a head"}.get(len(start), "that read no answer")
    connections = []
    try:
        with measured(page, f"1,100 connections {kind}", injected) as slowest:
            for _ in range(1100):
                connection = page.connect()
                with suppress(OSError):
                    connection.sendall(start)
                connections.append(connection)
            slowest += [page.visit() for _ in range(3)]
            open_files = psutil.Process(page.process.pid).num_fds()
            assert open_files < 250, open_files
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.e2e
def test_a_silent_connection_is_closed(page):
    with page.connect() as silent, page.connect() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        started = time.monotonic()
        while time.monotonic() - started < 15:
            try:
                slow.sendall(b"X-A: b\r\n")
            except OSError:
                break
            time.sleep(0.3)
        assert time.monotonic() - started < 12, "each line of a head won it more time"
        with suppress(ConnectionResetError):
            assert silent.recv(1) == b""


def test_a_head_without_an_end_is_refused(page):
    for head in (b"GET / HTTP/1.1\r\nX: " + bytes(1 << 20), b"GET /" + b"a" * (1 << 20)):
        with page.connect() as connection, suppress(OSError):
            connection.sendall(head)
            assert connection.recv(12) in (b"HTTP/1.1 400", b"")
    page.visit()


def test_everything_that_is_served_may_be_asked_for_at_once(page, injected):
    paths = [
        "/",
        "/parts.json",
        "/model.json",
        "/live.jpg",
        "/crops/old.jpg",
        "/theme.css",
        "/health",
    ]

    def ask(done: threading.Event) -> None:
        for path in paths:
            assert page.ask("GET", path)[0] == (404 if "crops" in path else 200)

    with (
        measured(page, "12 visitors that ask for everything without a pause", injected) as slowest,
        meanwhile(*[ask] * 12),
    ):
        slowest += [page.visit() for _ in range(2)]


def test_a_file_over_the_limit_gets_one_line(page):
    status, answer = page.try_picture(bytes(MAX_BYTES + 1))
    assert status == 413 and "larger than the maximum" in answer["verdict"]


def test_what_is_no_request_gets_no_traceback(page, injected):
    chance = random.Random(3)
    whole = (
        b"POST /try HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nX: \xff\r\n\r\npicture!!"
    )
    with measured(page, "requests changed at random", injected):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            request = bytearray(whole)
            for _ in range(chance.choice((1, 2, 8))):
                request[chance.randrange(len(request))] = chance.randrange(256)
            with page.connect() as connection, suppress(OSError):
                connection.sendall(request)
                connection.settimeout(0.05)
                start = connection.recv(12)
                assert start in (b"", *(b"HTTP/1.1 4%02d" % code for code in range(32))), start
    page.visit()


def headers_of(**named: str) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in named.items()}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (headers_of(Host="evil.example"), 421),
        (headers_of(Host="evil.example:80"), 421),
        (headers_of(Host="127.0.0.1.evil.example"), 421),
        (headers_of(Host="localhost@evil.example"), 421),
        (headers_of(Host="0.0.0.0"), 421),
        (headers_of(Host=""), 421),
        (headers_of(Host="localhost, evil.example"), 421),
        (headers_of(Host="evil.example", X_Forwarded_Host="localhost"), 421),
        (headers_of(Origin="http://evil.example"), 403),
        (headers_of(Origin="http://localhost:1"), 403),
        (headers_of(Origin="null"), 403),
        (headers_of(Origin="file://localhost"), 403),
        (headers_of(Origin="http://[::"), 403),
        (headers_of(Sec_Fetch_Site="cross-site"), 403),
        (headers_of(Sec_Fetch_Site="same-site", Sec_Fetch_Mode="cors"), 403),
        (
            headers_of(
                Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe"
            ),
            403,
        ),
        (headers_of(Host="localhost"), 200),
        (headers_of(Host="LOCALHOST:7860"), 200),
        (headers_of(Host="[::1]:7860"), 200),
        (headers_of(Sec_Fetch_Site="same-origin"), 200),
        (headers_of(Sec_Fetch_Site="none"), 200),
    ],
)
def test_foreign_hosts_origins_and_sites_are_refused(page, headers, status):
    photo = a_photo(40, 30)
    asked = [("GET", "/", None), ("GET", "/parts.json", None), ("GET", "/health", None)]
    asked += [("GET", "/live.jpg", None), ("POST", "/try", photo), ("GET", "/crops/old.jpg", None)]
    for method, path, body in asked:
        given = {**headers, **(BYTES if body else {})}
        found, answered, answer = page.ask(method, path, body, given)
        assert found == (404 if status == 200 and path.startswith("/crops") else status), path
        lower = {name.lower(): value for name, value in answered.items()}
        assert not [name for name in lower if name.startswith("access-control")]
        assert lower["cross-origin-resource-policy"] == "same-origin"
        assert lower["cross-origin-opener-policy"] == "same-origin"
        assert lower["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'self'" in lower["content-security-policy"]
        if status != 200:
            assert answer.count(b"\n") == 1 and b"evil" not in answer
    followed = headers_of(
        Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document"
    )
    assert page.ask("GET", "/", None, followed)[0] == 200, "a link to the page may be followed"
    assert page.ask("GET", "/parts.json", None, followed)[0] == 403
    assert page.ask("OPTIONS", "/try", None, {"Origin": "http://evil.example"})[0] == 403


def test_a_forged_way_here_stays_out_of_the_page(page):
    forged = headers_of(
        X_Forwarded_Host="evil.example",
        X_Forwarded_Prefix='/"><script>alert(1)</script>',
        X_Forwarded_Proto="javascript",
        Forwarded="host=evil.example",
    )
    status, _, answer = page.ask("GET", "/", None, forged)
    assert status == 200
    assert b"evil" not in answer and b"alert(1)" not in answer and b"javascript://" not in answer
    status, _, answer = page.ask("GET", "/", None, {"X-Forwarded-Prefix": "/line1/"})
    assert status == 200 and b"/line1" in answer


def test_pictures_changed_at_random_get_an_answer(page, injected):
    """Bytes changed, cut off, duplicates, in all four kinds: 200 or one line, and the page
    lives.
    """
    chance = random.Random(7)
    whole = [a_photo(160, 120, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP")]
    whole += [a_photo(160, 120, "JPEG", progressive=True), a_photo(160, 120, "PNG", "RGBA")]
    with measured(page, "pictures changed at random", injected):
        until = time.monotonic() + 8
        statuses = set()
        while time.monotonic() < until:
            content = bytearray(chance.choice(whole))
            for _ in range(chance.choice((1, 3, 30))):
                content[chance.randrange(len(content))] = chance.randrange(256)
            if chance.random() < 0.3:
                del content[chance.randrange(len(content)) :]
            status, answer = page.try_picture(bytes(content))
            statuses.add(status)
            assert status in (200, 400) and "\n" not in answer["verdict"]
    assert statuses == {200, 400}
    page.visit()
