"""The virtual environment: made in a folder of its own, and taken into use when it is whole.

The scripts of a virtual environment hold its path, so it cannot be renamed. Each lies in a folder
that is named after its content; `/opt/ewaste-edge` is a link that is replaced in one step. A folder
without the mark that is written last is half-made: nothing uses it, and it is made anew.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edge.errors import EwasteError
from edge.files import temporary_beside, write_whole
from edge.setup.commands import Runner
from edge.setup.kit import Kit, program_in
from edge.setup.lock import lock_text, read_lock
from edge.setup.places import NAME, Places
from edge.setup.report import Step, already, done, note
from edge.setup.source import WHEEL, ProgramSource, copy_source, source_digest

MARK = "complete"
SHOWN = 12
VENV_S, PIP_S, WHEEL_S = 600.0, 7200.0, 1200.0
"""Time limits, s: pip may load 300 MB over a slow line."""


def environment(
    places: Places, *, python: str, source: ProgramSource, kit: Kit | None, run: Runner
) -> Iterator[Step]:
    """Make the environment, unless it is there, and take it into use.

    Args:
        places: where.
        python: version of the system's Python, such as `3.11`.
        source: the program.
        kit: folder to install from; None: from the network.
        run: runs other programs.

    Raises:
        EwasteError: pip fails, or a wheel is another than the lock file names.
    """
    target = environment_folder(places, python, source)
    if not is_whole(target):
        yield from _set_aside(places)
    yield made(places, python=python, source=source, kit=kit, run=run)
    if _leads_to(places.program, target):
        yield already("program", f"{places.program} -> {target.name}")
    else:
        replace_link(places.program, Path(target.name))
        yield done("program", f"{places.program} -> {target.name}")
    yield _command(places)


def made(
    places: Places, *, python: str, source: ProgramSource, kit: Kit | None, run: Runner
) -> Step:
    """Make the environment, unless it is there; it is not taken into use.

    Args and errors: as of `environment`.
    """
    target = environment_folder(places, python, source)
    if is_whole(target):
        return already("environment", str(target))
    _build(target, places=places, python=python, source=source, kit=kit, run=run)
    return done("environment", f"{target}: {len(read_lock(lock_text(python)))} wheels")


def prove(places: Places) -> None:
    """Let the environment in use be the one that is gone back to, and that updates run from."""
    target = Path(places.program.resolve().name)
    if not _leads_to(places.proven, places.programs / target):
        replace_link(places.proven, target)


def environment_folder(places: Places, python: str, source: ProgramSource) -> Path:
    """The folder of the environment of this program, named after its content."""
    if source.is_installed:
        return source.path.parent
    content = f"{python}\n{lock_text(python)}\n{source_digest(source)}"
    return places.programs / f"{NAME}-{hashlib.sha256(content.encode()).hexdigest()[:SHOWN]}"


def is_whole(folder: Path) -> bool:
    """Whether an environment was made to its end."""
    return (folder / MARK).is_file()


def others(places: Places) -> list[Path]:
    """The environments that are not in use and not gone back to, whole or half-made."""
    used = {places.program.resolve(), places.proven.resolve()}
    return [path for path in environments(places) if path.resolve() not in used]


def environments(places: Places) -> list[Path]:
    """All environments, whole or half-made."""
    return sorted(places.programs.glob(f"{NAME}-{'[0-9a-f]' * SHOWN}"))


def remove(folder: Path) -> None:
    """Remove an environment; the mark first, so that what remains of it is never used."""
    (folder / MARK).unlink(missing_ok=True)
    shutil.rmtree(folder)


def replace_link(link: Path, target: Path) -> None:
    """Let a link lead to `target`, in one step."""
    link.parent.mkdir(parents=True, exist_ok=True)
    staged = temporary_beside(link)
    staged.symlink_to(target)
    try:
        staged.replace(link)
    except OSError:
        staged.unlink()
        raise


def _build(
    target: Path,
    *,
    places: Places,
    python: str,
    source: ProgramSource,
    kit: Kit | None,
    run: Runner,
) -> None:
    if target.exists():
        remove(target)
    scratch = target / "tmp"
    scratch.mkdir(parents=True)
    # On some systems /tmp is in memory, and small.
    variables = {"TMPDIR": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    without = () if kit is None else ("--without-pip",)
    venv = (places.python, "-m", "venv", "--system-site-packages", *without, target)
    run(venv, seconds=VENV_S)
    lock = target / "requirements.txt"
    lock.write_text(lock_text(python), encoding="utf-8")
    pip = _pip(target, python, kit)
    offline = () if kit is None else ("--no-index", "--find-links", kit.wheels)
    # What the system has may go with its next update: the environment holds all of its own.
    exact = ("--require-hashes", "--only-binary=:all:", "--no-deps", "--ignore-installed")
    wheels = (*pip, "--quiet", *exact, *offline, "-r", lock)
    run(wheels, seconds=PIP_S, environment=variables)
    wheel = _program(target, scratch, source=source, kit=kit, run=run, variables=variables)
    own = (*pip, "--quiet", "--no-index", "--no-deps", wheel)
    run(own, seconds=WHEEL_S, environment=variables)
    shutil.rmtree(scratch)
    os.sync()  # the mark vouches for all files, after a power cut too
    write_whole(target / MARK, b"")


def _pip(target: Path, python: str, kit: Kit | None) -> tuple[object, ...]:
    """Pip of the environment; from a kit, the pinned one, since Debian may lack ensurepip."""
    options = (
        "install",
        "--no-cache-dir",
        "--no-warn-script-location",
        "--root-user-action=ignore",
    )
    if kit is None:
        return (target / "bin/python", "-m", "pip", *options)
    version = next(pin.version for pin in read_lock(lock_text(python)) if pin.name == "pip")
    return (target / "bin/python", kit.wheels / f"pip-{version}-py3-none-any.whl/pip", *options)


def _program(
    target: Path,
    scratch: Path,
    *,
    source: ProgramSource,
    kit: Kit | None,
    run: Runner,
    variables: dict[str, str],
) -> Path:
    """The wheel of the program, kept in the environment."""
    given = program_in(kit) if kit is not None else source.path if source.is_wheel else None
    if given is not None:
        kept = target / given.name
        shutil.copyfile(given, kept)
        return kept
    copy_source(source, scratch / "source")
    build = (target / "bin/python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index")
    options = ("--no-build-isolation", "--wheel-dir", target, scratch / "source")
    run((*build, *options), seconds=WHEEL_S, environment=variables)
    for wheel in target.glob(WHEEL):
        return wheel
    raise EwasteError(f"{source.path}: pip built no wheel of it")


def _set_aside(places: Places) -> Iterator[Step]:
    """Move a folder away that was made by hand where the link belongs."""
    if places.program.is_dir() and not places.program.is_symlink():
        aside = places.program.with_name(f"{NAME}.before")
        if aside.exists():
            raise EwasteError(f"{aside}: is in the way; move it away")
        places.program.rename(aside)
        yield note("program", f"{places.program} was made by hand; it is now {aside}")


def _command(places: Places) -> Step:
    target = places.program / "bin" / NAME
    if _leads_to(places.command, target):
        return already("command", str(places.command))
    if places.command.exists() and not places.command.is_symlink():
        return note("command", f"{places.command} is another program; type {target}")
    replace_link(places.command, target)
    return done("command", f"{places.command} -> {target}")


def _leads_to(link: Path, target: Path) -> bool:
    return link.is_symlink() and link.parent / link.readlink() == target
