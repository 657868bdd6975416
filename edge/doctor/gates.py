"""Whether the gates and the encoder can be reached by their pins."""

from collections.abc import Callable, Sequence
from typing import Any

from edge.config import Config
from edge.doctor.check import BoardCheck, failed_with, failure, ok, warning
from edge.errors import EwasteError, one_line
from edge.pins import load_gpiozero

NAME = "gpio"
FIX = "pip install gpiozero lgpio, and let the user of the line into the group gpio"


def configured_pins(config: Config) -> tuple[int, ...]:
    """The pins of the gates, then those of the encoder."""
    gates = [gate.pin for gate in config.gates]
    pulses = [config.belt.pulse_pin, config.belt.pulse_pin_b]
    used = [*gates, *(pulses if config.belt.encoder == "pulses" else [])]
    return tuple(pin for pin in used if pin is not None)


def gates(config: Config) -> BoardCheck:
    """Whether a wire leads to the gates."""
    if any(gate.pin is not None for gate in config.gates):
        return ok("gates", f"{len(config.gates)} gates, moved by pins")
    if config.modbus is not None and any(gate.coil is not None for gate in config.gates):
        plc = f"{config.modbus.host}:{config.modbus.port}"
        return ok("gates", f"{len(config.gates)} gates, moved by the PLC {plc} (not asked here)")
    return warning(
        "gates",
        "no gate is wired: items are decided and recorded, and not sorted",
        "give each of [[gates]] a pin or a coil",
    )


def real_factory() -> Any:
    """The pins of this machine as gpiozero opens them, never simulated ones.

    Raises:
        EwasteError: gpiozero is not installed, or this machine has no pins.
        Exception: what gpiozero makes of pins that it cannot open.
    """
    gpiozero = load_gpiozero("gates or encoder", simulated=False)
    gpiozero.Device.ensure_pin_factory()
    return gpiozero.Device.pin_factory


def gpio(pins: Sequence[int], open_factory: Callable[[], Any], *, in_use: bool) -> BoardCheck:
    """Whether the pins are there and free; none is driven. It may hang, and keeps what it opens.

    Args:
        pins: GPIO numbers (BCM).
        open_factory: opens the pins of this machine.
        in_use: whether a line that runs has them.
    """
    if not pins:
        return ok(NAME, "no pin is configured")
    listed = ", ".join(map(str, pins))
    if in_use:
        fix = "look at the page of the line, or stop it first: systemctl stop ewaste-line"
        return warning(NAME, f"pins {listed}: not tried, a line that runs has them", fix)
    try:
        factory = open_factory()
        kind = type(factory).__name__
        if "mock" in kind.lower():
            return failure(
                NAME, f"pins {listed} are only simulated ({kind})", "unset GPIOZERO_PIN_FACTORY"
            )
        for pin in pins:
            factory.pin(pin)
    except EwasteError as error:
        return failed_with(NAME, error, FIX)
    # gpiozero and the libraries below it raise what they like.
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}", 200)
        return failure(NAME, f"pins {listed} cannot be opened ({reason})", FIX)
    return ok(NAME, f"pins {listed} by {kind}")
