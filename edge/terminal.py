"""Words for the person at the terminal, or for a log: shown as far as they can be.

What is printed may hold names that others gave, and the terminal may be closed, full, slow or know
few letters. None of that ends what the program is there for.
"""

import os
import select
import sys
import threading
import unicodedata
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from edge.errors import EwasteError

QUEUE = 1000
"""Lines that wait for a slow terminal, at most; then the newest are given up."""
PATIENCE_S = 1.0
"""A stream that takes nothing for so long is taken for stuck, where work waits for it."""
LONG_PATIENCE_S = 10.0
"""The limit for a command without such work: a pager may be reading its output."""
PIECE = 512
"""Bytes written at a time: what `poll` promises that a pipe takes without waiting (POSIX)."""
JOINERS = "\u200c\u200d"
"""Not printable by themselves, but some scripts need them."""


class ReaderGone(Exception):
    """Who read the results (head, less) has had enough of them: nothing is wrong."""


def safe_line(text: object) -> str:
    r"""The text as one line that no terminal takes for anything but letters.

    Escapes, control characters, line ends, marks that turn the writing around and bytes that are no
    text are shown as `\x1b`, `\n`, `\u202e`, `\udcff`.
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(letter if _is_shown(letter) else _escaped(letter) for letter in line)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in JOINERS or unicodedata.category(letter) == "Zs"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


class Printer:
    """One of the program's two streams, as it is when a line is printed.

    Attributes:
        lost: lines that the stream did not take.
        error: why, in a few words; None: it takes them.
        for_people: it may carry messages besides the result of the command.
    """

    def __init__(self, name: str) -> None:
        """Print to `sys.stdout` or `sys.stderr`; the other reports it, once, when that fails."""
        self._name = name
        self._waiting: deque[str] | None = None  # while a thread prints
        self._patience_s = LONG_PATIENCE_S
        self._teller: threading.Thread | None = None
        self._changed = threading.Condition()
        self.lost = 0
        self.for_people = True
        self.error: str | None = None

    @property
    def trouble(self) -> str | None:
        """That lines were lost, and why, for people who look elsewhere; None: all is well."""
        if self.error is None:
            return None
        return f"{self._name} cannot be written ({self.error}): {self.lost} lines lost"

    def print(self, text: object = "") -> None:
        """Print a line of a command's result, waiting for the stream as long as it takes.

        Raises:
            ReaderGone: nobody reads it any more.
            EwasteError: it cannot be written: the disk is full.
        """
        try:
            self._write(safe_line(text), None)
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            raise EwasteError(f"{self._name}: cannot be written ({_reason(error)})") from None

    def tell(self, text: object) -> None:
        """Print a line that nothing depends on; never raises, and waits only for seconds.

        `beside` it returns at once.
        """
        line = safe_line(text)
        with self._changed:
            if self._waiting is not None:
                if len(self._waiting) < QUEUE:
                    self._waiting.append(line)
                    self._changed.notify()
                else:
                    self.lost += 1
                return
        # In a thread: os.write may block although poll reports that the stream is writable.
        if self._teller is not None and self._teller.is_alive():
            self.lost += 1
            return
        patience_s = self._patience_s if self.error is None else 0.0
        arguments = (line, self._patience_s)
        self._teller = threading.Thread(target=self._attempt, args=arguments, daemon=True)
        self._teller.start()
        self._teller.join(patience_s + PATIENCE_S)
        if self._teller.is_alive():
            self.lost += 1
            self.error = "nobody reads it"

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Within: a thread prints the lines, so that a slow or stuck terminal holds up nothing.

        At the end what still waits is printed as long as the stream takes it. Later
        lines wait as briefly.
        """
        if self._waiting is not None:  # within another such block
            yield
            return
        self._patience_s = PATIENCE_S
        self._waiting = deque()
        thread = threading.Thread(target=self._print_waiting, name=self._name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                waiting, self._waiting = self._waiting, None
                self._changed.notify()
            thread.join(2 * PATIENCE_S)
            with self._changed:
                self.lost += len(waiting)
                waiting.clear()

    def _print_waiting(self) -> None:
        waiting = self._waiting
        while waiting is not None:
            with self._changed:
                while not waiting and self._waiting is waiting:
                    self._changed.wait()
                if not waiting:
                    return
                line = waiting.popleft()
            self._attempt(line, PATIENCE_S)

    def _attempt(self, line: str, patience_s: float) -> None:
        """Print a line; what fails is counted, and reported once."""
        # A stream that was stuck once is not waited for again, until it moves.
        try:
            self._write(line, patience_s if self.error is None else 0.0)
        except (OSError, ValueError) as error:
            self.lost += 1
            is_new, self.error = self.error is None, _reason(error)
        else:
            is_new, self.error = False, None
        other = out if self is err else err
        if is_new and other.for_people:
            other.tell(f"{self._name}: cannot be written ({self.error})")

    def _write(self, line: str, patience_s: float | None) -> None:
        """Write a line at once, unbuffered.

        Raises:
            OSError: the stream does not take it, or not within `patience_s` (None: no limit).
        """
        stream = getattr(sys, self._name)
        if stream is None:
            return
        encoding = getattr(stream, "encoding", None) or "utf-8"
        raw = f"{line}\n".encode(encoding, "backslashreplace")
        try:
            handle = stream.fileno()
        except (OSError, ValueError, AttributeError):  # not a file: a test's buffer
            stream.write(raw.decode(encoding))
            return
        stream.flush()  # what others have written to it comes first
        while raw:
            ready = select.poll()
            ready.register(handle, select.POLLOUT)
            if not ready.poll(None if patience_s is None else patience_s * 1000):
                raise TimeoutError("nobody reads it")
            with suppress(BlockingIOError):
                raw = raw[os.write(handle, raw[:PIECE]) :]


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


out, err = Printer("stdout"), Printer("stderr")


def hold_streams() -> None:
    """Put /dev/null in the place of a standard stream that is closed (`>&-`).

    Otherwise the next file that is opened, the records say, gets its number, and whatever a library
    writes to the stream goes into that file.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one: those below it are open by now.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def release_streams() -> None:
    """At the end: what a stream still holds and cannot write is given up without a word.

    Otherwise the interpreter complains of it while it ends, and exits with a code of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError, AttributeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
