"""The real page over HTTP, in this process, and its tabs in a browser."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from edge.panel import app as panel
from edge.panel.guard import Access

ROOT = Path(__file__).parents[2]


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Within: the application is served; the value is its address, which ends in a slash."""
    listener = panel.listen("127.0.0.1", 0)
    server = panel.server_of(app)
    thread = threading.Thread(target=server.run, args=([listener],))
    before = os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["GRADIO_TEMP_DIR"] = temporary
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        try:
            get(f"{url}health", patience=60)
            yield url
        finally:
            server.should_exit = True
            thread.join(10)
            del os.environ["GRADIO_TEMP_DIR"]
            if before is not None:
                os.environ["GRADIO_TEMP_DIR"] = before
            assert not thread.is_alive()


@contextmanager
def killed_page(state: Path, bundle: Path, temporary: Path) -> Iterator[str]:
    """Within: the page in a process of its own; the value is its address. Then it is killed."""
    options = ["--state", str(state), "--bundle", str(bundle), "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.panel", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Panel:
    """The page of a state folder, served until it is closed.

    Attributes:
        state: the folder.
        path: its file of records.
        url: the address of the page, which ends in a slash.
    """

    def __init__(
        self, state: Path, bundle: Path, access: Access | None = None, **more: Any
    ) -> None:
        self.state, self.path = state, state / "records.db"
        self._open = ExitStack()
        app = panel.build(state, self.path, bundle, access=access, **more)
        self.url = self._open.enter_context(served(app))

    def post(self, path: str, content: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        """Post a value as JSON, or bytes as they are: the status and the answer."""
        return post_json(self.url + path, content, **headers)

    def close(self) -> None:
        """Serve no more."""
        self._open.close()


def get(url: str, patience: float = 0, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Ask for an address: the status, the headers, and the body."""
    return _asked(urllib.request.Request(url, headers=headers), patience)


def post(
    url: str, body: bytes, kind: str = "application/json", **headers: str
) -> tuple[int, bytes]:
    """Send a body: the status and the body of the answer."""
    given = {"Content-Type": kind, **headers}
    request = urllib.request.Request(url, body, given, method="POST")
    return _asked(request, 0)[::2]


def post_json(url: str, content: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    """Send a value as JSON, or bytes as they are: the status and the answer."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {"Content-Type": "application/json", **headers}
    status, _, answer = _asked(urllib.request.Request(url, body, given, method="POST"), 0)
    return status, json.loads(answer)


def basic(name: str, password: str) -> str:
    """The header of HTTP Basic for a user."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def open_tab(page: Any, name: str) -> None:
    """Open a tab of the page in a browser; a narrow screen has the last ones in a menu."""
    page.wait_for_selector("[role=tab]")  # the tabs are drawn, and what does not fit is put away
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():
        page.get_by_label("More tabs").click()
        tab = page.locator(".overflow-dropdown button", has_text=name)
    tab.click()


def keep_picture(page: Any, name: str) -> None:
    """Keep a screenshot where somebody asks for it."""
    if folder := os.environ.get("EWASTE_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def _asked(request: urllib.request.Request, patience: float) -> tuple[int, dict[str, str], bytes]:
    deadline = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
