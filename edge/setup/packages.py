"""Packages of the system: of apt, or from a kit."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.errors import EwasteError
from edge.setup.commands import Runner
from edge.setup.kit import Kit
from edge.setup.report import Step, already, done, note
from edge.setup.system import Host

NEEDED = ("python3-venv",)
ON_A_PI = ("python3-picamera2", "python3-lgpio")
"""Camera and pins of a Raspberry Pi; both load libraries of the system."""
UPDATE_S, INSTALL_S, ASKED_S = 900.0, 3600.0, 60.0
APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300")
INSTALL = (*APT, "--no-install-recommends", "install")
QUIETLY = {"DEBIAN_FRONTEND": "noninteractive"}


def packages(host: Host, *, has_environment: bool, run: Runner) -> Iterator[Step]:
    """Install what the line needs of the system, from the network.

    Args:
        host: the machine.
        has_environment: the environment of the program is there, so that none is made.
        run: runs apt.

    Raises:
        EwasteError: apt fails, or does not have what is needed.
    """
    needed = () if has_environment else NEEDED
    wished = (*needed, *(ON_A_PI if host.is_pi else ()))
    missing = [name for name in wished if not is_installed(name, run)]
    if not missing:
        yield already("packages", ", ".join(wished) or "none is needed")
        return
    _finish_interrupted(run)
    try:
        run((*APT, "update"), seconds=UPDATE_S, environment=QUIETLY)
    except EwasteError as error:
        if not needed:
            yield from _lacking(missing, "apt cannot be asked")
            return
        raise EwasteError(f"{error}; without a network install from a stick: --offline") from None
    there = [name for name in missing if name in needed or _is_offered(name, run)]
    if there:
        run((*INSTALL, *there), seconds=INSTALL_S, environment=QUIETLY, tied=False)
        yield done("packages", ", ".join(there))
    yield from _lacking([name for name in missing if name not in there], "apt does not have it")


def packages_of_kit(host: Host, kit: Kit, run: Runner) -> Iterator[Step]:
    """Install what a kit has of the packages that are useful on this machine.

    None is indispensable: the kit has its own pip. So what fails is a note.
    """
    missing = [name for name in ON_A_PI if host.is_pi and not is_installed(name, run)]
    if not missing:
        yield already("packages", "none is needed from the kit")
        return
    held = kit.debs(host.release, host.architecture)
    lacking = [path for path in held if not is_installed(path.name.partition("_")[0], run)]
    if not lacking:
        yield from _lacking(missing, "the kit does not have it")
        return
    _finish_interrupted(run)
    command = (*INSTALL, "--no-download", *(path.absolute() for path in lacking))
    try:
        run(command, seconds=INSTALL_S, environment=QUIETLY, tied=False)
    except EwasteError as error:
        yield note("packages", f"{error}; without {', '.join(missing)} go camera or pins")
        return
    yield done("packages", f"{len(lacking)} from {held[0].parent}")
    yield from _lacking([each for each in missing if not is_installed(each, run)], "not in the kit")


def is_installed(name: str, run: Runner) -> bool:
    """Whether dpkg has a package, unpacked and configured."""
    try:
        found = run(("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", name), seconds=ASKED_S)
    except EwasteError:
        return False
    return found.startswith("ii")


def _finish_interrupted(run: Runner) -> None:
    """After a power cut dpkg may wait for this; otherwise it does nothing."""
    command = ("dpkg", "--force-confold", "--configure", "-a")
    run(command, seconds=INSTALL_S, environment=QUIETLY, tied=False)


def _is_offered(name: str, run: Runner) -> bool:
    try:
        return "Package:" in run(("apt-cache", "show", name), seconds=ASKED_S)
    except EwasteError:
        return False


def _lacking(names: Sequence[str | Path], reason: str) -> Iterator[Step]:
    for name in names:
        yield note("packages", f"{name}: {reason}; the line runs without, but not its part")
