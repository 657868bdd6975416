"""`python -m edge.panel`: serve the page. Exit codes: 0 stopped by a signal, 2 bad input."""

from edge.process_setup import limit_threads

limit_threads()  # before anything imports numpy

import argparse
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from edge.config import decision_rules, read_config
from edge.errors import EwasteError
from edge.panel.app import serve
from edge.panel.belt import LineConfig
from edge.records.store import RECORDS_NAME
from edge.terminal import err

END_SECONDS = 3.0
"""The time that a page without a line has for an orderly end, s."""


def end_with_stdin() -> None:
    """End this process when its standard input ends, as it does when the line that holds it dies.

    However the line ends, kill -9 included, the system closes its end of the pipe: the page, which
    holds the port, never outlives it.
    """

    def wait() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass  # a closed one is an ended one
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_SECONDS)
        os._exit(0)

    threading.Thread(target=wait, name="stdin", daemon=True).start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, serve, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m edge.panel", description="Serve the panel.")
    parser.add_argument(
        "--config", type=Path, help="TOML file of the line, for all that is not given here"
    )
    parser.add_argument(
        "--line-config", type=Path, help="file that the belt set-up is written to; default: none"
    )
    parser.add_argument("--state", type=Path, help="state folder of the line")
    parser.add_argument(
        "--records", type=Path, help=f"database of item records; default: STATE/{RECORDS_NAME}"
    )
    parser.add_argument("--bundle", type=Path, help="directory of the bundle to try pictures with")
    parser.add_argument(
        "--host", help="network address to listen on; 0.0.0.0 for the whole network"
    )
    parser.add_argument("--port", type=int, help="TCP port to listen on; 0 for any free one")
    parser.add_argument("--with-stdin", action="store_true", help="end when standard input ends")
    given = parser.parse_args(arguments)
    if given.with_stdin:
        end_with_stdin()
    try:
        config = read_config(given.config)
        state = given.state.expanduser() if given.state else config.state_folder
        serve(
            state,
            given.records or state / RECORDS_NAME,
            given.bundle or config.bundle,
            host=config.panel.host if given.host is None else given.host,
            port=config.panel.port if given.port is None else given.port,
            rules=functools.partial(decision_rules, config),
            panel=config.panel,
            trust=config.trust,
            limits=config.alarms.limits,
            line=LineConfig(config, given.line_config),
        )
    except EwasteError as error:
        err.tell(f"error: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
