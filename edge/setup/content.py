"""What belongs to the line and not to the program: configuration, records, the first bundle."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from edge.errors import EwasteError
from edge.files import read_text, write_whole
from edge.setup.commands import Runner
from edge.setup.places import NAME, USER, Places
from edge.setup.report import Step, already, done

BUNDLES, CURRENT = "bundles", "current"
SHIPPED = "edge/models/*/manifest.json"
CHOWN_S, CHECK_S, PROOF_S = 600.0, 600.0, 3600.0
LARGEST_SETTINGS = 1_000_000
GROUP_READS, SHARED_GROUP, OWN = 0o640, 0o2750, 0o700


def configuration(
    places: Places, *, is_pi: bool, run: Runner, given: Path | None = None
) -> Iterator[Step]:
    """Write a configuration where there is none: the given one, or the commented one.

    The folder hands its group on, so that what root writes there later can be read by the line.

    Raises:
        EwasteError: the program does not take the given one.
    """
    path = places.settings
    if path.exists() or path.is_symlink():
        yield already("configuration", str(path))
        return
    text = _settings_text(places, is_pi=is_pi, run=run, given=given)
    path.parent.mkdir(parents=True, exist_ok=True)
    run(("chown", f"root:{USER}", path.parent), seconds=CHOWN_S)
    path.parent.chmod(SHARED_GROUP)
    write_whole(path, text.encode(), mode=GROUP_READS)
    run(("chown", f"root:{USER}", path), seconds=CHOWN_S)
    whose = "camera, belt, and gates are for you to set" if given is None else f"as in {given}"
    yield done("configuration", f"{path}: {whose}")


def _settings_text(places: Places, *, is_pi: bool, run: Runner, given: Path | None) -> str:
    if given is not None:
        run((places.program / "bin" / NAME, "check", given), seconds=CHECK_S)
        return read_text(given, LARGEST_SETTINGS)
    text = (files("edge") / "deploy" / "line.toml").read_text(encoding="utf-8")
    return configured(text, is_pi=is_pi)


def configured(text: str, *, is_pi: bool) -> str:
    """The configuration for a machine: the camera is that of a Pi, or the first USB camera."""
    return text if is_pi else text.replace('source = "picamera2"', 'source = "0"', 1)


def state(places: Places, run: Runner) -> Iterator[Step]:
    """Make the folder of the records, which only the line may enter."""
    folder = places.state
    is_new = not folder.exists()
    if is_new:
        folder.mkdir(parents=True, mode=OWN)
    owner = run(("stat", "-L", "-c", "%U", folder), seconds=CHOWN_S).strip()
    if owner != USER:
        run(("chown", "-R", f"{USER}:{USER}", f"{folder}/"), seconds=CHOWN_S)
    report = done if is_new or owner != USER else already
    yield report("records", str(folder))


def bundle(
    places: Places, run: Runner, *, given: Path | None = None, with_settings: bool = False
) -> Iterator[Step]:
    """Install a bundle, unless one is in use; it is proved on this machine.

    `given` is another one than the shipped one; then, or `with_settings`, it must also be one that
    the configuration trusts.

    Raises:
        Refused: the bundle does not give the answers here that it gave on the workstation.
        EwasteError: it cannot be installed.
    """
    if (places.state / BUNDLES / CURRENT).is_symlink():
        yield already("bundle", f"{places.state / BUNDLES / CURRENT}")
        return
    chosen = given or _shipped(places.program)
    trust = ("--config", places.settings) if given is not None or with_settings else ()
    command = (places.program / "bin" / NAME, "install", chosen, "--state", places.state, *trust)
    run(command, seconds=PROOF_S)
    yield done("bundle", f"{chosen.name}: proved on this machine, and installed")


def _shipped(program: Path) -> Path:
    for manifest in sorted(program.glob(f"lib/python3*/site-packages/{SHIPPED}")):
        return manifest.parent
    raise EwasteError(f"{program}: holds no bundle; install again")
