"""The device's own key, which signs what it has learned: made at first use, never shown."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edge.bundle.signature import new_key, public_key, read_key
from edge.errors import BadInput
from edge.files import PRIVATE, write_whole

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_NAME = "device.key"
CONTEXT = b"ewaste-edge learned 1\n"
"""Signed before a manifest: no signature of a bundle fits, nor the other way round."""


def device_key(store: Path) -> "Ed25519PrivateKey":
    """The key in a store, made if there is none; whoever calls holds the lock of the store.

    One that is damaged is no key any more: what it has signed is not used until it is replaced by
    hand, and nothing new is signed with it.

    Raises:
        BadInput: it cannot be read, or is none.
        OSError: it cannot be written.
    """
    path = store / KEY_NAME
    if not os.path.lexists(path):
        key, content = new_key()
        write_whole(path, content, mode=PRIVATE)
    else:
        key = read_key(path)
    if os.geteuid() == 0:  # what an administrator made, the service must be able to read
        with suppress(OSError):
            owner = store.stat()
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return key


def own_public_key(store: Path) -> str:
    """The public key that what was learned here is signed with; empty: there is no key.

    Raises:
        BadInput: the key cannot be read, or is none.
    """
    path = store / KEY_NAME
    if not os.path.lexists(path):
        return ""
    if path.is_symlink():
        raise BadInput(f"{path}: is a link; remove it")
    return public_key(read_key(path))
