"""A small program in the place of the page."""

import socket
from pathlib import Path

PAGE = """
import http.server, json, os, subprocess, sys, threading, time
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
child = subprocess.Popen(["sleep", "600"])
with open("pids", "a") as pids:
    print(os.getpid(), child.pid, file=pids)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
port = json.load(open(sys.argv[sys.argv.index("--config") + 1]))["panel"]["port"]
http.server.ThreadingHTTPServer(("127.0.0.1", port), Page).serve_forever()
"""
"""A small page in the place of the real one: it listens, and has a child process."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_page(folder: Path) -> None:
    """Make the small page what `python -m edge.panel` runs in a folder."""
    package = folder / "edge"
    (package / "panel").mkdir(parents=True)
    # All but the page is still that of the project.
    (package / "__init__.py").write_text(
        "from pkgutil import extend_path\n\n__path__ = extend_path(__path__, __name__)\n"
    )
    (package / "panel" / "__init__.py").touch()
    (package / "panel" / "__main__.py").write_text(PAGE)
