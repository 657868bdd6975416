"""`python -m edge.panel`: serve the page. Exit codes: 0 stopped by a signal, 2 bad input."""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.config import decision_rules, read_config
from edge.errors import EwasteError
from edge.panel.app import serve
from edge.store import RECORDS_NAME


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, serve, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m edge.panel", description="Serve the panel.")
    parser.add_argument("--config", type=Path, help="TOML file that gives what is not given here")
    parser.add_argument("--state", type=Path, help="folder of the picture and status of the line")
    parser.add_argument("--records", type=Path, help=f"item records (STATE/{RECORDS_NAME})")
    parser.add_argument("--bundle", type=Path, help="bundle that pictures are tried with")
    parser.add_argument("--host", help="address to listen on; 0.0.0.0 for the whole network")
    parser.add_argument("--port", type=int, help="port to listen on; 0 for any free one")
    given = parser.parse_args(arguments)
    try:
        config = read_config(given.config)
        state = (given.state or config.state).expanduser()
        serve(
            state,
            given.records or state / RECORDS_NAME,
            given.bundle or config.bundle,
            config.panel.host if given.host is None else given.host,
            config.panel.port if given.port is None else given.port,
            functools.partial(decision_rules, config),
        )
    except EwasteError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
