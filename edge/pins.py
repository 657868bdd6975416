"""The pins of a Raspberry Pi, through gpiozero, which is loaded when a pin is first asked for."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from edge.errors import BadInput

DEVICE_TREE = Path("/proc/device-tree/model")
"""Names the board on a machine that has a device tree."""


def load_gpiozero(said: Callable[[str], None], wanted: str) -> ModuleType:
    """gpiozero, with the pins of this machine.

    Args:
        said: gets a line when this machine has no such pins, and they are only simulated.
        wanted: what needs it, in words, for the error.

    Raises:
        BadInput: it is not installed.
    """
    choose_factory(said)
    try:
        import gpiozero
    except ModuleNotFoundError:
        raise BadInput(f"{wanted} gpiozero; run: pip install gpiozero lgpio") from None
    return gpiozero


def choose_factory(said: Callable[[str], None], device_tree: Path = DEVICE_TREE) -> None:
    """Make gpiozero use lgpio on a Raspberry Pi and mock pins elsewhere, unless told otherwise.

    Left alone it falls back, with a warning, to factories that do not work on a Pi 5 (gpiozero
    issues 1172 and 1229).
    """
    if "GPIOZERO_PIN_FACTORY" in os.environ:
        return
    board = device_tree.read_bytes() if device_tree.exists() else b""
    if b"Raspberry Pi" not in board:
        said("this is no Raspberry Pi: the GPIO pins are only simulated")
    os.environ["GPIOZERO_PIN_FACTORY"] = "lgpio" if b"Raspberry Pi" in board else "mock"
    # lgpio makes a pipe in its working directory, where a service may not write.
    os.environ.setdefault("LG_WD", tempfile.gettempdir())
