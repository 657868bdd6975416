"""The options that several commands have, and how their values are read."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.files import LONGEST_NAME
from edge.terminal import out


def parse_path(text: str) -> Path:
    """A path from the command line, as a file system may have it.

    Raises:
        typer.BadParameter: no file can have this name.
    """
    if not text:
        raise typer.BadParameter("an empty name; give a path")
    if "\0" in text:
        raise typer.BadParameter("a name with a NUL; give a path")
    if any(len(part) > LONGEST_NAME for part in text.encode("utf-8", "surrogatepass").split(b"/")):
        raise typer.BadParameter(f"a name longer than {LONGEST_NAME} bytes; give a path")
    try:
        Path(text).expanduser()
    except RuntimeError:
        raise typer.BadParameter(f"{text}: there is no such home folder") from None
    return Path(text)


def parse_name(text: str) -> str:
    """A camera, scenario, or bin from the command line.

    Raises:
        typer.BadParameter: it is empty, or has a NUL.
    """
    if not text or "\0" in text:
        raise typer.BadParameter("an empty name, or one with a NUL")
    return text


def require_finite(value: float | None) -> float | None:
    """A number that is one; None: the option was not given.

    Raises:
        typer.BadParameter: it is infinite, or NaN.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value}: no finite number")
    return value


def print_json_alone(as_json: bool) -> bool:
    """With --json nothing else goes to stdout."""
    out.for_people = not as_json
    return as_json


PATH: dict[str, Any] = {"parser": parse_path, "metavar": "PATH"}
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", **PATH, help="TOML file with the configuration of the line"),
]
BundleDir = Annotated[Path | None, typer.Option("--bundle", **PATH, help="directory of the bundle")]
StateDir = Annotated[
    Path | None,
    typer.Option("--state", **PATH, help="directory of the records and the installed bundles"),
]
RecordsDir = Annotated[
    Path | None, typer.Option("--state", **PATH, help="directory of the records")
]
PagePort = Annotated[int | None, typer.Option("--port", help="TCP port of the page")]
AsJson = Annotated[
    bool,
    typer.Option("--json", callback=print_json_alone, help="print one JSON object on stdout"),
]
Photos = Annotated[
    Path | None,
    typer.Option(**PATH, help="folder with CLASS/*.jpg, photos of the items on the belt"),
]
