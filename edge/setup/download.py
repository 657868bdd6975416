"""Fill a folder with all that an installation needs, on any machine with a network."""

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from edge.errors import BadInput, EwasteError
from edge.files import write_whole
from edge.setup.commands import Runner
from edge.setup.debs import fetch_debs
from edge.setup.kit import DEBS, LIST, SCRIPT, WHEELS, Kit, write_kit
from edge.setup.lock import lock_text, read_lock
from edge.setup.options import RELEASES, Options
from edge.setup.report import Step, done
from edge.setup.source import WHEEL, ProgramSource, copy_source, file_digest
from edge.setup.system import architecture_of

GLIBCS = (17, 24, 26, 27, 28, 31, 34, 35, 36)
"""Minor versions of glibc 2 that wheels are built for, up to bookworm's."""
DOWNLOAD_S, BUILD_S = 7200.0, 1200.0


def download(folder: Path, options: Options, source: ProgramSource, run: Runner) -> Iterator[Step]:
    """Fill the folder; what it holds already is not fetched again.

    Raises:
        BadInput: the folder cannot be written.
        EwasteError: something cannot be fetched.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LIST).unlink(missing_ok=True)  # not whole until the end
        (folder / WHEELS).mkdir(exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written ({error.strerror})") from None
    with tempfile.TemporaryDirectory(prefix="ewaste-setup-") as made:
        scratch = Path(made)
        pip = _pip(scratch, run)
        needed = set()
        for python in options.pythons:
            for platform in options.platforms:
                needed |= _wheels(folder, scratch, pip, platform=platform, python=python, run=run)
                count = len(read_lock(lock_text(python)))
                yield done("wheels", f"{platform}, Python {python}: {count}")
        _remove_others(folder, needed)
        yield done("program", _program(folder, scratch, pip, source, run).name)
    for python in options.pythons:
        for platform in options.platforms:
            yield from _debs(folder, platform=platform, release=RELEASES[python], run=run)
    script = (files("edge") / "deploy" / SCRIPT).read_bytes()
    write_whole(folder / SCRIPT, script)
    kit = Kit(
        folder=folder,
        platforms=options.platforms,
        pythons=options.pythons,
        digests=_digests(folder),
    )
    write_kit(kit)
    size = sum((folder / name).stat().st_size for name in kit.digests)
    yield done("kit", f"{folder}: {len(kit.digests)} files, {size // 10**6:,} MB")


def wheel_platforms(platform: str) -> list[str]:
    """The platform tags of the wheels that a machine takes."""
    named = [f"manylinux_2_{minor}_{platform}" for minor in GLIBCS]
    return [*named, f"manylinux2014_{platform}", f"linux_{platform}"]


def _wheels(
    folder: Path, scratch: Path, pip: tuple[object, ...], *, platform: str, python: str, run: Runner
) -> set[str]:
    """Fetch the wheels of a lock file; returns their hashes."""
    text = lock_text(python)
    lock = scratch / f"{python}.txt"
    lock.write_text(text, encoding="utf-8")
    named = [word for tag in wheel_platforms(platform) for word in ("--platform", tag)]
    exact = ("--require-hashes", "--only-binary=:all:", "--no-deps")
    device = ("--python-version", python, "--implementation", "cp", *named)
    command = (*pip, "download", "--quiet", *exact, *device, "-d", folder / WHEELS, "-r", lock)
    try:
        run((*command, "--no-index", "--find-links", folder / WHEELS), seconds=DOWNLOAD_S)
    except EwasteError:
        run(command, seconds=DOWNLOAD_S)
    return {each for pin in read_lock(text) for each in pin.hashes}


def _remove_others(folder: Path, needed: set[str]) -> None:
    """Remove wheels of an earlier lock file, and half of what a killed process left."""
    for path in (folder / WHEELS).iterdir():
        if path.suffix == ".whl" and file_digest(path) not in needed:
            path.unlink()


def _program(
    folder: Path, scratch: Path, pip: tuple[object, ...], source: ProgramSource, run: Runner
) -> Path:
    """Put the wheel of the program into the kit, and no other."""
    built = scratch / "built"
    built.mkdir()
    if source.is_wheel:
        shutil.copyfile(source.path, built / source.path.name)
    else:
        copy_source(source, scratch / "source")
        options = ("--quiet", "--no-deps", "--wheel-dir", built)
        run((*pip, "wheel", *options, scratch / "source"), seconds=BUILD_S)
    for wheel in built.glob(WHEEL):
        for old in folder.glob(WHEEL):
            old.unlink()
        write_whole(folder / wheel.name, wheel.read_bytes())
        return folder / wheel.name
    raise EwasteError(f"{source.path}: pip built no wheel of it")


def _debs(folder: Path, *, platform: str, release: str, run: Runner) -> Iterator[Step]:
    architecture = architecture_of(platform)
    target = folder / DEBS / f"{release}-{architecture}"
    shutil.rmtree(target, ignore_errors=True)
    if architecture == "arm64":  # no other machine has a Pi's camera and pins
        yield from fetch_debs(target, release=release, architecture=architecture, run=run)


def _pip(scratch: Path, run: Runner) -> tuple[object, ...]:
    """The pip of this Python, or of an environment made for the purpose."""
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    try:
        run((sys.executable, "-m", "venv", scratch / "venv"), seconds=BUILD_S)
    except EwasteError:
        raise EwasteError("this Python has no pip; on Debian: apt install python3-venv") from None
    return (scratch / "venv/bin/python", "-m", "pip")


def _digests(folder: Path) -> dict[str, str]:
    parts = (*folder.glob(WHEEL), folder / SCRIPT, *(folder / WHEELS).glob("*.whl"))
    listed = sorted((*parts, *(folder / DEBS).glob("*/*.deb")))
    return {str(path.relative_to(folder)): file_digest(path) for path in listed}
