"""The page in this process, and requests to it."""

import json
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from edge.panel import app as panel


class Panel:
    """The page of a state folder, on a free port."""

    def __init__(self, state: Path, bundle: Path) -> None:
        app = panel.build(state, state / "records.db", bundle)
        listener = panel.listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self._server = panel.server_of(app)
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        deadline = time.monotonic() + 60
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def post(self, path: str, content: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        """Post a value as JSON, or bytes as they are; the status and the answer."""
        return post(self.url + path, content, **headers)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()


def post(url: str, content: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, body, given, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
