"""Proving a bundle on this machine, check by check; at install and at every start."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle.bundle import (
    Bundle,
    check_model_labels,
    check_parity,
    check_trust,
    open_classifier,
    read_bundle,
    read_files,
)
from edge.bundle.golden import (
    first_inputs,
    read_golden,
    verify_answers,
    verify_golden,
    verify_preprocessing,
)
from edge.bundle.manifest import MANIFEST
from edge.bundle.sandbox import run_apart, try_apart
from edge.errors import BadInput, Refused
from edge.inference.backend import DEFAULT_BACKEND, Backend
from edge.inference.classifier import Classifier


@dataclass(frozen=True)
class Demands:
    """What a device asks of a bundle beyond its proof.

    Attributes:
        hazards: classes that it must know, as hazards.
        agreement: least share of images with the same top answer, quantized and Keras, 0 to 1; of
            its own gate, too.
    """

    hazards: tuple[str, ...] = ()
    agreement: float = 0.0


@dataclass(frozen=True)
class Check:
    """One check of a bundle: its name, whether it passed, and what was found."""

    name: str
    passed: bool
    message: str


@dataclass
class Verification:
    """What became of the checks, up to the first that failed.

    Attributes:
        path: the bundle's directory.
        checks: in the order they were made.
        bundle: it, once its files are read.
        classifier: its model, once it is loaded.
    """

    path: Path
    checks: list[Check] = field(default_factory=list)
    bundle: Bundle | None = None
    classifier: Classifier | None = None

    @property
    def ok(self) -> bool:
        """Whether all passed."""
        return all(check.passed for check in self.checks)

    def require(self) -> tuple[Bundle, Classifier]:
        """The bundle and its model.

        Raises:
            Refused: a check failed; the message names it.
        """
        for check in self.checks:
            if not check.passed:
                raise Refused(f"refused by the check {check.name!r}: {check.message}")
        if self.bundle is None or self.classifier is None:
            raise Refused(f"{self.path}: not verified")
        return self.bundle, self.classifier


class _Stop(Exception):
    """A check failed: those after it would run what is not proved."""


def verify(
    path: Path,
    trusted: Sequence[str] = (),
    threads: int = 2,
    slowest_ms: float | None = None,
    demands: Demands = Demands(),
    *,
    niceness: int = 0,
    backend: Backend = DEFAULT_BACKEND,
) -> Verification:
    """Make all checks of the bundle in `path`, up to the first that fails.

    Each of its files is read once; what `Verification.require` returns holds what was read. The
    checks that run the model are made in a process of its own first (`edge.bundle.sandbox`).

    Args:
        path: the bundle's directory.
        trusted: the public keys of which one must have signed it; none: anyone may.
        threads: of an inference.
        slowest_ms: the longest that the median inference may take; None: it is only measured.
        demands: of this device.
        niceness: how far the child stands back for other processes, 0 to 19.
        backend: what computes the model.

    Raises:
        BadInput: there is no bundle at all.
        EwasteError: this machine has no TFLite runtime.
    """
    found = Verification(path)
    with suppress(_Stop):
        _verify_files(found, trusted, demands)
        assert found.bundle is not None
        # What stands back for a line takes one core at most.
        tried = try_apart(found.bundle, niceness, backend, threads=1 if niceness else threads)
        found.checks += (Check(*made) for made in tried)
        if found.ok:
            _verify_runs(found, threads, slowest_ms, backend)
    return found


def verify_apart(
    path: Path,
    trusted: Sequence[str] = (),
    demands: Demands = Demands(),
    niceness: int = 0,
    backend: Backend = DEFAULT_BACKEND,
) -> Verification:
    """Make all checks of the bundle in `path`, those that run the model in a child process only.

    The model is never loaded into this process, so `Verification.require` has none to return.

    Args:
        path: the bundle's directory.
        trusted: the public keys of which one must have signed it; none: anyone may.
        demands: of this device.
        niceness: how far the child stands back for other processes, 0 to 19.
        backend: what computes the model.

    Raises:
        BadInput: there is no bundle at all.
        EwasteError: this machine has no TFLite runtime.
    """
    found = Verification(path)
    with suppress(_Stop):
        _verify_files(found, trusted, demands)
        assert found.bundle is not None
        found.checks += (Check(*made) for made in run_apart(found.bundle, niceness, backend))
    return found


def run_checks(
    bundle: Bundle,
    threads: int,
    backend: Backend = DEFAULT_BACKEND,
    most_inputs: int | None = None,
) -> list[Check]:
    """The checks that run the model of a bundle whose files are proved, up to the first failure.

    `most_inputs` is how many golden inputs are run; None: all.
    """
    found = Verification(bundle.path, bundle=bundle)
    with suppress(_Stop):
        _verify_runs(found, threads, None, backend, most_inputs)
    return found.checks


def _verify_files(found: Verification, trusted: Sequence[str], demands: Demands) -> None:
    with _check(found, "schema") as report:
        found.bundle = bundle = read_bundle(found.path)
        report(f"format {bundle.manifest.format}, {len(bundle.labels)} classes")
    with _check(found, "digests") as report:
        found.bundle = bundle = read_files(bundle)
        report(f"{len(bundle.manifest.files)} files")
    with _check(found, "signature") as report:
        report(check_trust(bundle, trusted))
    with _check(found, "parity") as report:
        check_parity(bundle)
        parity = bundle.manifest.parity
        report(f"{parity.agreement:.2%} as Keras on {parity.images} {parity.split} images")
    if demands != Demands():
        with _check(found, "demands") as report:
            report(check_demands(bundle, demands))


def check_demands(bundle: Bundle, demands: Demands) -> str:
    """See that a bundle is what this device asks for; returns what was found, in words.

    Raises:
        Refused: it is not.
    """
    path, manifest = bundle.path / MANIFEST, bundle.manifest
    missing = [name for name in demands.hazards if name not in manifest.hazards]
    if missing:
        raise Refused(
            f"{path}: {', '.join(missing)} must be a hazard here ([trust] require_hazards), "
            f"but its hazards are {', '.join(manifest.hazards) or 'none'}; convert another"
        )
    reached = min(manifest.parity.agreement, manifest.parity.gate.agreement)
    if reached < demands.agreement:
        raise Refused(
            f"{path}: agrees with Keras on {reached:.2%} by its figures or its gate, at least "
            f"{demands.agreement:.2%} is asked for here ([trust] minimum_agreement)"
        )
    return f"{len(demands.hazards)} hazards, agreement of {reached:.2%}"


def _verify_runs(
    found: Verification,
    threads: int,
    slowest_ms: float | None,
    backend: Backend,
    most_inputs: int | None = None,
) -> None:
    bundle = found.bundle
    assert bundle is not None
    with _check(found, "model") as report:
        found.classifier = classifier = _open(bundle, threads, backend)
        detector = bundle.detector
        check_model_labels(bundle)
        delegate = "" if backend.delegate is None else f" with {backend.delegate.path.name}"
        report(f"{classifier.runtime}{delegate}, {classifier.size} px, {threads} threads")
    with _check(found, "preprocessing") as report:
        stored = read_golden(bundle)
        off = verify_preprocessing(bundle, stored)
        report("no frame in this bundle" if off is None else f"at most {off} levels off")
    with _check(found, "golden outputs") as report:
        if most_inputs is not None:
            stored = first_inputs(bundle, stored, most_inputs)
        golden = verify_golden(bundle, classifier, stored)
        verify_answers(bundle, classifier, detector, golden)
        report(f"{golden.inputs} inputs, at most {golden.largest_difference} steps off")
    with _check(found, "speed") as report:
        report(f"{golden.median_ms:.1f} ms an image")
        if slowest_ms is not None and golden.median_ms > slowest_ms:
            raise Refused(
                f"{found.path}: {golden.median_ms:.1f} ms an image on this machine, at most "
                f"{slowest_ms:g} allowed; take a model of a smaller image size"
            )


@contextmanager
def _check(found: Verification, name: str) -> Iterator[Callable[[str], None]]:
    """Note what the block finds under `name`."""
    words: list[str] = []
    try:
        yield words.append
    except Refused as error:
        found.checks.append(Check(name, False, str(error)))
        raise _Stop from None
    found.checks.append(Check(name, True, "".join(words)))


def _open(bundle: Bundle, threads: int, backend: Backend) -> Classifier:
    try:
        return open_classifier(bundle, threads, backend)
    except BadInput as error:
        raise Refused(str(error)) from None
