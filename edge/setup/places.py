"""Where an installation lies."""

from dataclasses import dataclass
from pathlib import Path

from edge.readers import SERVICE_USER

NAME = "ewaste-edge"
USER = SERVICE_USER


@dataclass(frozen=True)
class Places:
    """The paths of an installation, below `root`.

    Attributes:
        root: of the file system.
        python: the Python of the system, which the virtual environment is made with.
    """

    root: Path = Path("/")
    python: Path = Path("/usr/bin/python3")

    @property
    def programs(self) -> Path:
        """The folder that holds the virtual environments."""
        return self.root / "opt"

    @property
    def program(self) -> Path:
        """The link to the virtual environment in use."""
        return self.programs / NAME

    @property
    def proven(self) -> Path:
        """The link to the environment that was tried, or installed by a person.

        Where it is another than that in use, that one is on trial, and this one may put it back.
        """
        return self.programs / f"{NAME}.proven"

    @property
    def updates(self) -> Path:
        """The folder of the programs that root pulls from a repository."""
        return self.root / "var/lib" / f"{NAME}-program"

    @property
    def command(self) -> Path:
        """The link that puts the command on everybody's path."""
        return self.root / "usr/local/bin" / NAME

    @property
    def settings(self) -> Path:
        """The configuration of the line."""
        return self.root / "etc" / NAME / "line.toml"

    @property
    def state(self) -> Path:
        """The folder of records and installed bundles."""
        return self.root / "var/lib" / NAME

    @property
    def units(self) -> Path:
        """Where the administrator's units lie."""
        return self.root / "etc/systemd/system"

    @property
    def journal(self) -> Path:
        """The drop-in that bounds the journal."""
        return self.root / "etc/systemd/journald.conf.d" / f"{NAME}.conf"

    @property
    def booted(self) -> Path:
        """Is there where systemd runs the machine; see sd_booted(3)."""
        return self.root / "run/systemd/system"

    @property
    def lock(self) -> Path:
        """The file that keeps two installers apart."""
        return self.root / "run" / f"{NAME}-setup.lock"
