"""What a bundle is: a quantized model with the proof that it equals the float model.

A bundle is a directory with `manifest.json` and the files it requires, whose digests it holds.
The workstation writes one with `write_bundle`; the device refuses one that it cannot prove.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edge.arrays import open_zip, read_member
from edge.bundle.manifest import (
    CARD,
    FILES,
    GOLDEN,
    LABELS,
    MANIFEST,
    MODEL,
    REMEDY,
    UNKNOWN_FILE,
    Manifest,
    labels_text,
    parse_manifest,
)
from edge.bundle.signature import SIGNATURE, check_signature, sign
from edge.errors import BadInput, EwasteError, Refused, one_line
from edge.files import sync_folder, temporary_beside, write_whole
from edge.inference.backend import DEFAULT_BACKEND, Backend
from edge.inference.classifier import Classifier
from edge.inference.ood import OodDetector, unpack_detector
from edge.inference.touching import TouchingRule, unpack_touching
from edge.numbered_folders import read_once

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DEFAULT_BUNDLE = Path(__file__).parent.parent / "models" / "ewaste-resnet50-int8"
ASIDE_SUFFIX = ".old"
"""How the hidden folder ends that a bundle is in while another takes its place."""
MOST_FILE_BYTES: Mapping[str, int] = {
    MANIFEST: 2**20,
    SIGNATURE: 2**12,
    LABELS: 2**20,
    CARD: 2**22,
    MODEL: 128 * 2**20,
    GOLDEN: 64 * 2**20,
    UNKNOWN_FILE: 64 * 2**20,
}
"""Bytes that a file of a bundle may have; an unquantized ResNet50 has 94 MB."""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are proved to be those of its manifest.

    Each file was read once. What was hashed, and signed, is what `contents` hold, and what runs:
    nothing is read from `path` again.

    Attributes:
        path: the directory.
        manifest: the content of `manifest.json`.
        labels: the classes, in the order of the model's outputs.
        digest: SHA-256 of `manifest.json`, hence of everything in the bundle.
        contents: the files by name, `manifest.json` and `manifest.sig` too.
    """

    path: Path
    manifest: Manifest
    labels: tuple[str, ...]
    digest: str
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def content(self, name: str) -> bytes:
        """What the file `name` holds.

        Raises:
            Refused: it is not among those that were read.
        """
        if name not in self.contents:
            raise Refused(f"{self.path / name}: missing from the bundle; {REMEDY}")
        return self.contents[name]

    @cached_property
    def detector(self) -> OodDetector | None:
        """The out-of-distribution detector, loaded once; None for a bundle that has none.

        Raises:
            Refused: it is malformed.
        """
        rule, path = self.manifest.unknown, self.path / UNKNOWN_FILE
        if rule is None:
            return None
        try:
            return unpack_detector(self.content(UNKNOWN_FILE), rule, len(self.labels))
        except BadInput as error:
            raise Refused(f"{path}: {error}; {REMEDY}") from None

    @cached_property
    def touching(self) -> TouchingRule | None:
        """What tells several items from one, loaded once; None for a bundle that has none.

        Raises:
            Refused: it is malformed.
        """
        if self.manifest.unknown is None:
            return None
        try:
            return unpack_touching(self.content(UNKNOWN_FILE))
        except BadInput as error:
            raise Refused(f"{self.path / UNKNOWN_FILE}: {error}; {REMEDY}") from None


def load_bundle(path: Path, trusted: Sequence[str] = ()) -> Bundle:
    """Read a bundle and check all that can be checked without running the model.

    `trusted` are the public keys of which one must have signed it; none: anyone may.
    `edge.bundle.verify` makes every check.

    Raises:
        BadInput: `path` is not a bundle at all.
        Refused: a file is missing, altered or malformed, not signed by a trusted key, or the parity
            verdict is not "passed".
    """
    bundle = read_bundle(path)
    if trusted:
        check_trust(bundle, trusted)
    bundle = read_files(bundle)
    check_parity(bundle)
    return bundle


def read_bundle(path: Path) -> Bundle:
    """Read the manifest of a bundle and its signature, and nothing else of it yet.

    Raises:
        BadInput: `path` is not a bundle at all.
        Refused: the manifest is missing or malformed.
    """
    try:
        if path.is_symlink() and not path.exists():
            raise BadInput(
                f"{path}: points to {path.readlink()}, which is not there; install a bundle again, "
                "or remove the link for the one that comes with the program"
            )
        (path / MANIFEST).lstat()
    except PermissionError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except (OSError, ValueError):  # no folder, no file of this name, or no name at all
        pass
    if not any(os.path.lexists(path / name) for name in (MANIFEST, *FILES)):
        raise BadInput(f"{path}: not a bundle (expected a folder with {MANIFEST} and {MODEL})")
    contents = {MANIFEST: _read_file(path, MANIFEST)}
    if os.path.lexists(path / SIGNATURE):
        contents[SIGNATURE] = _read_file(path, SIGNATURE)
    return parse_bundle(path, contents)


