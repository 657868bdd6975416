"""The configuration as a command sees it: the file, overruled by what was typed."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.config import Config


def read_settings(
    config: Path | None,
    *,
    bundle: Path | None = None,
    state: Path | None = None,
    port: int | None = None,
    camera: str | None = None,
) -> "Config":
    """The configuration file, overruled by what was given on the command line.

    Args:
        config: TOML file; None: the defaults.
        bundle: directory of the bundle; None, here and below: as configured.
        state: directory of the records.
        port: TCP port of the page.
        camera: camera, or "simulated", which also simulates the pins.

    Raises:
        BadInput: the file cannot be read, or a value is wrong.
    """
    from edge.config import overruled, read_config

    given = {
        "classifier.bundle": bundle,
        "panel.port": port,
        "camera.source": camera,
        "state": state,
    }
    named = dict(zip(given, ("--bundle", "--port", "--camera", "--state"), strict=True))
    if camera == "simulated":
        given["simulated"] = True
    changes = {key: value for key, value in given.items() if value is not None}
    return overruled(read_config(config), changes, named)
