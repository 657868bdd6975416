"""Trying a model in a process of its own first: one that crashes, hangs or eats memory ends there.

A model file is a program. The runtime that reads it is native code, which a broken one can bring
down, and what it computes may never end. So before a bundle's bytes are loaded into this process,
the same bytes are tried in a child with little memory and little time. A delegate is native code
too, and tried likewise, once the model is known to be sound without it.
"""

import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edge.bundle.bundle import Bundle, parse_bundle
from edge.bundle.manifest import MODEL, REMEDY
from edge.bundle.trial_process import end_ahead, trial_process
from edge.errors import EwasteError, Refused, one_line
from edge.inference.backend import DEFAULT_BACKEND, Backend, Delegate
from edge.inference.tflite import load_runtime

MEMORY_BYTES = 640 * 2**20
"""Besides the program: the shipped model takes 150 MB, an unquantized one of its kind 400."""
LEAST_S, STARTS = 6.0, 12.0
"""Processor seconds that the child may try the model for: as many of its own starts, and so many at
least. A slow device gets more, and on a busy one other programs' time does not count; an honest
model takes one to three starts."""

TRIED_INPUTS = 8
"""Golden inputs of a trial before the proof, for which the start of a line waits. A model that
crashes, hangs or eats memory whatever it is given ends there. The other golden inputs, as every
item of the belt, are only given to it in the process that uses it."""

_tried: set[tuple[str, str | None]] = set()


CheckRow = tuple[str, bool, str]
"""A check: its name, whether it passed, and what was found."""


def try_apart(
    bundle: Bundle, niceness: int = 0, backend: Backend = DEFAULT_BACKEND, threads: int = 1
) -> list[CheckRow]:
    """Try the model in a child process before it is proved here, once for each bundle and runtime.

    The checks are those of `run_apart`, on `TRIED_INPUTS` golden inputs. With a delegate they are
    made every time: its file may be another one by now. `threads` are those of an inference, the
    others as for `run_apart`. Returns the checks up to the one that failed; nothing, if all passed.

    Raises:
        EwasteError: this machine has no TFLite runtime, or cannot start a process.
    """
    key = bundle.digest, backend.runtime
    if key in _tried and backend.delegate is None:
        end_ahead()
        return []
    made = _run_first(bundle, niceness, backend) or _run_child(
        bundle, niceness, backend, threads, TRIED_INPUTS
    )
    if all(passed for _, passed, _ in made):
        _tried.add(key)
        return []
    return made


def run_apart(
    bundle: Bundle, niceness: int = 0, backend: Backend = DEFAULT_BACKEND
) -> list[CheckRow]:
    """Make the checks that run the model in a child process, up to the first that fails.

    Args:
        bundle: with the contents of its files.
        niceness: how far the child stands back for other processes, 0 to 19.
        backend: what computes the model. If that is more than a TFLite runtime, such a one is tried
            first.

    Raises:
        EwasteError: this machine has no TFLite runtime, or cannot start a process.
    """
    return _run_first(bundle, niceness, backend) or _run_child(bundle, niceness, backend)


def _run_first(bundle: Bundle, niceness: int, backend: Backend) -> list[CheckRow]:
    """Try a TFLite runtime before anything else; the checks up to the one that failed."""
    return [] if backend.is_plain else try_apart(bundle, niceness)


def _run_child(
    bundle: Bundle,
    niceness: int,
    backend: Backend,
    threads: int = 1,
    most_inputs: int | None = None,
) -> list[CheckRow]:
    """The checks that a child made."""
    load_runtime()
    try:
        child = trial_process(niceness)
    except OSError as error:
        raise EwasteError(
            f"{bundle.path}: cannot be tried, no process can be started ({error.strerror}); "
            "free some memory"
        ) from None
    with child:
        assert child.stdin is not None
        try:
            with suppress(BrokenPipeError):  # it ended: its exit code says why
                for part in _parts(bundle, backend, threads, most_inputs):
                    child.stdin.write(part)
                child.stdin.flush()
            if most_inputs is not None:
                _unpack_ahead(bundle)
            answer, _ = child.communicate()
        except BaseException:
            child.kill()
            raise
    return _understood(bundle, backend, child.returncode, answer)


