"""Tell the service manager that the page is there, as long as its port really answers."""

import time

from edge.panel.beside import answers, page_address
from edge.service_notify import BEATS, ServiceNotifier
from edge.worker import Worker

EVERY_S = 2.0
"""The time between two requests, s."""
ANSWER_S = 5.0
"""The time limit of an answer, s."""


class PageBeat(Worker):
    """Asks the page as a visitor would: its event loop and its threads must both be free.

    A page that hangs answers nothing, or says so, and the watchdog is not fed.
    """

    def __init__(self, service: ServiceNotifier, host: str, port: int) -> None:
        """Ask the page of `host` and `port` now, and again and again."""
        super().__init__("beat")
        self._service, self._host, self._port = service, host, port
        within_s = service.watchdog_s / BEATS or EVERY_S
        self._every_s, self._answer_s = min(EVERY_S, within_s), min(ANSWER_S, within_s)
        self._start()

    def close(self, timeout: float = 1.0) -> None:
        """Say that the page ends; may be called twice."""
        self._service.stopping()
        self._finish(timeout)

    def _run(self) -> None:
        while not self._closing.is_set():
            if answers(self._host, self._port, self._answer_s):
                self._service.beat(time.monotonic(), self._summary)
            self._closing.wait(self._every_s)

    def _summary(self) -> str:
        return f"answers on {page_address(self._host, self._port)}"
