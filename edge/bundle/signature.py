"""Signatures of bundles: Ed25519 (RFC 8032) over `manifest.json`, which holds all digests.

A private key is a PEM file (PKCS #8), a public one a line of text, `ed25519:` and 32 bytes in
base64. `manifest.sig` is one line: the public key, a space, the signature in base64. The package
`cryptography` is imported only where there is something to sign or to check.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import BadInput, EwasteError, Refused, one_line
from edge.files import write_whole

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE = "manifest.sig"
PREFIX = "ed25519:"
CONTEXT = b"ewaste-edge bundle 1\n"
"""Signed before the manifest, so that no signature made for something else fits."""


def make_key(path: Path) -> str:
    """Write a new private key to `path`, which only its owner may read; returns the public key.

    The public key also goes to a file beside it, `.pub` at its end.

    Raises:
        BadInput: there is a file already.
        EwasteError: the key cannot be written.
    """
    key, content = new_key()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        write_whole(path.with_name(f"{path.name}.pub"), f"{public_key(key)}\n".encode())
    except FileExistsError:
        raise BadInput(f"{path}: exists; a key is never overwritten") from None
    except OSError as error:
        raise EwasteError(f"{path}: cannot be written ({error.strerror})") from None
    return public_key(key)


def new_key() -> "tuple[Ed25519PrivateKey, bytes]":
    """A new private key, and the content of its file."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key, content


def read_key(path: Path) -> "Ed25519PrivateKey":
    """Read a private key.

    Raises:
        BadInput: there is none in this file.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{path}: no Ed25519 private key; make one with: ewaste-edge keygen")
    return key


def public_key(key: "Ed25519PrivateKey") -> str:
    """The text that a device trusts a key by."""
    return PREFIX + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def sign(key: "Ed25519PrivateKey", manifest: bytes, context: bytes = CONTEXT) -> bytes:
    """The content of `manifest.sig` for that of `manifest.json`; `context` says what is signed."""
    signature = base64.b64encode(key.sign(context + manifest)).decode()
    return f"{public_key(key)} {signature}\n".encode()


def check_key(text: str) -> str:
    """See that a text is a public key.

    Raises:
        ValueError: it is none.
    """
    if not text.startswith(PREFIX) or len(_decode(text.removeprefix(PREFIX))) != 32:
        raise ValueError(f"{text!r} is no public key; expected what ewaste-edge keygen prints")
    return text


def check_signature(
    path: Path,
    manifest: bytes,
    signature: bytes | None,
    trusted: Sequence[str],
    context: bytes = CONTEXT,
) -> str:
    """See that a bundle is signed by a trusted key; where none is trusted, anything goes.

    `manifest` and `signature` are the contents of its `manifest.json` and `manifest.sig`, which is
    at `path`; None: there is no signature. `context` is as for `sign`. Returns what was found, in
    words.

    Raises:
        Refused: keys are trusted, and none of them signed this manifest.
    """
    if not trusted:
        return "not asked for: no key is trusted" + (", though signed" if signature else "")
    if signature is None:
        raise Refused(f"{path}: missing; only bundles signed by a trusted key are accepted")
    try:
        signer, _, signed = signature.decode("ascii").strip().partition(" ")
    except ValueError:
        raise Refused(f"{path}: no signature") from None
    if signer not in trusted:
        raise Refused(
            f"{path}: signed by an untrusted key ({one_line(signer, 80)}); if it is yours, add it "
            "to [trust] keys in the configuration"
        )
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(_decode(signer.removeprefix(PREFIX)))
    try:
        key.verify(_decode(signed), context + manifest)
    except InvalidSignature:
        raise Refused(f"{path}: not of this manifest; sign the bundle again") from None
    return f"by {signer}"


def _decode(text: str) -> bytes:
    """Base64; what is none becomes nothing."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
