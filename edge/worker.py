"""A thread that does what the line must never wait for."""

import threading
from abc import ABC, abstractmethod


class Worker(ABC):
    """A thread that never holds up the line.

    A subclass calls `_start` at the end of its constructor. `_run` lets no exception out; it waits
    for `_awake`, finishes its work soon after `_closing` is set, and stops at once after
    `_given_up`.
    """

    def __init__(self, name: str) -> None:
        """Prepare the thread.

        Args:
            name: name of the thread.
        """
        self._awake, self._closing, self._given_up = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def _run(self) -> None:
        """Work until the worker is closed."""

    @property
    def alive(self) -> bool:
        """Return whether the thread is running."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Tell the thread that there is something to do; returns at once."""
        self._awake.set()

    def _start(self) -> None:
        self._thread.start()

    def _finish(self, timeout: float) -> bool:
        """Let the thread finish, for at most `timeout` seconds; False when it has not.

        May be called twice.
        """
        self._closing.set()
        self._awake.set()
        self._thread.join(timeout)
        self._given_up.set()
        return not self.alive
