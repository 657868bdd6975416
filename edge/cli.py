"""ewaste-edge: the device's one command.

Exit codes: 0 done, 1 failed, 2 bad input, 3 refused, 4 camera lost.
"""

from edge.process_setup import limit_threads

limit_threads()  # before anything imports numpy

import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from edge import __version__
from edge.commands import (
    belt,
    board,
    bundles,
    card,
    configuration,
    fleet,
    learn,
    learned,
    line,
    model,
    recalibrate,
    records,
    sensors,
    simulation,
    users,
)
from edge.errors import EwasteError
from edge.logs import install_handler
from edge.terminal import ReaderGone, err, hold_streams, out, release_streams

log = logging.getLogger("edge.cli")  # also where this module is __main__

COMMANDS = (
    line.run,
    line.demo,
    simulation.simulate,
    model.classify,
    simulation.draw,
    bundles.verify,
    model.select_runtime,
    board.doctor,
    bundles.install,
    bundles.update,
    fleet.fleet,
    bundles.rollback,
    bundles.bundles,
    line.mode,
    board.setup,
    card.card,
    bundles.keygen,
    configuration.check,
    bundles.schema,
    board.sbom,
    line.panel,
    learned.teach,
    learn.learn,
    recalibrate.recalibrate,
    records.export,
    records.report,
    records.sizes,
    sensors.sensor_rates,
)
"""The commands in the order of the help; the name of a function is that of its command."""
GROUPS = {"user": users.app, "calibrate": belt.app, "learned": learned.app}
"""The commands of two words, after the others: the first word -> those of the second."""
ClickException: Any = typer.BadParameter.__mro__[2]
"""Typer's own, or that of the Click it needs: what is wrong with the command line."""

app = typer.Typer(
    help="Sort electronic waste on a conveyor. Exit codes: 0 done, 1 failed, 2 bad usage or input, "
    "3 a verification failed, 4 the camera did not come back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in COMMANDS:
    app.command()(_command)
for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name)


def _show_version(asked: bool) -> None:
    if asked:
        out.print(f"ewaste-edge {__version__}")
        raise typer.Exit


@app.callback()
def _before_commands(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="print the version and exit"
        ),
    ] = False,
) -> None:
    """What goes before the name of a command."""


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    hold_streams()
    install_handler()
    code = _run_command()
    release_streams()
    sys.exit(code)


def _run_command() -> int:
    """The exit code; whatever went wrong has been reported in one line."""
    try:
        return app(standalone_mode=False) or 0
    except ReaderGone:
        return 0
    except SystemExit as error:
        # Typer and Rich exit with 1 when the reader of the help closes its pipe.
        if isinstance(error.__context__, BrokenPipeError) and "--help" in sys.argv:
            return 0
        raise
    except EwasteError as error:
        return _failed(str(error), error.exit_code)
    except ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            for text in error.format_message().splitlines():
                err.tell(text)
            return error.exit_code
        reason = error.format_message().rstrip(". ")
        return _failed(f"{reason}; --help tells more", error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return _failed("interrupted", 1)
    except MemoryError:
        return _failed("not enough memory", 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _failed(f"{where}{error.strerror or error}", 1)
    except Exception as error:
        # The person at the line can do nothing with a traceback; who mends it needs the place.
        if os.environ.get("EWASTE_TRACEBACK"):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return _failed(f"a fault of the program: {error!r} at {where}; please report it", 1)


def _failed(reason: str, code: int) -> int:
    log.error("error: %s", reason)
    return code


if __name__ == "__main__":
    main()
