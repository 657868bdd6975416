"""What became of the runtimes that were tried, for a person and for a script."""

from collections.abc import Iterator
from typing import Any

from edge.runtimes.selecting import Selection
from edge.runtimes.trial import RuntimeTrial

HEAD = ("runtime", "threads", "golden outputs", "median ms", "p95 ms")


def lines(selection: Selection) -> Iterator[str]:
    """A table of the trials, the chosen one marked, and below it why others were refused."""
    yield selection.machine.in_words
    rows = [HEAD, *(_row(trial) for trial in selection.trials)]
    marks = ["", *("  chosen" if each is selection.chosen else "" for each in selection.trials)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for (name, *cells), mark in zip(rows, marks, strict=True):
        shown = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join((name.ljust(widths[0]), *shown)) + mark
    reasons = {_name(trial): trial.refused for trial in selection.trials if trial.refused}
    for name, reason in reasons.items():
        yield f"{name} is refused: {reason}"


def answer(selection: Selection) -> dict[str, Any]:
    """The same for JSON; what was not reached is null."""
    return {
        "machine": selection.machine.model_dump(),
        "trials": [
            {
                "runtime": trial.candidate.backend.runtime,
                "threads": trial.candidate.threads,
                "delegate": trial.candidate.backend.delegate is not None,
                "refused": trial.refused or None,
                "steps_off": trial.steps_off,
                "median_ms": trial.median_ms,
                "p95_ms": trial.p95_ms,
                "chosen": trial is selection.chosen,
            }
            for trial in selection.trials
        ],
    }


def _row(trial: RuntimeTrial) -> tuple[str, ...]:
    golden = "refused" if trial.refused else f"{trial.steps_off} steps off"
    times = ("-" if ms is None else f"{ms:.1f}" for ms in (trial.median_ms, trial.p95_ms))
    return _name(trial), str(trial.candidate.threads), golden, *times


def _name(trial: RuntimeTrial) -> str:
    backend = trial.candidate.backend
    delegate = "" if backend.delegate is None else f" + {backend.delegate.path.name}"
    return f"{backend.runtime}{delegate}"
