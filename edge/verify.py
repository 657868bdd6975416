"""Proving a bundle on this machine, check by check; at install and at every start."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle import (
    Bundle,
    check_digests,
    check_model_labels,
    check_parity,
    open_classifier,
    open_detector,
    read_bundle,
    sha256,
)
from edge.classifier import Classifier
from edge.errors import BadInput, Refused
from edge.golden import verify_golden, verify_preprocessing
from edge.manifest import MANIFEST
from edge.signature import check_signature


@dataclass(frozen=True)
class Check:
    """One check of a bundle: its name, whether it passed, and what was found."""

    name: str
    passed: bool
    said: str


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
                raise Refused(f"refused by the check {check.name!r}: {check.said}")
        if self.bundle is None or self.classifier is None:
            raise Refused(f"{self.path}: not verified")
        return self.bundle, self.classifier


class _Stop(Exception):
    """A check failed: those after it would run what is not proved."""


def verify(
    path: Path, trusted: Sequence[str] = (), threads: int = 2, slowest_ms: float | None = None
) -> Verification:
    """Make all checks of the bundle in `path`, up to the first that fails.

    Args:
        path: the bundle's directory.
        trusted: the public keys of which one must have signed it; none: anyone may.
        threads: of an inference.
        slowest_ms: the longest that the median inference may take; None: it is only measured.

    Raises:
        BadInput: there is no bundle at all.
        EwasteError: this machine has no TFLite runtime.
    """
    found = Verification(path)
    with suppress(_Stop):
        _verify(found, trusted, threads, slowest_ms)
    return found


def _verify(
    found: Verification, trusted: Sequence[str], threads: int, slowest_ms: float | None
) -> None:
    with _check(found, "schema") as said:
        found.bundle = bundle = read_bundle(found.path)
        said(f"format {bundle.manifest.format}, {len(bundle.labels)} classes")
    with _check(found, "digests") as said:
        said(f"{check_digests(bundle)} files")
    with _check(found, "signature") as said:
        said(check_signature(found.path, _sealed(bundle), trusted))
    with _check(found, "parity") as said:
        check_parity(bundle)
        parity = bundle.manifest.parity
        said(f"{parity.agreement:.2%} as Keras on {parity.images} {parity.split} images")
    with _check(found, "model") as said:
        found.classifier = classifier = _open(bundle, threads)
        open_detector(bundle)
        check_model_labels(bundle)
        said(f"{classifier.runtime}, {classifier.size} px, {threads} threads")
    with _check(found, "preprocessing") as said:
        off = verify_preprocessing(bundle)
        said("no frame in this bundle" if off is None else f"at most {off} levels off")
    with _check(found, "golden outputs") as said:
        golden = verify_golden(bundle, classifier)
        said(f"{golden.inputs} inputs, at most {golden.largest_difference} steps off")
    with _check(found, "speed") as said:
        said(f"{golden.median_ms:.1f} ms an image")
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


def _sealed(bundle: Bundle) -> bytes:
    """The content of `manifest.json`, as it was when the digests were checked."""
    try:
        sealed = (bundle.path / MANIFEST).read_bytes()
    except OSError as error:
        raise Refused(f"{bundle.path / MANIFEST}: cannot be read ({error.strerror})") from None
    if sha256(sealed) != bundle.digest:
        raise Refused(f"{bundle.path / MANIFEST}: changed while it was being verified")
    return sealed


def _open(bundle: Bundle, threads: int) -> Classifier:
    try:
        return open_classifier(bundle, threads)
    except BadInput as error:
        raise Refused(str(error)) from None
