"""Tell systemd how a service is doing: the protocol of sd_notify(3), without its library.

Nothing here raises, and nothing waits. Without NOTIFY_SOCKET nothing is sent.
"""

import os
import socket
from collections.abc import Callable, MutableMapping
from contextlib import suppress

from edge.errors import one_line

BEAT_S = 1.0
"""The time between two beats, s, unless the watchdog is so short that it needs them sooner."""
BEATS = 4
"""The number of beats in the time that the watchdog allows, at least."""
LONGEST_STATUS = 200
MOST_DIGITS = 15
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class ServiceNotifier:
    """What a service tells the manager that started it.

    Attributes:
        watchdog_s: a service that is silent for so long is killed, s; 0: it never is.
    """

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """Prepare; nothing is sent yet.

        Args:
            address: of the manager's socket, a path or, after an @, an abstract name; empty: there
                is no manager.
            watchdog_s: how long the service may be silent, s; 0: forever.
        """
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_s = watchdog_s
        self._every_s = min(BEAT_S, watchdog_s / BEATS) if watchdog_s else BEAT_S
        self._due_at = float("-inf")
        self._is_ready = self._is_stopping = False

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> "ServiceNotifier":
        """Take the manager's variables out of `environment`: no child speaks for this process.

        A variable that is missing, damaged, or meant for another process counts for nothing.
        """
        address, within, meant = (environment.pop(name, "") for name in VARIABLES)
        digits = within if within.isascii() and within.isdigit() else ""
        if len(digits) > MOST_DIGITS or meant not in ("", str(os.getpid())):
            digits = ""
        known = address.startswith(("/", "@"))
        return cls(address if known else "", int(digits or "0") / 1e6)

    @property
    def has_manager(self) -> bool:
        """Whether anything is sent at all."""
        return bool(self._address)

    def status(self, text: str) -> None:
        """Say in words what the service is doing; `systemctl status` shows it."""
        self._send(_status(text))

    def beat(self, now: float, text: Callable[[], str]) -> None:
        """Say that the service works: it is ready from the first beat on, and feeds the watchdog.

        Cheap enough for every turn of a loop: most calls send nothing.

        Args:
            now: monotonic time, s.
            text: what it is doing, in words; asked for only when it is sent.
        """
        if not self._address or self._is_stopping or now < self._due_at:
            return
        self._due_at = now + self._every_s
        ready = () if self._is_ready else ("READY=1",)
        if self._send(*ready, "WATCHDOG=1", _status(text())):
            self._is_ready = True

    def stopping(self) -> None:
        """Say that the service ends by itself; it does not beat again."""
        if not self._is_stopping:
            self._is_stopping = True
            self._send("STOPPING=1")

    def _send(self, *lines: str) -> bool:
        """Send one datagram; return whether it has been sent."""
        if not self._address:
            return False
        content = "\n".join(lines).encode("utf-8", "replace")
        with (
            suppress(OSError, ValueError),  # a manager that does not listen, or an impossible path
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line,
        ):
            line.sendto(content, socket.MSG_DONTWAIT, self._address)
            return True
        return False


def _status(text: str) -> str:
    return f"STATUS={one_line(text, LONGEST_STATUS)}"
