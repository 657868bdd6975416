"""Other programs, run with a time limit; what goes wrong becomes one line."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from edge.errors import EwasteError, Refused, one_line

MOST_SHOWN = 300
REFUSED = 3
"""The exit code of ewaste-edge when a verification refused."""
_PR_SET_PDEATHSIG = 1


class Runner(Protocol):
    """Runs a command and returns what it printed."""

    def __call__(
        self,
        command: Sequence[object],
        *,
        seconds: float,
        environment: Mapping[str, str] | None = None,
        tied: bool = True,
    ) -> str:
        """Run a command; see `run`."""


def run(
    command: Sequence[object],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    tied: bool = True,
) -> str:
    """Run a command to its end.

    Args:
        command: program and arguments.
        seconds: time limit.
        environment: variables in addition to those of this process.
        tied: it is killed when this process is: nothing writes on where the next try begins. Not
            for dpkg, which finishes what it has begun.

    Returns:
        What it printed on stdout.

    Raises:
        Refused: ewaste-edge ended with the code of a verification that refused.
        EwasteError: it cannot be run, fails, or takes too long.
    """
    words = [str(word) for word in command]
    variables = {**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})}
    variables.pop("PYTHONPATH", None)
    name = " ".join(Path(word).name for word in words[:3])
    try:
        done = subprocess.run(
            words,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            preexec_fn=_end_with_parent if tied else None,
        )
    except subprocess.TimeoutExpired:
        raise EwasteError(f"{name}: took longer than {seconds:g} s; try again") from None
    except OSError as error:
        raise EwasteError(f"{words[0]}: cannot be run ({error.strerror})") from None
    if done.returncode:
        reason = _reason(done.stderr) or _reason(done.stdout) or "no reason given"
        kind = Refused if done.returncode == REFUSED else EwasteError
        raise kind(f"{name}: exit code {done.returncode}: {reason}")
    return done.stdout.decode("utf-8", "replace")


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _reason(output: bytes) -> str:
    """The line that names the error, or the last one."""
    lines = [line for line in output[-20_000:].decode("utf-8", "replace").splitlines() if line]
    named = [line for line in lines if line.lower().startswith(("error", "e:"))]
    return one_line((named or lines or [""])[-1].removeprefix("error: "), MOST_SHOWN)
