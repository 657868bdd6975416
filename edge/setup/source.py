"""The program that is being installed: the one that runs the installer."""

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import edge
from edge.errors import BadInput

WHEEL = "ewaste_edge-*.whl"
BUILT_FROM = ("setup.py", "pyproject.toml", "README.md", "edge")
CHUNK = 2**20


@dataclass(frozen=True)
class ProgramSource:
    """Where the program comes from.

    Attributes:
        path: a wheel, or the folder of a checkout.
        is_installed: it is the wheel of the environment that runs the installer.
    """

    path: Path
    is_installed: bool = False

    @property
    def is_wheel(self) -> bool:
        """It is a wheel."""
        return self.path.suffix == ".whl"


def own_source() -> ProgramSource:
    """The source of the program that runs.

    Raises:
        BadInput: it was installed by other means, and its wheel is not at hand.
    """
    above = Path(edge.__file__).parent.parent
    if above.is_file():  # a wheel is a zip that Python imports from
        return ProgramSource(above.resolve())
    if (above / "setup.py").is_file() and (above / "edge" / "deploy").is_dir():
        return ProgramSource(above.resolve())
    for wheel in sorted(Path(sys.prefix).glob(WHEEL)):
        return ProgramSource(wheel, is_installed=True)
    raise BadInput(
        f"{above}: the installer did not put the program there, and its wheel is not at hand; "
        "run edge/deploy/install.sh of a checkout, or the install.sh that --download made"
    )


def source_digest(source: ProgramSource) -> str:
    """SHA-256 over what the program is made of, in hexadecimal."""
    if source.is_wheel:
        return file_digest(source.path)
    found = hashlib.sha256()
    for path in _files(source.path):
        name = str(path.relative_to(source.path))
        found.update(f"{name}\0{file_digest(path)}\n".encode())
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def copy_source(source: ProgramSource, target: Path) -> None:
    """Copy what a wheel is built from, so that the build writes nothing into the checkout."""
    for path in _files(source.path):
        copied = target / path.relative_to(source.path)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)


def _files(folder: Path) -> list[Path]:
    found = []
    for name in BUILT_FROM:
        path = folder / name
        inside = path.rglob("*") if path.is_dir() else [path]
        found += [each for each in inside if each.is_file() and each.suffix != ".pyc"]
    return sorted(found)
