"""What belongs to the line and not to the program: configuration, records, the first bundle."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from edge.errors import EwasteError
from edge.files import write_whole
from edge.setup.commands import Runner
from edge.setup.places import NAME, USER, Places
from edge.setup.report import Step, already, done

BUNDLES, CURRENT = "bundles", "current"
SHIPPED = "edge/models/*/manifest.json"
CHOWN_S, PROOF_S = 600.0, 3600.0
GROUP_READS, SHARED_GROUP, OWN = 0o640, 0o2750, 0o700


def configuration(places: Places, *, is_pi: bool, run: Runner) -> Iterator[Step]:
    """Write the commented configuration where there is none.

    The folder hands its group on, so that what root writes there later can be read by the line.
    """
    path = places.settings
    if path.exists() or path.is_symlink():
        yield already("configuration", str(path))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    run(("chown", f"root:{USER}", path.parent), seconds=CHOWN_S)
    path.parent.chmod(SHARED_GROUP)
    text = (files("edge") / "deploy" / "line.toml").read_text(encoding="utf-8")
    write_whole(path, configured(text, is_pi=is_pi).encode(), mode=GROUP_READS)
    run(("chown", f"root:{USER}", path), seconds=CHOWN_S)
    yield done("configuration", f"{path}: camera, belt, and gates are for you to set")


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


def bundle(places: Places, run: Runner) -> Iterator[Step]:
    """Install the shipped bundle, unless one is in use; it is proved on this machine.

    Raises:
        Refused: the bundle does not give the answers here that it gave on the workstation.
        EwasteError: it cannot be installed.
    """
    if (places.state / BUNDLES / CURRENT).is_symlink():
        yield already("bundle", f"{places.state / BUNDLES / CURRENT}")
        return
    shipped = _shipped(places.program)
    command = (places.program / "bin" / NAME, "install", shipped, "--state", places.state)
    run(command, seconds=PROOF_S)
    yield done("bundle", f"{shipped.name}: proved on this machine, and installed")


def _shipped(program: Path) -> Path:
    for manifest in sorted(program.glob(f"lib/python3*/site-packages/{SHIPPED}")):
        return manifest.parent
    raise EwasteError(f"{program}: holds no bundle; install again")
