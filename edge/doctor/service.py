"""Whether systemd runs the line and its page, and starts them again after a power cut."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from edge.doctor.check import BoardCheck, failure, ok, warning
from edge.errors import one_line
from edge.setup.environment import is_whole
from edge.setup.places import NAME, USER

LINE, PAGE = "ewaste-line.service", "ewaste-panel.service"
NAMES = {LINE: "service", PAGE: "page service"}
BOOTED = Path("/run/systemd/system")
"""Is there where systemd runs the machine; see sd_booted(3)."""
CGROUPS = Path("/sys/fs/cgroup")
DEPLOY = Path(__file__).parent.parent / "deploy"
UNITS = "/etc/systemd/system/"
ASKED_S = 1.5
MOST_BYTES = 4096
PROPERTIES = "LoadState,ActiveState,UnitFileState"
MEMORY_FIX = (
    "on a Raspberry Pi add cgroup_enable=memory to the line of /boot/firmware/cmdline.txt, "
    "and start the machine anew"
)


def unit_properties(unit: str, booted: Path = BOOTED) -> dict[str, str] | None:
    """What systemd knows of a service; None: systemd does not run this machine."""
    program = shutil.which("systemctl")
    if program is None or not booted.is_dir():
        return None
    try:
        done = subprocess.run(
            [program, "show", unit, f"--property={PROPERTIES}"],
            capture_output=True,
            timeout=ASKED_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return read_properties(done.stdout[:MOST_BYTES].decode("ascii", "replace"))


def read_properties(text: str) -> dict[str, str]:
    """The lines KEY=VALUE of `systemctl show`."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: one_line(value, 40) for key, mark, value in pairs if mark}


def can_limit_memory(cgroups: Path = CGROUPS) -> bool:
    """Whether the kernel holds a service to its memory limit: that of a Pi does when asked to."""
    try:
        controllers = (cgroups / "cgroup.controllers").read_text().split()
    except OSError:
        return (cgroups / "memory").is_dir()
    return "memory" in controllers


def how_to_install(program: Path, deploy: Path = DEPLOY) -> str:
    """What to type where a service is missing.

    Args:
        program: the environment that the program runs in.
        deploy: where its units lie.
    """
    if is_whole(program):
        return f"sudo {NAME} setup"
    if (deploy.parents[1] / "setup.py").is_file():  # a checkout
        return f"sudo sh {deploy / 'install.sh'}"
    copied = f"sudo cp {deploy}/ewaste-*.service {UNITS}"
    enabled = f"sudo systemctl enable --now {LINE} {PAGE}"
    return f"make the user {USER} as docs/services.md says, then: {copied} && {enabled}"


def service(unit: str, properties: Mapping[str, str] | None, *, program: Path) -> BoardCheck:
    """Whether a service is there, is started with the machine, and runs.

    Args:
        unit: `LINE` or `PAGE`; the line can run without its page, which so is never a failure.
        properties: LoadState, ActiveState and UnitFileState as systemd names them; None: systemd
            does not run this machine.
        program: the environment that the program runs in.
    """
    name = NAMES[unit]
    if properties is None:
        return warning(
            name,
            "systemd does not run this machine: nothing starts it after a power cut",
            "run the line on a system with systemd, or let another supervisor start it",
        )
    loaded, active = properties.get("LoadState", ""), properties.get("ActiveState", "")
    if not loaded:
        return warning(name, "systemd does not answer", f"type: systemctl status {unit}")
    if loaded != "loaded":
        return warning(name, f"{unit} is not installed ({loaded})", how_to_install(program))
    log = f"type: journalctl -u {unit} -n 50"
    if active == "failed":
        return (failure if unit == LINE else warning)(name, f"{unit} has failed", log)
    if not properties.get("UnitFileState", "").startswith("enabled"):
        reason = f"{unit} is not started with the machine"
        return warning(name, reason, f"sudo systemctl enable --now {unit}")
    if active == "activating":
        return warning(name, f"{unit} starts, or fails and starts again", log)
    if active != "active":
        return warning(name, f"{unit} is {active or 'not running'}", f"sudo systemctl start {unit}")
    return ok(name, f"{unit} is enabled and runs")


def page_service(
    properties: Mapping[str, str] | None, *, program: Path, limited: bool
) -> BoardCheck:
    """The same for the page, and whether its memory is limited, so that the line keeps its own."""
    found = service(PAGE, properties, program=program)
    if properties and properties.get("ActiveState") == "active" and not limited:
        return warning(found.name, "the kernel does not hold the page to its memory", MEMORY_FIX)
    return found


def services() -> list[BoardCheck]:
    """Both services of this machine."""
    program = Path(sys.prefix)
    return [
        service(LINE, unit_properties(LINE), program=program),
        page_service(unit_properties(PAGE), program=program, limited=can_limit_memory()),
    ]
