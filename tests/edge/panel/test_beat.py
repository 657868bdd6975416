"""The page's watchdog is fed by answers of its port and by nothing else."""

import http.server
import threading
import time
from pathlib import Path

from edge.panel import beat
from edge.panel.beat import PageBeat
from edge.service_notify import ServiceNotifier
from tests.support.manager import Manager
from tests.support.waiting import wait_until


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with the status that it is set to."""

    status = 503

    def do_GET(self) -> None:
        assert self.path == "/health"
        self.send_response(Page.status)
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


def test_it_is_ready_once_it_answers_and_fed_while_it_does(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(beat, "EVERY_S", 0.05)
    manager = Manager(str(tmp_path / "notify"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    port = server.server_address[1]
    service = ServiceNotifier(str(tmp_path / "notify"), watchdog_s=0.8)
    page = PageBeat(service, "127.0.0.1", port)
    try:
        time.sleep(0.5)
        assert manager.heard() == [], "it says that it hangs"
        Page.status = 200
        heard: list[str] = []

        def has_beaten() -> bool:
            heard.extend(manager.heard())
            return len(heard) >= 3

        wait_until(has_beaten)
        status = f"STATUS=answers on http://127.0.0.1:{port}"
        assert heard[:2] == [f"READY=1\nWATCHDOG=1\n{status}", f"WATCHDOG=1\n{status}"]
        Page.status = 503
        time.sleep(0.3)
        manager.heard()
        time.sleep(0.5)
        assert manager.heard() == []
    finally:
        page.close()
        page.close()
        server.shutdown()
        server.server_close()
    assert manager.heard() == ["STOPPING=1"]
    manager.close()
