"""The keys of a repository's roles: Ed25519, one file each, for their owner alone.

A file is called by its role and the version of the root metadata that it came in with, such as
`timestamp-1.pem`, so that a rotation overwrites nothing. The keys of the role root lie in a folder
of their own, which can be kept offline: only a new root needs them.
"""

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, Signature

from convert.roles import Role
from edge.bundle.signature import make_key, read_key
from edge.files import make_private_folder
from edge.readers import readable_by_others

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyFolders:
    """Where the keys lie.

    Attributes:
        online: those of targets, snapshot, and timestamp.
        root: those of root.
    """

    online: Path
    root: Path

    def of(self, role: Role) -> Path:
        """The folder of a role's keys."""
        return self.root if role is Role.ROOT else self.online


def make_signer(folders: KeyFolders, role: Role, version: int) -> CryptoSigner:
    """Make the key of a role that comes in with this version of root.

    One that is there already is taken: a process that was killed made it, and signed nothing.

    Raises:
        BadInput: the file holds no key.
        EwasteError: it cannot be written.
        OSError: the folder cannot be made.
    """
    path = folders.of(role) / f"{role.value}-{version}.pem"
    make_private_folder(path.parent)
    if not path.exists():
        make_key(path)
    return CryptoSigner(read_key(path))


def find_signer(folders: KeyFolders, role: Role, keyids: Collection[str]) -> CryptoSigner | None:
    """The key of a role whose identity is among `keyids`; None: it is not at hand.

    Raises:
        BadInput: a file holds no key.
    """
    for path in sorted(folders.of(role).glob(f"{role.value}-*.pem"), reverse=True):
        signer = CryptoSigner(read_key(path))
        if signer.public_key.keyid in keyids:
            if readable_by_others(path, user=os.getuid()):
                log.warning("%s: others can read this key; run: chmod 600 %s", path, path)
            return signer
    return None


def is_ours(
    folders: KeyFolders, role: Role, content: bytes, signatures: Mapping[str, Signature]
) -> bool:
    """Whether a key of ours, also one that was rotated away, signed this content.

    Args:
        folders: where the keys lie.
        role: whose keys.
        content: the bytes that were signed.
        signatures: by the identity of the key.

    Raises:
        BadInput: a file holds no key.
    """
    for path in folders.of(role).glob(f"{role.value}-*.pem"):
        key = CryptoSigner(read_key(path)).public_key
        if key.keyid in signatures:
            try:
                key.verify_signature(signatures[key.keyid], content)
            except UnverifiedSignatureError:
                continue
            return True
    return False
