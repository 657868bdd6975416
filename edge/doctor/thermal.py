"""Whether the board is cool enough and gets enough power."""

from edge.board import BoardHealth
from edge.doctor.check import BoardCheck, failure, ok, warning

SUPPLY = "use the official power supply (27 W for a Pi 5) and its cable, and no hub between"
COOLING = "fit a heat sink or a fan, and let air to the housing"


def temperature(health: BoardHealth, limit_c: float) -> BoardCheck:
    """Whether the processor is cooler than the limit of its alarm, degrees Celsius."""
    name, found = "temperature", health.temperature_c
    if found is None:
        fix = "on a Raspberry Pi update the system: sudo apt full-upgrade; else watch it by hand"
        return warning(name, "this machine does not tell its temperature", fix)
    if found >= limit_c:
        return warning(name, f"{found:.0f} C, the alarm is raised from {limit_c:.0f} C on", COOLING)
    return ok(name, f"{found:.0f} C")


def power(health: BoardHealth) -> BoardCheck:
    """Whether the firmware of a Raspberry Pi slows it down."""
    if health.under_voltage:
        return failure("power", "the supply is too weak now: the board slows down", SUPPLY)
    if health.slowed:
        return failure("power", "the firmware slows the board down now, for its heat", COOLING)
    if health.slowed_before:
        reason = "the board was slowed down since it was started, for heat or a weak supply"
        return warning("power", reason, f"{SUPPLY}; or {COOLING}")
    if health.slowed is None:
        return ok(
            "power", "this machine does not tell whether it is slowed down, as only a Pi does"
        )
    return ok("power", "not slowed down since the start")
