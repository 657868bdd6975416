"""The order of the steps."""

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from edge.errors import BadInput, EwasteError
from edge.setup import services
from edge.setup.account import account
from edge.setup.commands import Runner, run
from edge.setup.content import bundle, configuration, state
from edge.setup.download import download
from edge.setup.environment import environment, made, others, prove, remove
from edge.setup.kit import Kit, program_in, read_kit, require_kit_for, require_whole
from edge.setup.options import Options
from edge.setup.packages import packages, packages_of_kit
from edge.setup.places import NAME, USER, Places
from edge.setup.report import Outcome, Step, already, done, note
from edge.setup.source import ProgramSource, own_source, source_digest
from edge.setup.system import ARCHITECTURES, Host, read_host, require_fit, require_room
from edge.terminal import out

USUAL_UMASK = 0o022


def set_up(options: Options) -> None:
    """Carry the options out on this machine, and print each step.

    Raises:
        EwasteError: as `carry_out` does.
    """
    os.umask(USUAL_UMASK)  # the line runs as another user than root
    places = Places()
    for step in carry_out(options, places, run):
        out.tell(step.line)
    out.tell(last_words(options, places))


def carry_out(options: Options, places: Places, run: Runner) -> Iterator[Step]:
    """Do what the options ask for, and say so step by step.

    Raises:
        BadInput: this machine or this folder will not do.
        Refused: a file of the kit is damaged, or the bundle is not proved here.
        EwasteError: a step failed; the same command again goes on where it ended.
    """
    if options.download is not None:
        yield from download(options.download, options, own_source(), run)
        return
    host = read_host(places, run)
    if options.uninstall:
        require_root(host)
        with one_at_a_time(places):
            yield from uninstall(places, run)
        return
    require_fit(host)
    kit = None if options.offline is None else checked_kit(options, host)
    if not options.on_trial:  # then all is there, and what is needed to go back must not fail
        require_room(places)
    with one_at_a_time(places):
        if options.beside:
            yield made(places, python=host.python, source=own_source(), kit=kit, run=run)
        elif options.on_trial:
            yield from take_on_trial(places, host, own_source(), run)
        else:
            yield from install(places, host, own_source(), kit, run, options=options)


def install(
    places: Places,
    host: Host,
    source: ProgramSource,
    kit: Kit | None,
    run: Runner,
    *,
    options: Options = Options(),
) -> Iterator[Step]:
    """Install the program, its user, configuration, bundle, and services."""
    if kit is None:
        yield from packages(host, has_environment=source.is_installed, run=run)
    else:
        yield from packages_of_kit(host, kit, run)
    is_new = yield from _in_use(places, host, source, kit, run)
    prove(places)
    yield from account(places, run)
    yield from configuration(places, is_pi=host.is_pi, run=run, given=options.config)
    yield from state(places, run)
    yield from bundle(places, run, given=options.bundle, with_settings=bool(options.config))
    yield from services.services(places, is_new=is_new, run=run)
    for folder in others(places):
        remove(folder)
        yield done("environment", f"{folder}: removed, it is no longer in use")


def take_on_trial(places: Places, host: Host, source: ProgramSource, run: Runner) -> Iterator[Step]:
    """Take an environment that is there into use, with its units; the one before stays.

    Raises:
        BadInput: it is not there.
    """
    if not source.is_installed:
        raise BadInput("--on-trial is for a program that was made ready with --beside")
    is_new = yield from _in_use(places, host, source, None, run)
    yield from services.services(places, is_new=is_new, run=run)


def _in_use(
    places: Places, host: Host, source: ProgramSource, kit: Kit | None, run: Runner
) -> Generator[Step, None, bool]:
    """Take an environment into use; returns whether anything of it is new."""
    is_new = False
    for step in environment(places, python=host.python, source=source, kit=kit, run=run):
        is_new = is_new or step.outcome is not Outcome.ALREADY
        yield step
    return is_new


def uninstall(places: Places, run: Runner) -> Iterator[Step]:
    """Take the program off; records, configuration, and the user who owns them stay."""
    yield from services.stop(places, run)
    if places.command.is_symlink() and str(places.program) in str(places.command.readlink()):
        places.command.unlink()
        yield done("command", f"{places.command}: removed")
    if places.program.is_symlink():
        places.program.unlink()
        yield done("program", f"{places.program}: removed")
    places.proven.unlink(missing_ok=True)
    for folder in others(places):
        remove(folder)
        yield done("environment", f"{folder}: removed")
    for name, path in (("records", places.state), ("configuration", places.settings.parent)):
        if path.exists():
            yield already(name, f"{path}: stays; to remove it too: sudo rm -r {path}")
    if places.state.exists():
        yield note("user", f"{USER}: stays, it owns the records; to remove it: sudo userdel {USER}")


def require_root(host: Host) -> None:
    """Refuse a person who may not change the system.

    Raises:
        BadInput: it is not root.
    """
    if not host.is_root:
        raise BadInput("only root can do this: put sudo before the command")


def checked_kit(options: Options, host: Host) -> Kit:
    """The kit of --offline, whole and for this machine.

    Raises:
        BadInput: it is none, for another machine, or holds another program than the one that runs.
        Refused: it is damaged.
    """
    if options.offline is None:
        raise BadInput("no folder is given")
    kit = read_kit(options.offline.absolute())
    require_kit_for(kit, ARCHITECTURES[host.architecture], host.python)
    require_whole(kit)
    if source_digest(own_source()) != source_digest(ProgramSource(program_in(kit))):
        reason = "holds another program than the one that runs"
        raise BadInput(f"{kit.folder}: {reason}; type: sudo sh {kit.folder}/install.sh")
    return kit


@contextmanager
def one_at_a_time(places: Places) -> Iterator[None]:
    """Within: no other installer is at work; the system ends this with the process.

    Raises:
        EwasteError: another one is.
    """
    places.lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise EwasteError("another installer is at work; wait until it has ended") from None
    finally:
        os.close(handle)


def last_words(options: Options, places: Places) -> str:
    """What a person does next."""
    if options.download is not None:
        return f"on the device: sudo sh {options.download}/install.sh"
    if options.uninstall:
        return "the program is removed"
    if options.beside:
        return "ready"
    if options.on_trial:
        return "in use, on trial"
    check = f"sudo {NAME} doctor --config {places.settings}"
    return f"installed; set the line up in {places.settings}, then: {check}"
