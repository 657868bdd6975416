"""What computes the model of a bundle on this board, and why."""

import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edge.errors import EwasteError
from edge.inference.backend import Backend, Delegate
from edge.runtimes.kept import BrokenChoice, KeptChoice, read_choice
from edge.runtimes.machine import Machine, this_machine, versions_here

DEFAULT_THREADS = 2


class Why(Enum):
    """Why a runtime computes. All but the first mean the one that is taken by default."""

    MEASURED = "the quickest that was measured"
    NOT_MEASURED = "none was measured"
    OTHER_BUNDLE = "another bundle was measured"
    OTHER_MACHINE = "it was measured on another machine"
    OTHER_VERSIONS = "other versions were measured"
    OTHER_THREADS = "other [classifier] threads were measured"
    BROKEN = "what was measured cannot be read"


@dataclass(frozen=True)
class Choice:
    """What computes a model, on how many threads, and why.

    Attributes:
        backend: the runtime, with its delegate.
        threads: of one inference.
        why: it was chosen.
        kept: what was measured, where there is anything.
        problem: what is wrong with the file; empty: nothing.
    """

    backend: Backend
    threads: int
    why: Why
    kept: KeptChoice | None = None
    problem: str = ""


def choose(path: Path, digest: str, threads: int | None, delegate: Delegate | None) -> Choice:
    """What computes a bundle's model here.

    Args:
        path: of the file of the choice (`edge.runtimes.kept`).
        digest: of the bundle.
        threads: that are configured; None: none are.
        delegate: that is configured.
    """
    default = Backend(None, delegate)
    count = DEFAULT_THREADS if threads is None else threads
    try:
        kept = read_choice(path)
    except BrokenChoice as error:
        return Choice(default, count, Why.BROKEN, problem=str(error))
    try:
        versions = versions_here(delegate) if kept is not None else {}
    except EwasteError:  # the delegate is not there: whoever loads it says so
        versions = {}
    why = _why(kept, digest, threads, this_machine(), versions)
    if kept is None or why is not Why.MEASURED:
        return Choice(default, count, why, kept)
    return Choice(Backend(kept.runtime, delegate), kept.threads, why, kept)


def _why(
    kept: KeptChoice | None,
    digest: str,
    threads: int | None,
    machine: Machine,
    versions: dict[str, str],
) -> Why:
    """Whether what was measured holds here."""
    if kept is None:
        return Why.NOT_MEASURED
    if kept.bundle != digest:
        return Why.OTHER_BUNDLE
    if kept.machine != machine or kept.threads > max(machine.cores, threads or 1):
        return Why.OTHER_MACHINE
    if kept.versions != versions:
        return Why.OTHER_VERSIONS
    if threads is not None and kept.threads != threads:
        return Why.OTHER_THREADS
    return Why.MEASURED


def in_words(choice: Choice, runtime: str) -> str:
    """A choice for a person; `runtime` is the name of the one that is taken by default."""
    name = choice.backend.runtime or runtime
    delegate = choice.backend.delegate
    parts = name if delegate is None else f"{name} with the delegate {delegate.path}"
    found = f"{parts}, {choice.threads} threads: {choice.why.value}"
    if choice.why is not Why.MEASURED or choice.kept is None:
        return f"{found}, so it is the default"
    (trial, kept) = choice.kept.chosen, choice.kept
    on = time.strftime("%Y-%m-%d", time.gmtime(kept.measured_at))
    tried = len(kept.trials)
    refused = sum(bool(each.refused) for each in kept.trials)
    assert trial is not None, "read_choice has seen to it"
    return (
        f"{found}, {trial.median_ms or 0:.1f} ms an inference, of {tried} tried on {on} "
        f"({refused} refused)"
    )
