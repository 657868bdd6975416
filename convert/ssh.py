"""The system's ssh: what runs on another machine, and why it could not.

Host keys are always checked, nothing is asked for, and nothing of ours passes through a shell here.
What the other machine answers is bounded in length and time.
"""

import os
import re
import selectors
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import BadInput, EwasteError, one_line

MOST_ANSWER = 2**18
"""Bytes that the other machine may answer, on each of its two streams."""
CONNECT_S = 15
ALIVE_S, MOST_SILENT = 5, 4
"""A connection on which nothing comes back for so many times so many seconds is given up."""
PIECE = 2**16
SSH_FAILED = 255
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]{0,252}(%[A-Za-z0-9_.-]{1,32})?")
_NOT_IN_A_SETTING = ('"', "\\", "${")
"""What ssh's own reading of its settings would take for something else."""


@dataclass(frozen=True)
class Login:
    """How to log in to another machine.

    Attributes:
        user: empty: as ssh is configured.
        host: a name or an address.
        port: None: as ssh is configured.
        identity: file of the private key; None: as ssh is configured.
        known_hosts: file of the host keys that count, and no other; None: as ssh is configured.
    """

    user: str
    host: str
    port: int | None = None
    identity: Path | None = None
    known_hosts: Path | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host


@dataclass(frozen=True)
class Answer:
    """What a command on another machine came to.

    Attributes:
        code: its exit code, or `SSH_FAILED`.
        out: what it printed.
        err: what it, or ssh, reported.
    """

    code: int
    out: str
    err: str

    @property
    def reason(self) -> str:
        """The last line of what was reported, for a message."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        return one_line(lines[-1], 300) if lines else f"it ended with {self.code}"


@dataclass(frozen=True)
class Given:
    """What a script reads: first `content`, and `last` only once it has printed `asks`."""

    content: bytes = field(repr=False)
    asks: bytes
    last: bytes


def parse_login(text: str) -> tuple[str, str]:
    """User, or nothing, and host of `user@host`.

    Raises:
        BadInput: it is no such text.
    """
    user, at, host = text.rpartition("@")
    if (at and not _USER.fullmatch(user)) or not _HOST.fullmatch(host):
        raise BadInput(f"{one_line(text)!r}: no board; give user@host, or host")
    return user, host


def ssh_command(login: Login, script: str, arguments: Sequence[str]) -> list[str]:
    """The command line that runs a shell script on another machine.

    Args:
        login: how to get there.
        script: for `sh`; it has `arguments` as `$1`, `$2`, and so on.
        arguments: any texts.

    Raises:
        BadInput: there is no ssh here, or a file has a name that ssh cannot be given.
    """
    program = shutil.which("ssh")
    if program is None:
        raise BadInput("there is no ssh here; on Debian: sudo apt install openssh-client")
    settings = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "ControlPath=none",
        "ClearAllForwardings=yes",
        "ForwardAgent=no",
        "ForwardX11=no",
        "PermitLocalCommand=no",
        "LogLevel=ERROR",
        f"ConnectTimeout={CONNECT_S}",
        f"ServerAliveInterval={ALIVE_S}",
        f"ServerAliveCountMax={MOST_SILENT}",
    ]
    if login.port is not None:
        settings.append(f"Port={login.port}")
    if login.identity is not None:
        settings += [f"IdentityFile={_quoted(login.identity)}", "IdentitiesOnly=yes"]
    if login.known_hosts is not None:
        settings.append(f"UserKnownHostsFile={_quoted(login.known_hosts)}")
        settings.append("GlobalKnownHostsFile=none")
    options = [word for setting in settings for word in ("-o", setting)]
    there = shlex.join(["sh", "-c", script, "ewaste-deploy", *arguments])
    return [program, "-T", "-e", "none", *options, "--", str(login), there]


def run_there(
    login: Login,
    script: str,
    arguments: Sequence[str],
    *,
    seconds: float,
    given: Given | None = None,
) -> Answer:
    """Run a shell script on another machine.

    Args:
        login: how to get there.
        script: for `sh`; it has `arguments` as `$1`, `$2`, and so on.
        arguments: any texts.
        seconds: that it may take.
        given: what it reads; None: nothing.

    Raises:
        BadInput: there is no ssh here, or a file has a name that ssh cannot be given.
        EwasteError: it took too long, or answered too much.
    """
    process = subprocess.Popen(
        ssh_command(login, script, arguments),
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"},
    )
    try:
        out, err = _Exchange(process, given).until(time.monotonic() + seconds)
        code = process.wait(timeout=CONNECT_S)
    except (TimeoutError, subprocess.TimeoutExpired):
        raise EwasteError(f"{login}: no answer within {seconds:g} s; see --timeout") from None
    except OverflowError:
        raise EwasteError(f"{login}: answers more than {MOST_ANSWER:,} bytes") from None
    finally:
        _end(process)
    return Answer(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def not_reached(login: Login, answer: Answer) -> EwasteError:
    """Why a connection did not come about, in one line."""
    if "IDENTIFICATION HAS CHANGED" in answer.err:
        why = "its host key is not the known one: another machine answers, or it was set up anew; "
        why += "compare the keys at the board before you replace the old one (ssh-keygen -R)"
    elif "Host key verification failed" in answer.err:
        why = "its host key is not known; compare it at the board, and log in once by hand"
    elif "Permission denied" in answer.err:
        why = "does not let this user in with this key; check the user, --identity, and "
        why += "~/.ssh/authorized_keys there"
    else:
        why = f"cannot be reached ({answer.reason}); check name, --port, and network"
    return EwasteError(f"{login}: {why}")


def _quoted(path: Path) -> str:
    """The name of a file as a setting of ssh has it."""
    text = str(path.expanduser().absolute())
    if not text.isprintable() or any(part in text for part in _NOT_IN_A_SETTING):
        raise BadInput(f"{path}: ssh cannot be given a file of this name; rename it")
    if not path.expanduser().is_file():
        raise BadInput(f"{path}: no such file")
    return '"' + text.replace("%", "%%") + '"'


class _Exchange:
    """What a process is given and what it answers, without waiting for either alone."""

    def __init__(self, process: subprocess.Popen[bytes], given: Given | None) -> None:
        assert process.stdout is not None and process.stderr is not None
        self._streams = (process.stdout, process.stderr)
        self._kept = (bytearray(), bytearray())
        self._input, self._given = process.stdin, given
        self._left = b"" if given is None else given.content

    def until(self, ends_at: float) -> tuple[bytes, bytes]:
        """All that the process prints and reports, until it closes both streams.

        Raises:
            TimeoutError: it has not done so at this time of the monotonic clock.
            OverflowError: it is more than `MOST_ANSWER` bytes.
        """
        with selectors.DefaultSelector() as selector:
            for stream, kept in zip(self._streams, self._kept, strict=True):
                selector.register(stream, selectors.EVENT_READ, kept)
            if self._input is not None:
                os.set_blocking(self._input.fileno(), False)
                selector.register(self._input, selectors.EVENT_WRITE)
            while any(stream in selector.get_map() for stream in self._streams):
                left_s = ends_at - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError
                for key, _ in selector.select(min(left_s, 1.0)):
                    done = self._give() if key.data is None else _take(key.fd, key.data)
                    if done:
                        selector.unregister(key.fileobj)
                self._release()
        return bytes(self._kept[0]), bytes(self._kept[1])

    def _give(self) -> bool:
        """Hand over what is taken at once; returns whether there is nothing more."""
        assert self._input is not None
        try:
            self._left = self._left[os.write(self._input.fileno(), self._left[:PIECE]) :]
        except BrokenPipeError:
            self._left = b""
        return not self._left

    def _release(self) -> None:
        """Send the last line once it is asked for."""
        given = self._given
        if given is not None and not self._left and given.asks in self._kept[0]:
            self._given = None
            assert self._input is not None
            with suppress(OSError):  # it has ended meanwhile: its answer tells why
                os.write(self._input.fileno(), given.last)


def _take(handle: int, kept: bytearray) -> bool:
    """Keep what can be read at once; returns whether the end was reached."""
    piece = os.read(handle, PIECE)
    kept += piece
    if len(kept) > MOST_ANSWER:
        raise OverflowError
    return not piece


def _end(process: subprocess.Popen[bytes]) -> None:
    """End ssh if it still runs, and close what it was read by."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
