"""What a bundle is: a quantised model with the proof that it equals the float model.

A bundle is a directory with `manifest.json` and the files it requires, whose digests it holds.
The workstation writes one with `write_bundle`; the device refuses one that it cannot prove.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.classifier import Classifier
from edge.errors import BadInput, EwasteError, Refused
from edge.files import sync_folder, write_whole
from edge.manifest import (
    FILES,
    LABELS,
    MANIFEST,
    MODEL,
    REMEDY,
    UNKNOWN_FILE,
    Manifest,
    labels_text,
    parse_manifest,
)
from edge.signature import SIGNATURE, sign
from edge.unknown import UnknownDetector, unpack_detector

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DEFAULT_BUNDLE = Path(__file__).parent / "models" / "ewaste-resnet50-int8"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are proved to be those of its manifest.

    Attributes:
        path: the directory.
        manifest: what `manifest.json` says.
        labels: the classes, in the order of the model's outputs.
        digest: SHA-256 of `manifest.json`, hence of everything in the bundle.
    """

    path: Path
    manifest: Manifest
    labels: tuple[str, ...]
    digest: str


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and check all that can be checked without keys and without the model.

    `edge.verify` makes every check.

    Raises:
        BadInput: `path` is not a bundle at all.
        Refused: a file is missing, altered or malformed, or the parity verdict is not "passed".
    """
    bundle = read_bundle(path)
    check_digests(bundle)
    check_parity(bundle)
    return bundle


def read_bundle(path: Path) -> Bundle:
    """Read the manifest of a bundle, and nothing else of it yet.

    Raises:
        BadInput: `path` is not a bundle at all.
        Refused: the manifest is missing or malformed.
    """
    present = [name for name in (MANIFEST, *FILES) if (path / name).is_file()]
    if not present:
        raise BadInput(f"{path}: not a bundle (expected a folder with {MANIFEST} and {MODEL})")
    sealed = _read(path / MANIFEST)
    manifest = parse_manifest(path / MANIFEST, sealed)
    required = manifest.required_files
    if set(manifest.files) != set(required):
        raise Refused(f"{path / MANIFEST}: must list {', '.join(required)}; {REMEDY}")
    return Bundle(path, manifest, manifest.labels, sha256(sealed))


def check_digests(bundle: Bundle) -> int:
    """See that all files are those of the manifest; returns how many.

    Raises:
        Refused: one is missing or altered, or the labels are not the manifest's.
    """
    for name, digest in bundle.manifest.files.items():
        content = _read(bundle.path / name)
        if sha256(content) != digest:
            raise Refused(f"{bundle.path / name}: altered since it was converted; {REMEDY}")
        if name == LABELS and content != labels_text(bundle.labels):
            raise Refused(f"{bundle.path / LABELS}: other labels than in {MANIFEST}; {REMEDY}")
    return len(bundle.manifest.files)


def check_model_labels(bundle: Bundle) -> None:
    """See that the labels that the model file itself carries, if any, are the manifest's.

    They lie in a zip archive behind the model (TFLite metadata).

    Raises:
        Refused: others, or in another order.
    """
    path = bundle.path / MODEL
    try:
        with zipfile.ZipFile(path) as archive:
            labels = archive.read(LABELS)
    except (OSError, KeyError, zipfile.BadZipFile):
        return
    if labels != labels_text(bundle.labels):
        raise Refused(f"{path}: carries other labels than {MANIFEST} says; {REMEDY}")


def check_parity(bundle: Bundle) -> None:
    """See that the quantised model was found equal to the float one.

    Raises:
        Refused: the verdict is not "passed", or its own figures belie it.
    """
    if not bundle.manifest.parity.holds:
        raise Refused(
            f"{bundle.path / MANIFEST}: the model did not pass parity; train and convert anew"
        )


def open_classifier(bundle: Bundle, threads: int = 2) -> Classifier:
    """Load the model of a bundle, to run on `threads` threads.

    Raises:
        Refused: the model takes another input than the manifest says.
        BadInput: the runtime cannot load the model.
    """
    manifest = bundle.manifest
    classifier = Classifier(bundle.path / MODEL, bundle.labels, manifest.temperature, threads)
    if classifier.size != manifest.input.size:
        raise Refused(
            f"{bundle.path / MODEL}: takes images of {classifier.size} pixels, but the manifest "
            f"says {manifest.input.size}; {REMEDY}"
        )
    return classifier


def open_detector(bundle: Bundle) -> UnknownDetector | None:
    """Load what tells things of no known class; None for a bundle that has no such detector.

    Raises:
        Refused: it is malformed.
    """
    rule, path = bundle.manifest.unknown, bundle.path / UNKNOWN_FILE
    if rule is None:
        return None
    try:
        return unpack_detector(_read(path), rule, len(bundle.labels))
    except BadInput as error:
        raise Refused(f"{path}: {error}; {REMEDY}") from None


def write_bundle(
    out: Path,
    manifest: Manifest,
    contents: Mapping[str, bytes],
    key: "Ed25519PrivateKey | None" = None,
) -> Bundle:
    """Write a bundle whole, or not at all; a bundle that lies there already is replaced.

    `contents` are the model, the golden file, the card and, if the manifest has a detector, its
    data; the labels and the manifest with all digests are added. A process killed in between
    leaves at most hidden folders beside `out`, which the next call removes. With a `key` the
    manifest is signed.

    Raises:
        BadInput: `out` exists and is no bundle.
        Refused: what would be written is no valid bundle.
        EwasteError: it cannot be written.
    """
    out = out.resolve()
    check_replaceable(out)
    contents = {**contents, LABELS: labels_text(manifest.labels)}
    digests = {name: sha256(content) for name, content in contents.items()}
    sealed = manifest.model_copy(update={"files": digests})
    contents[MANIFEST] = sealed.model_dump_json(indent=2).encode() + b"\n"
    if key is not None:
        contents[SIGNATURE] = sign(key, contents[MANIFEST])
    fresh, aside = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear(out, fresh, aside)
        fresh.mkdir()
        for name, content in contents.items():
            write_whole(fresh / name, content)
        load_bundle(fresh)
        if out.exists():
            out.rename(aside)
        fresh.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise EwasteError(f"{out}: cannot be written ({error}); check space and rights") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)
    return load_bundle(out)


def check_replaceable(out: Path) -> None:
    """See that `out` is free or a bundle.

    Raises:
        BadInput: something else is there, which must not be lost.
    """
    if out.exists() and not (out / MANIFEST).is_file():
        raise BadInput(f"{out}: exists and is no bundle; remove it or choose another place")


def sha256(content: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Refused(f"{path}: missing from the bundle; {REMEDY}") from None
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from None


def _clear(out: Path, fresh: Path, aside: Path) -> None:
    """Remove what a killed call left; if it was killed between the renames, undo the first."""
    if aside.exists() and not out.exists():
        aside.rename(out)
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)
