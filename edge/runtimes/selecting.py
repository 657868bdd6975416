"""Try the installed runtimes on this board, and write down the quickest."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.bundle import Bundle
from edge.errors import Refused, one_line
from edge.inference.backend import Delegate, installed_runtimes
from edge.runtimes.kept import LONGEST_REASON, KeptChoice, KeptTrial, write_choice
from edge.runtimes.machine import Machine, this_machine, versions_here
from edge.runtimes.trial import RuntimeTrial, candidates, quickest, try_all


@dataclass(frozen=True)
class Selection:
    """What was found.

    Attributes:
        machine: this one.
        trials: of all candidates.
        chosen: the quickest; None: all were refused.
    """

    machine: Machine
    trials: tuple[RuntimeTrial, ...]
    chosen: RuntimeTrial | None


def select(
    bundle: Bundle,
    *,
    threads: int | None,
    delegate: Delegate | None,
    clock: Callable[[], float],
) -> Selection:
    """Try the installed runtimes with a bundle.

    Args:
        bundle: proved but for what runs its model.
        threads: that are configured; None: none are, so that several numbers are tried.
        delegate: that is configured.
        clock: seconds.

    Raises:
        EwasteError: this machine has no TFLite runtime, or cannot start a process.
    """
    machine = this_machine()
    tried = candidates(installed_runtimes(), machine.cores, threads, delegate)
    trials = tuple(try_all(bundle, tried, clock))
    return Selection(machine, trials, quickest(trials, delegate))


def keep(selection: Selection, bundle: Bundle, path: Path, now: float) -> KeptChoice:
    """Write down what was chosen, with the figures; `now` is unix seconds.

    Raises:
        Refused: all were refused; what was chosen before stays.
        EwasteError: it cannot be written.
    """
    chosen = selection.chosen
    if chosen is None:
        reasons = [trial.refused for trial in selection.trials if trial.refused]
        reason = reasons[-1] if reasons else "no runtime is installed; pip install ai-edge-litert"
        raise Refused(f"no runtime may compute {bundle.path} as it is configured: {reason}")
    backend = chosen.candidate.backend
    kept = KeptChoice(
        bundle=bundle.digest,
        machine=selection.machine,
        versions=versions_here(backend.delegate),
        runtime=str(backend.runtime),
        threads=chosen.candidate.threads,
        measured_at=now,
        trials=tuple(map(_kept_trial, selection.trials)),
    )
    write_choice(path, kept)
    return kept


def _kept_trial(trial: RuntimeTrial) -> KeptTrial:
    backend = trial.candidate.backend
    return KeptTrial(
        runtime=str(backend.runtime),
        threads=trial.candidate.threads,
        delegate=backend.delegate is not None,
        refused=one_line(trial.refused, LONGEST_REASON),
        steps_off=trial.steps_off,
        median_ms=trial.median_ms,
        p95_ms=trial.p95_ms,
    )
