"""The command for a configuration: check."""

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import PATH
from edge.terminal import out


def check(
    file: Annotated[Path, typer.Argument(**PATH, help="configuration to check")],
) -> None:
    """Say whether a line would take a configuration; it touches nothing."""
    from edge.config import read_config

    read_config(file)
    out.print(f"{file}: valid")
