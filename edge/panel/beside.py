"""Run the page of a line in a process of its own: start, watch, restart, and end it.

No failure of the page reaches the line, and the page never outlives its line.
"""

import http.client
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.config import Config, page_content
from edge.errors import BadInput, EwasteError, PortInUse
from edge.files import PRIVATE, write_whole
from edge.panel.listener import listen
from edge.priority import lower_priority

log = logging.getLogger(__name__)

EFFECTIVE = "config.json"
"""The file of the line's configuration that the page needs."""
PORT_WAIT_S = 6.0
"""The time after which a page whose line was killed has ended, s."""
END_S = 5.0
NICENESS = 10
"""How far the page stands back for the line, as its service does."""
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Care:
    """The intervals of the supervision of a page, s.

    Attributes:
        every_s: the time between two checks.
        start_s: a new page that does not answer within this time hangs.
        hung_s: a page that has answered before hangs after this time without an answer.
        first_pause_s: the pause before the first restart; it doubles each time.
        longest_pause_s: the maximum pause.
        healthy_s: after a page has run this long, the next pause is the first one again.
    """

    every_s: float = 2.0
    start_s: float = 120.0
    hung_s: float = 20.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    healthy_s: float = 60.0


def page_address(host: str, port: int) -> str:
    """Return the URL of the page."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def await_port(host: str, port: int, seconds: float = PORT_WAIT_S) -> None:
    """Wait for a port that the page of a killed line may still hold.

    Raises:
        BadInput: another program holds it. (Other errors are left to the page.)
    """
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            listen(host, port).close()
        except PortInUse:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(0.1)
        except BadInput:
            return
        else:
            return


class PageBeside:
    """Keeps one page running, in a thread of its own."""

    def __init__(
        self,
        config: Config,
        state: Path,
        care: Care | None = None,
        config_file: Path | None = None,
    ) -> None:
        """Start the page, or keep trying.

        Args:
            config: of the line.
            state: the folder of its records, where the page finds its part of the configuration.
            care: how it is looked after.
            config_file: that the configuration was read from; None: from none.
        """
        self._config, self._state, self._config_file = config, state, config_file
        self._care = care or Care()
        self._address = page_address(config.panel.host, config.panel.port)
        self._closing = threading.Event()
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()
        self._error: str | None = None
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    @property
    def error(self) -> str | None:
        """Why there is no page at the moment, one line; None: there is one, as far as is known."""
        if not self._thread.is_alive() and not self._closing.is_set():
            return "the page is no longer supervised"
        return self._error

    def close(self) -> None:
        """End the page and all processes it started, within seconds; safe to call twice."""
        self._closing.set()
        with self._lock:
            if self._process is not None:
                _end(self._process, END_S)
        self._thread.join(END_S)

    def _run(self) -> None:
        pause_s, announced = self._care.first_pause_s, False
        while not self._closing.is_set():
            started = time.monotonic()
            try:
                process = self._start()
                if not announced:
                    log.info("page: %s", self._address)
                    announced = True
                if why := self._watch(process):
                    self._failed(why)
                with self._lock:
                    _end(process, 0.0 if why else END_S)
                    self._process = None
            except BaseException as error:  # whatever the system says: the line goes on
                reason = str(error) or type(error).__name__
                self._failed(f"there is no page: {' '.join(reason.split())}")
            if time.monotonic() - started > self._care.healthy_s:
                pause_s = self._care.first_pause_s
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, self._care.longest_pause_s)

    def _failed(self, why: str) -> None:
        if self._error is None and not self._closing.is_set():
            log.warning("%s; it is started again, the line goes on", why)
        self._error = why

    def _start(self) -> subprocess.Popen:
        """Start the page; it ends when our end of its standard input closes, however we end.

        Raises:
            EwasteError: its port is not available, or its configuration cannot be written.
        """
        listen(self._config.panel.host, self._config.panel.port).close()
        path = self._state / EFFECTIVE
        try:
            write_whole(path, page_content(self._config), mode=PRIVATE)
        except OSError as error:
            raise EwasteError(f"{path}: cannot be written ({error.strerror})") from None
        command = [sys.executable, "-m", "edge.panel", "--with-stdin"]
        command += ["--state", str(self._state), "--config", str(path)]
        if self._config_file is not None:
            command += ["--line-config", str(self._config_file.absolute())]
        with self._lock:
            if self._closing.is_set():
                raise EwasteError("the line has ended")
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is not for it, and a group to end it with
            )
            lower_priority(self._process.pid, NICENESS)
            return self._process

    def _watch(self, process: subprocess.Popen) -> str:
        """Watch a page until it fails or we close; return why it failed, else an empty text."""
        care = self._care
        give_up_at, look_at = time.monotonic() + care.start_s, 0.0
        while not self._closing.wait(min(0.5, care.every_s)):
            if process.poll() is not None:
                return f"the page has ended (exit code {process.returncode})"
            if time.monotonic() < look_at:
                continue
            if answers(self._config.panel.host, self._config.panel.port, care.hung_s / 4):
                give_up_at = time.monotonic() + care.hung_s
                if self._error is not None:
                    log.info("page: %s, again", self._address)
                    self._error = None
            elif time.monotonic() > give_up_at:
                return "the page does not answer"
            look_at = time.monotonic() + care.every_s
        return ""


def answers(host: str, port: int, timeout_s: float) -> bool:
    """Return whether a page answers there and does not report that it hangs."""
    connection = http.client.HTTPConnection(EVERYWHERE.get(host, host), port, timeout=timeout_s)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen, patience_s: float) -> None:
    """End a process and its group: the process first, orderly if it has time, then the rest."""
    if process.poll() is None and patience_s:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
