"""The units of systemd, and the bounds of its journal."""

import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import EwasteError
from edge.files import read_text, write_whole
from edge.setup.commands import Runner
from edge.setup.places import Places
from edge.setup.report import Step, already, done, note

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

JOURNAL, INSTALL = "journald.conf", "\n[Install]\n"
PROGRAM_TIMER, ROOT_METADATA = "ewaste-program.timer", "root.json"
LARGEST_SETTINGS = 1_000_000
READABLE = 0o644
SYSTEMCTL_S = 120.0
START_S = 600.0
"""More than both units have to start one after the other, so that the answer is that of systemd."""


def services(places: Places, *, is_new: bool, run: Runner) -> Iterator[Step]:
    """Install the units, enable them, and start them where systemd runs the machine.

    Args:
        places: where.
        is_new: the program is another than before, so that running services are restarted.
        run: runs systemctl.
    """
    units = shipped_units()
    written = [name for name, text in units.items() if _put(places.units / name, text)]
    if written:
        yield done("units", ", ".join(written))
    else:
        yield already("units", ", ".join(units))
    yield from _journal(places, run)
    if shutil.which("systemctl") is None:
        yield note("services", "this system has no systemd: nothing starts the line")
        return
    booted = places.booted.is_dir()
    if booted and written:
        run(("systemctl", "daemon-reload"), seconds=SYSTEMCTL_S)
    # What has no [Install] is started by another unit, such as a service by its timer.
    for name in (each for each, text in units.items() if INSTALL in text):
        if name == PROGRAM_TIMER and not pulls_programs(places):
            yield _leave_off(name, booted=booted, run=run)
            continue
        yield _start(name, booted=booted, anew=is_new or name in written, run=run)


def shipped_units() -> dict[str, str]:
    """Name of each unit of the program -> its text."""
    found = sorted((*_shipped(".service"), *_shipped(".timer")), key=lambda entry: entry.name)
    return {entry.name: entry.read_text(encoding="utf-8") for entry in found}


def pulls_programs(places: Places) -> bool:
    """Whether this device shall pull the program too: `program = true` in `[update]`, and a root.

    Whoever may publish may then change what root runs here: it is off until it is asked for.
    """
    if not (places.settings.parent / ROOT_METADATA).is_file():
        return False
    try:
        import tomllib  # not in Python 3.10, which no device has

        found = tomllib.loads(read_text(places.settings, LARGEST_SETTINGS))
    except (ImportError, ValueError, RecursionError, EwasteError):  # whoever reads it says so
        return False
    section = found.get("update")
    return isinstance(section, dict) and section.get("program") is True


def stop(places: Places, run: Runner) -> Iterator[Step]:
    """Stop the services, and take their units away."""
    units = shipped_units()
    there = [name for name in units if (places.units / name).exists()]
    if there and shutil.which("systemctl") is not None:
        now = ("--now",) if places.booted.is_dir() else ()
        enabled = (name for name in there if INSTALL in units[name])
        run(("systemctl", "disable", *now, *enabled), seconds=SYSTEMCTL_S)
    for path in (*(places.units / name for name in there), places.journal):
        path.unlink(missing_ok=True)
    if there and places.booted.is_dir():
        run(("systemctl", "daemon-reload"), seconds=SYSTEMCTL_S)
    if there:
        yield done("services", f"{', '.join(there)}: stopped and removed")


def _shipped(ending: str) -> "list[Traversable]":
    folder = files("edge") / "deploy"
    return [entry for entry in folder.iterdir() if entry.name.endswith(ending)]


def _journal(places: Places, run: Runner) -> Iterator[Step]:
    for entry in _shipped(JOURNAL):
        if not _put(places.journal, entry.read_text(encoding="utf-8")):
            yield already("journal", str(places.journal))
            continue
        if places.booted.is_dir():
            try:
                run(("systemctl", "restart", "systemd-journald"), seconds=SYSTEMCTL_S)
            except EwasteError as error:
                yield note("journal", f"{error}; its bounds hold from the next start on")
        yield done("journal", f"{places.journal}: bounded")


def _start(name: str, *, booted: bool, anew: bool, run: Runner) -> Step:
    """Enable a service; running, it is left alone unless there is something new to run."""
    enabled = _answer(run, "is-enabled", name)
    if enabled != "enabled":
        run(("systemctl", "enable", name), seconds=SYSTEMCTL_S)
    if not booted:
        report = already if enabled == "enabled" else done
        return report("service", f"{name}: enabled; it starts with the machine")
    active = _answer(run, "is-active", name)
    if active == "active" and not anew and enabled == "enabled":
        return already("service", f"{name}: enabled and active")
    try:
        run(("systemctl", "restart", name), seconds=START_S)
    except EwasteError:
        return note("service", f"{name}: does not start; see: journalctl -u {name} -n 20")
    return done("service", f"{name}: enabled and started")


def _leave_off(name: str, *, booted: bool, run: Runner) -> Step:
    """Disable a timer that is not asked for."""
    how = "[update] program = true, root.json, and this installer again turn it on"
    if _answer(run, "is-enabled", name) != "enabled":
        return already("service", f"{name}: off; {how}")
    run(("systemctl", "disable", *(("--now",) if booted else ()), name), seconds=SYSTEMCTL_S)
    return done("service", f"{name}: disabled; {how}")


def _answer(run: Runner, question: str, name: str) -> str:
    """What systemctl answers; it fails with the answer no."""
    try:
        return run(("systemctl", question, name), seconds=SYSTEMCTL_S).strip()
    except EwasteError:
        return ""


def _put(path: Path, text: str) -> bool:
    """Write a file if it is another; returns whether it was."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return False
    except (OSError, ValueError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode(), mode=READABLE)
    return True
