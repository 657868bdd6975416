"""The lock files: the exact wheels of a device, one file for each Python version.

`make locks` writes them. Each agrees with the numpy of that Debian release, since what apt builds
against it (picamera2 and what it needs) is loaded into the same process.
"""

import re
from dataclasses import dataclass
from importlib.resources import files

from edge.errors import EwasteError

_PIN = re.compile(r"([a-z0-9][a-z0-9-]*)==([0-9][0-9a-z.+!]*)((?: --hash=sha256:[0-9a-f]{64})+)")


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock file.

    Attributes:
        name: normalized, as PEP 503 has it.
        version: the exact one.
        hashes: SHA-256 of each file that may be installed, in hexadecimal.
    """

    name: str
    version: str
    hashes: tuple[str, ...]


def lock_text(python: str) -> str:
    """The lock file of a Python version, such as `3.11`."""
    return (files("edge") / "deploy" / "locks" / f"python{python}.txt").read_text(encoding="utf-8")


def read_lock(text: str) -> tuple[Pin, ...]:
    """The pins of a lock file.

    Raises:
        EwasteError: a line is no pin with hashes; pip would then check nothing of it.
    """
    pins = []
    for line in text.replace("\\\n", " ").splitlines():
        entry = " ".join(line.split())
        if not entry or entry.startswith("#"):
            continue
        found = _PIN.fullmatch(entry)
        if found is None:
            raise EwasteError(f"lock file: {entry[:80]}: no exact version with hashes; make locks")
        hashes = tuple(re.findall(r"sha256:([0-9a-f]{64})", found[3]))
        pins.append(Pin(name=found[1], version=found[2], hashes=hashes))
    return tuple(pins)