def parse_bundle(path: Path, contents: Mapping[str, bytes]) -> Bundle:
    """The bundle in `path` whose files hold `contents`, its manifest at least.

    Raises:
        Refused: the manifest is malformed.
    """
    sealed = contents[MANIFEST]
    manifest = parse_manifest(path / MANIFEST, sealed)
    required = manifest.required_files
    if set(manifest.files) != set(required):
        raise Refused(f"{path / MANIFEST}: must list {', '.join(required)}; {REMEDY}")
    return Bundle(path, manifest, manifest.labels, sha256(sealed), contents)


def check_trust(bundle: Bundle, trusted: Sequence[str]) -> str:
    """See that a bundle is signed by a trusted key; returns what was found, in words.

    Raises:
        Refused: it is not.
    """
    signature = bundle.contents.get(SIGNATURE)
    return check_signature(bundle.path / SIGNATURE, bundle.content(MANIFEST), signature, trusted)


def read_files(bundle: Bundle) -> Bundle:
    """Read all files, each once, and see that they are those of the manifest.

    Raises:
        Refused: one is missing or altered, or the labels are not the manifest's.
    """
    contents = dict(bundle.contents)
    for name, digest in bundle.manifest.files.items():
        content = _read_file(bundle.path, name)
        if sha256(content) != digest:
            raise Refused(f"{bundle.path / name}: altered since it was converted; {REMEDY}")
        if name == LABELS and content != labels_text(bundle.labels):
            raise Refused(f"{bundle.path / LABELS}: other labels than in {MANIFEST}; {REMEDY}")
        contents[name] = content
    return replace(bundle, contents=contents)


def check_model_labels(bundle: Bundle) -> None:
    """See that the labels that the model file itself carries, if any, are the manifest's.

    They lie in a zip archive behind the model (TFLite metadata).

    Raises:
        Refused: others, or in another order.
    """
    path, expected = bundle.path / MODEL, labels_text(bundle.labels)
    try:
        archive = open_zip(bundle.content(MODEL))
    except ValueError:
        return
    if LABELS not in archive.namelist():
        return
    try:
        labels = read_member(archive, LABELS, MOST_FILE_BYTES[LABELS])
    except ValueError as error:
        raise Refused(f"{path}: its labels cannot be read ({one_line(error)}); {REMEDY}") from None
    if labels != expected:
        raise Refused(f"{path}: carries other labels than {MANIFEST} states; {REMEDY}")


def check_parity(bundle: Bundle) -> None:
    """See that the quantized model was found equal to the float one.

    Raises:
        Refused: the verdict is not "passed", or its own figures belie it.
    """
    if not bundle.manifest.parity.holds:
        raise Refused(
            f"{bundle.path / MANIFEST}: the model did not pass parity; train and convert again"
        )


def open_classifier(
    bundle: Bundle, threads: int = 2, backend: Backend = DEFAULT_BACKEND
) -> Classifier:
    """Load the model of a bundle, to run on `threads` threads of `backend`.

    Raises:
        Refused: the model takes another input than the manifest states, or the delegate cannot be
            used.
        BadInput: the runtime cannot load the model.
    """
    manifest = bundle.manifest
    classifier = Classifier(
        bundle.path / MODEL,
        bundle.labels,
        manifest.temperature,
        threads,
        bundle.content(MODEL),
        backend=backend,
    )
    if classifier.size != manifest.input.size:
        raise Refused(
            f"{bundle.path / MODEL}: takes images of {classifier.size} pixels, but the manifest "
            f"says {manifest.input.size}; {REMEDY}"
        )
    declared = manifest.activation_map
    if declared is not None and classifier.map_shape != (declared.height, declared.width):
        height, width = classifier.map_shape or (0, 0)
        raise Refused(
            f"{bundle.path / MODEL}: gives an activation map of {height} x {width}, but the "
            f"manifest says {declared.height} x {declared.width}; {REMEDY}"
        )
    return classifier


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
    contents[MANIFEST] = sealed.as_json
    if key is not None:
        contents[SIGNATURE] = sign(key, contents[MANIFEST])
    staged, aside = temporary_beside(out), temporary_beside(out).with_suffix(ASIDE_SUFFIX)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear(out)
        staged.mkdir()
        for name, content in contents.items():
            write_whole(staged / name, content)
        load_bundle(staged)
        if out.exists():
            out.rename(aside)
        staged.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise EwasteError(f"{out}: cannot be written ({error}); check space and rights") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)
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


def _read_file(folder: Path, name: str) -> bytes:
    path = folder / name
    return read_once(path, MOST_FILE_BYTES[name], remedy=REMEDY, missing="missing from the bundle")


def _clear(out: Path) -> None:
    """Remove what a killed call left; if it was killed between the renames, undo the first."""
    ours = re.compile(rf"\.{re.escape(out.name)}\.[0-9a-f]{{16}}\.(new|old)")
    for left in [entry for entry in out.parent.iterdir() if ours.fullmatch(entry.name)]:
        if left.suffix == ASIDE_SUFFIX and not out.exists():
            left.rename(out)
        else:
            shutil.rmtree(left, ignore_errors=True)
