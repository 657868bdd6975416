"""The pins of a Raspberry Pi, through gpiozero, which is loaded when a pin is first asked for."""

import logging
import os
import tempfile
from pathlib import Path
from types import ModuleType

from edge.errors import BadInput

log = logging.getLogger(__name__)

DEVICE_TREE = Path("/proc/device-tree/model")
"""Names the board on a machine that has a device tree."""


def load_gpiozero(user: str, *, simulated: bool) -> ModuleType:
    """Import gpiozero with the pins of this machine.

    Args:
        user: what needs the pins, for the error.
        simulated: whether pins are simulated on a machine that has none.

    Raises:
        BadInput: it is not installed, or this machine has no pins and they are not simulated.
    """
    choose_factory(user, simulated=simulated)
    try:
        import gpiozero
    except ModuleNotFoundError:
        raise BadInput(f"{user}: gpiozero is missing; run: pip install gpiozero lgpio") from None
    return gpiozero


def choose_factory(user: str, *, simulated: bool, device_tree: Path = DEVICE_TREE) -> None:
    """Make gpiozero use lgpio on a Raspberry Pi, and simulated pins elsewhere if that is asked for.

    Left alone it falls back, with a warning, to factories that do not work on a Pi 5 (gpiozero
    issues 1172 and 1229). What GPIOZERO_PIN_FACTORY says holds, on any machine.

    Args:
        user: what needs the pins, for the error.
        simulated: whether pins are simulated on a machine that has none.
        device_tree: names the board.

    Raises:
        BadInput: this is no Raspberry Pi, and pins are not simulated.
    """
    if "GPIOZERO_PIN_FACTORY" in os.environ:
        return
    board = device_tree.read_bytes() if device_tree.exists() else b""
    is_pi = b"Raspberry Pi" in board
    if not is_pi and not simulated:
        raise BadInput(
            f"{user}: this machine is no Raspberry Pi and has no pins to drive; remove the pins, "
            "or set simulated = true to try the line without them"
        )
    if not is_pi:
        log.warning("this is no Raspberry Pi: the GPIO pins are only simulated")
    os.environ["GPIOZERO_PIN_FACTORY"] = "lgpio" if is_pi else "mock"
    # lgpio makes a pipe in its working directory, where a service may not write.
    os.environ.setdefault("LG_WD", tempfile.gettempdir())
