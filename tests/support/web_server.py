"""A web server on loopback that serves a folder, and misbehaves where a test says so."""

import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

Answer = Callable[["Handler"], None]
CHUNK = b" " * 65536


class Handler(SimpleHTTPRequestHandler):
    """Answers with a file of the folder, unless its name ends as one of `server.answers` does."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        self.server.asked.append(self.path)
        for ending, answer in self.server.answers.items():
            if self.path.endswith(ending):
                return answer(self)
        return super().do_GET()

    def log_message(self, *_):
        pass


class WebServer:
    """It serves `folder` until it is closed.

    Attributes:
        folder: what is served; may be replaced while it runs.
        asked: the path of each request.
        answers: the end of a path -> what answers instead.
        sent: bytes that `endless` has sent.
    """

    def __init__(self, folder: Path) -> None:
        handler = partial(Handler, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.asked, self._server.answers = [], {}
        self.asked, self.answers = self._server.asked, self._server.answers
        self.closed, self.sent = Event(), 0
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()

    def endless(self, handler: Handler) -> None:
        """Data without an end, without a length."""
        self._begin(handler)
        try:
            while not self.closed.is_set() and self.sent < 10**10:
                handler.wfile.write(CHUNK)
                self.sent += len(CHUNK)
        except OSError:
            pass

    def silent(self, handler: Handler) -> None:
        """Nothing at all, for as long as the server runs."""
        self.closed.wait(60)

    def dripping(self, handler: Handler) -> None:
        """A byte now and then, so that no read ever times out."""
        self._begin(handler)
        self._drip(handler)

    def dripping_head(self, handler: Handler) -> None:
        """The same with the head of the answer."""
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
        self._drip(handler)

    def _begin(self, handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()

    def _drip(self, handler: Handler) -> None:
        try:
            while not self.closed.wait(0.1):
                handler.wfile.write(b" ")
                handler.wfile.flush()
        except OSError:
            pass


def bytes_of(content: bytes, length: int | None = None) -> Answer:
    """An answer of this content; `length` is what it claims to be."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def seconds_of(work: Callable[[], object]) -> float:
    """How long something took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began
