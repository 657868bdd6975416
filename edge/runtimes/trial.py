"""Trying runtimes: first by their golden outputs, then by time, in turn with each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.bundle.bundle import Bundle, open_classifier
from edge.bundle.golden import verify_golden
from edge.bundle.sandbox import run_apart
from edge.errors import EwasteError
from edge.inference.backend import TFLITE_RUNTIMES, Backend, Delegate
from edge.inference.classifier import Classifier

MOST_THREADS = 4
ROUNDS = 5
"""What else the machine does meanwhile hits all candidates alike if they take turns."""
WARM_UPS = 2
RUNS, ENOUGH_S = 10, 1.0
"""Of one candidate in one round: so many inferences, or those of so many seconds."""
NOISE = 1.02
"""Medians that differ by less are the same; then fewer threads leave more for the camera."""


@dataclass(frozen=True)
class Candidate:
    """A runtime on so many threads."""

    backend: Backend
    threads: int


@dataclass(frozen=True)
class RuntimeTrial:
    """What became of a candidate.

    Attributes:
        candidate: it.
        refused: why it may not compute, one line; empty: it may.
        steps_off: how far its golden outputs are off at most; None: they were not reached.
        median_ms: of an inference; None: it was not measured, as it was refused.
        p95_ms: 95 of 100 inferences took no longer; None: as above.
    """

    candidate: Candidate
    refused: str = ""
    steps_off: int | None = None
    median_ms: float | None = None
    p95_ms: float | None = None


def candidates(
    runtimes: Sequence[str], cores: int, threads: int | None, delegate: Delegate | None
) -> list[Candidate]:
    """What can be tried here.

    Args:
        runtimes: those that are installed.
        cores: of this machine.
        threads: the only number of threads that is asked for; None: 1 to 4, no more than cores.
        delegate: what the TFLite runtimes are tried with as well; None: nothing.
    """
    counts = range(1, min(MOST_THREADS, cores) + 1) if threads is None else (threads,)
    backends = [Backend(name) for name in runtimes]
    if delegate is not None:
        backends += [Backend(name, delegate) for name in runtimes if name in TFLITE_RUNTIMES]
    return [Candidate(backend, count) for backend in backends for count in counts]


def try_all(
    bundle: Bundle, tried: Sequence[Candidate], clock: Callable[[], float]
) -> list[RuntimeTrial]:
    """Try candidates: each backend in a process of its own first, then all in this one.

    Args:
        bundle: with the contents of its files.
        tried: the candidates.
        clock: seconds.

    Raises:
        EwasteError: this machine has no TFLite runtime, or cannot start a process.
    """
    reasons = {each.backend: _refusal(bundle, each.backend) for each in tried}
    found = [_by_golden(bundle, each, reasons[each.backend]) for each in tried]
    allowed = [trial for trial in found if not trial.refused]
    times = time_in_turn([_opener(bundle, trial.candidate) for trial in allowed], clock)
    measured = {
        id(trial): replace(trial, median_ms=float(np.median(ms)), p95_ms=_p95(ms))
        for trial, ms in zip(allowed, times, strict=True)
    }
    return [measured.get(id(trial), trial) for trial in found]


def quickest(trials: Sequence[RuntimeTrial], delegate: Delegate | None) -> RuntimeTrial | None:
    """The trial of the shortest median; of several within `NOISE` that of the fewest threads.

    Where a delegate is configured only what was tried with it counts. None: all were refused.
    """
    timed = [
        (trial.median_ms, trial)
        for trial in trials
        if trial.median_ms is not None and trial.candidate.backend.delegate == delegate
    ]
    if not timed:
        return None
    least = min(ms for ms, _ in timed)
    same = [(trial.candidate.threads, ms, trial) for ms, trial in timed if ms <= NOISE * least]
    return min(same, key=lambda each: each[:2])[2]


def time_in_turn(
    openers: Sequence[Callable[[], Callable[[], object]]], clock: Callable[[], float]
) -> list[list[float]]:
    """The times of the candidates' inferences, ms, taken in rounds; each round begins with another.

    Args:
        openers: each loads a candidate's model and returns what makes one inference with it. It is
            loaded for each of its turns: no other's threads wait in this process meanwhile, nor
            does its memory.
        clock: seconds.
    """
    times: list[list[float]] = [[] for _ in openers]
    for turn in range(ROUNDS if openers else 0):
        first = turn % len(openers)
        for place in (*range(first, len(openers)), *range(first)):
            infer = openers[place]()
            for _ in range(WARM_UPS):
                infer()
            begun, made = clock(), 0
            while not made or (made < RUNS and clock() - begun < ENOUGH_S):
                started = clock()
                infer()
                times[place].append(1000 * (clock() - started))
                made += 1
    return times


def _refusal(bundle: Bundle, backend: Backend) -> str:
    """Why a backend may not compute, by its trial in another process; empty: it may."""
    failed = [message for _, passed, message in run_apart(bundle, backend=backend) if not passed]
    return failed[0] if failed else ""


def _by_golden(bundle: Bundle, candidate: Candidate, refused: str) -> RuntimeTrial:
    if refused:
        return RuntimeTrial(candidate, refused)
    try:
        golden = verify_golden(bundle, _opened(bundle, candidate))
    except EwasteError as error:
        return RuntimeTrial(candidate, str(error))
    return RuntimeTrial(candidate, steps_off=golden.largest_difference)


def _opened(bundle: Bundle, candidate: Candidate) -> Classifier:
    return open_classifier(bundle, candidate.threads, candidate.backend)


def _opener(bundle: Bundle, candidate: Candidate) -> Callable[[], Callable[[], object]]:
    size = bundle.manifest.input.size
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)

    def opened() -> Callable[[], object]:
        classifier = _opened(bundle, candidate)
        return lambda: classifier.predict_input(pixels)

    return opened


def _p95(times: Sequence[float]) -> float:
    return float(np.percentile(times, 95))
