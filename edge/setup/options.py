"""What a person may ask of the installer."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.errors import BadInput

RELEASES = {"3.11": "bookworm", "3.13": "trixie"}
"""Python version -> the Debian release that has it."""
PYTHONS = tuple(RELEASES)
PLATFORMS = ("aarch64", "x86_64")
ABOUT = "Install the line on this device, with its services; with --download: fill a stick for it."
HELP = {
    "--offline": "folder that --download filled: install from it, without a network",
    "--download": "folder to fill with all that an installation needs; works on any machine",
    "--platform": "of the device, for --download: aarch64 or x86_64; default: aarch64",
    "--python": "of the device, for --download: 3.11 (bookworm) or 3.13 (trixie); default: both",
    "--config": "configuration for a device that has none yet; default: one with comments",
    "--bundle": "bundle for a device that has none yet; default: the one in the program",
    "--beside": "with --offline: make the program ready beside the one in use, and no more",
    "--on-trial": "take this program into use, and keep the one before; for its updates",
    "--uninstall": "take the program off; records and configuration stay",
}


@dataclass(frozen=True)
class Options:
    """One order to the installer; at most one of offline, download and uninstall is given.

    Attributes:
        offline: folder to install from.
        download: folder to fill.
        platforms: machines to download for; empty: a Raspberry Pi.
        pythons: Python versions to download for; empty: all that are supported.
        beside: make the environment of `offline`, and do not take it into use.
        on_trial: take the environment that runs this into use, and keep the one before.
        uninstall: take the program off.
        config: configuration of a device that has none yet; None: a commented one.
        bundle: of a device that has none yet; None: the shipped one.
    """

    offline: Path | None = None
    download: Path | None = None
    platforms: tuple[str, ...] = field(default=())
    pythons: tuple[str, ...] = field(default=())
    beside: bool = False
    on_trial: bool = False
    uninstall: bool = False
    config: Path | None = None
    bundle: Path | None = None


def check(options: Options) -> Options:
    """The options, with defaults filled in.

    Raises:
        BadInput: they contradict each other, or name what is not supported.
    """
    chosen = (options.offline is not None, options.download is not None, options.uninstall)
    if sum(chosen) > 1:
        raise BadInput("--offline, --download, and --uninstall: give one of them")
    if options.beside and options.offline is None:
        raise BadInput("--beside is of --offline; give both")
    if options.on_trial and any((*chosen, options.beside)):
        raise BadInput("--on-trial: give it alone")
    if options.download is None and (options.platforms or options.pythons):
        raise BadInput("--platform and --python are for --download; the device knows its own")
    apart = sum(chosen) > chosen[0] or options.beside or options.on_trial
    if apart and (options.config or options.bundle):
        raise BadInput("--config and --bundle are for the device, when it is installed")
    for name, given, known in (
        ("--platform", options.platforms, PLATFORMS),
        ("--python", options.pythons, PYTHONS),
    ):
        for each in given:
            if each not in known:
                raise BadInput(f"{name} {each}: choose one of {', '.join(known)}")
    return replace(
        options,
        platforms=tuple(dict.fromkeys(options.platforms or PLATFORMS[:1])),
        pythons=tuple(dict.fromkeys(options.pythons or PYTHONS)),
    )
