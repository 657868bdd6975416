"""Kits of made-up programs, which are small and are built at once."""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from edge.setup.kit import Kit, write_kit

SCRIPT = b"#!/bin/sh\n"
COMMON = b"what all versions have in common" * 2000
PURE, BUILT = "a-1-py3-none-any.whl", "b-2-cp311-cp311-manylinux2014_aarch64.whl"


def lock_of(wheels: Mapping[str, bytes]) -> str:
    """A lock file that asks for these wheels."""
    pins = []
    for name, content in wheels.items():
        project, version = name.split("-")[:2]
        pins.append(f"{project}=={version} --hash=sha256:{hashlib.sha256(content).hexdigest()}")
    return "\n".join(pins) + "\n"


def make_wheel(
    folder: Path, version: str, lock: str, *, python: str = "3.11", script: bytes = SCRIPT
) -> Path:
    """The wheel of a program, as far as a kit is judged by it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"ewaste_edge-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {
            "edge/__init__.py": f'__version__ = "{version}"\n',
            f"edge/deploy/locks/python{python}.txt": lock,
            "edge/deploy/install.sh": script.decode(),
        }.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def make_kit(
    folder: Path,
    version: str,
    *,
    wheels: Mapping[str, bytes] | None = None,
    platform: str = "aarch64",
    python: str = "3.11",
) -> Path:
    """A kit of a program for one machine."""
    wheels = {PURE: COMMON, BUILT: version.encode()} if wheels is None else wheels
    program = make_wheel(folder, version, lock_of(wheels), python=python)
    files = {program.name: program.read_bytes(), "install.sh": SCRIPT}
    files |= {f"wheels/{name}": content for name, content in wheels.items()}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    write_kit(Kit(folder=folder, platforms=(platform,), pythons=(python,), digests=digests))
    return folder