def _unpack_ahead(bundle: Bundle) -> None:
    """Unpack what this process will need if the trial passes, while it waits for that.

    These are plain arrays of bounded size; no runtime reads them.
    """
    with suppress(Refused, MemoryError):  # whoever asks for them says so
        _ = bundle.detector, bundle.touching


def _understood(bundle: Bundle, backend: Backend, code: int, answer: bytes) -> list[CheckRow]:
    """The checks that the child made."""
    subject, remedy = _at_fault(bundle.path, backend)
    if code in (-signal.SIGALRM, -signal.SIGXCPU, -signal.SIGKILL):
        reason = "takes too long to run, or too much memory"
    elif code < 0:
        reason = f"brought down the runtime that tried it (signal {-code})"
    else:
        reason = f"ended the program that tried it (exit code {code})"
        with suppress(ValueError, TypeError):
            made = [
                (str(name), passed is True, str(message))
                for name, passed, message in json.loads(answer)
            ]
            if made:
                return made
    return [("model", False, f"{subject}: {reason}; {remedy}")]


def _at_fault(path: Path, backend: Backend) -> tuple[str, str]:
    """What it is that failed, and what to do: the model, unless it was found sound before."""
    if backend.delegate is not None:
        return f"the delegate {backend.delegate.path}", "remove [classifier] delegate"
    if not backend.is_plain:
        return str(backend.runtime), "type: ewaste-edge select-runtime"
    return str(path / MODEL), REMEDY


def _parts(
    bundle: Bundle, backend: Backend, threads: int, most_inputs: int | None
) -> Iterator[bytes]:
    """A bundle for the child's standard input, what is to compute it, and how much of it."""
    lengths = {name: len(content) for name, content in bundle.contents.items()}
    delegate = backend.delegate and [str(backend.delegate.path), backend.delegate.options]
    by = [backend.runtime, delegate]
    head: dict[str, object] = {"path": str(bundle.path), "lengths": lengths, "by": by}
    head |= {"threads": threads, "most_inputs": most_inputs}
    yield json.dumps(head).encode() + b"\n"
    yield from bundle.contents.values()


def main() -> int:
    """Be the child: read a bundle, run it, and say in JSON which check failed, and why."""
    from edge.bundle.verify import run_checks

    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    load_runtime()
    made: list[CheckRow] = []
    subject, remedy = "", REMEDY
    try:
        bundle, backend, threads, most_inputs = _unpacked()
        if not backend.is_plain:
            subject, remedy = _at_fault(bundle.path, backend)
            subject += ": "
        checks = run_checks(bundle, threads, backend, most_inputs)
        made += [(each.name, each.passed, each.message) for each in checks]
    # Whatever comes out of native code: a bundle that is not proved is refused.
    except Exception as error:
        message = one_line(f"{type(error).__name__}: {error}")
        made.append(("model", False, f"{subject}cannot be run ({message}); {remedy}"))
    with answer:
        json.dump(made, answer)
    return 0


def _unpacked() -> tuple[Bundle, Backend, int, int | None]:
    """What came on standard input, as for `_run_child`; from now on this process is limited."""
    stream = sys.stdin.buffer
    head = json.loads(stream.readline())
    runtime, delegate = head["by"]
    if delegate is not None:
        path, options = delegate
        delegate = Delegate(Path(path), tuple(map(tuple, options)))
    backend = Backend(runtime, delegate)
    if backend.is_plain:  # a driver may reserve any number of addresses
        _limit()
    contents = {name: stream.read(length) for name, length in head["lengths"].items()}
    bundle = parse_bundle(Path(head["path"]), contents)
    return bundle, backend, head["threads"], head["most_inputs"]


def _limit() -> None:
    """Bound what this process takes from now on; native code is ended by signals it cannot miss."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    start_s = used.ru_utime + used.ru_stime
    seconds = math.ceil(start_s + max(LEAST_S, STARTS * start_s))
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    memory = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # less is allowed already
            resource.setrlimit(what, (most, most))
