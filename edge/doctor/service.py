"""Whether systemd runs the line, and starts it again after a power cut."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from edge.doctor.check import BoardCheck, failure, ok, warning
from edge.errors import one_line

NAME = "service"
UNIT = "ewaste-edge.service"
BOOTED = Path("/run/systemd/system")
"""Is there where systemd runs the machine; see sd_booted(3)."""
UNIT_FILE = Path(__file__).parent.parent / "deploy" / UNIT
ASKED_S = 3.0
MOST_BYTES = 4096
PROPERTIES = "LoadState,ActiveState,UnitFileState"


def unit_properties(booted: Path = BOOTED) -> dict[str, str] | None:
    """What systemd knows of the service of the line; None: systemd does not run this machine."""
    program = shutil.which("systemctl")
    if program is None or not booted.is_dir():
        return None
    try:
        done = subprocess.run(
            [program, "show", UNIT, f"--property={PROPERTIES}"],
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


def service(properties: Mapping[str, str] | None) -> BoardCheck:
    """Whether the service is there, is started with the machine, and runs.

    Args:
        properties: LoadState, ActiveState and UnitFileState as systemd names them; None: systemd
            does not run this machine.
    """
    if properties is None:
        return warning(
            NAME,
            "systemd does not run this machine: nothing starts the line after a power cut",
            "run the line on a system with systemd, or let another supervisor start it",
        )
    loaded, active = properties.get("LoadState", ""), properties.get("ActiveState", "")
    if not loaded:
        return warning(NAME, "systemd does not answer", f"type: systemctl status {UNIT}")
    if loaded != "loaded":
        install = f"sudo cp {UNIT_FILE} /etc/systemd/system/ && sudo systemctl enable --now {UNIT}"
        return warning(NAME, f"{UNIT} is not installed ({loaded})", install)
    if active == "failed":
        return failure(NAME, f"{UNIT} has failed", f"type: journalctl -u {UNIT} -n 50")
    if not properties.get("UnitFileState", "").startswith("enabled"):
        reason = f"{UNIT} is not started with the machine"
        return warning(NAME, reason, f"sudo systemctl enable --now {UNIT}")
    if active != "active":
        return warning(NAME, f"{UNIT} is {active or 'not running'}", f"sudo systemctl start {UNIT}")
    return ok(NAME, f"{UNIT} is enabled and runs")
